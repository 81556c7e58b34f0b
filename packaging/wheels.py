"""
Fetch the wheels of a locked file for another Python than this one: `wheels.py 3.13 FOLDER FILE...`.

pip downloads for another Python, and reads the conditions of a line (`; python_full_version < '3.12'`) for its own:
so the lines that hold for the other Python are picked here first.  Every wheel is checked against its hash.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

GLIBC = (5, 12, *range(17, 37))
"""The second numbers of the glibc versions up to bookworm's 2.36, as `manylinux` tags name them."""


def blocks(text: str) -> Iterator[str]:
    """Each requirement with the lines of its hashes."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            lines.append(line)
            if not line.endswith("\\"):
                yield "\n".join(lines)
                lines = []


def holding(text: str, python: str) -> Iterator[str]:
    """The requirements that hold for that Python on Linux, without their condition."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.99",
        "implementation_name": "cpython",
        "platform_machine": "x86_64",
        "sys_platform": "linux",
    }
    for block in blocks(text):
        first, _, hashes = block.partition("\\\n")
        wanted = Requirement(first)
        if wanted.marker is None or wanted.marker.evaluate(environment):
            yield f"{wanted.name}{wanted.specifier} \\\n{hashes}"


def main(python: str, folder: Path, *files: Path) -> None:
    """Download, with a file of what was picked beside the wheels; what was fetched before is not fetched again."""
    folder.mkdir(parents=True, exist_ok=True)
    number = python.replace(".", "")
    tags = [
        *(f"--platform=manylinux_2_{minor}_x86_64" for minor in GLIBC),
        *("--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64"),
        *(f"--abi=cp{number}", "--abi=abi3", "--abi=none", "--implementation=cp"),
    ]
    for file in files:
        picked, asked = folder / file.name, folder / f"{file.name}.asked"
        text = "\n".join(holding(file.read_text("utf-8"), python)) + "\n"
        if picked.is_file() and picked.read_text("utf-8") == text:
            continue
        asked.write_text(text, "utf-8")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "-qq", "--no-deps"),
                *("--require-hashes", "--only-binary=:all:", f"--python-version={python}"),
                *(*tags, "--dest", str(folder), "--requirement", str(asked)),
            ],
            check=True,
        )
        asked.replace(picked)


if __name__ == "__main__":
    main(sys.argv[1], *(Path(one) for one in sys.argv[2:]))
