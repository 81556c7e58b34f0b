"""
Fetch what the page takes from the npm registry: `python bench/vendor_web.py`.

Each package is fetched by `npm pack` in the version that `tscm/faces/web/vendor.toml` names, compared with the
integrity that stands there, and one file of it is copied.  The licences go to THIRD-PARTY.txt beside the page.  What
it writes is committed: building and installing need no npm.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
WEB = ROOT / "tscm/faces/web"


def fetched(name: str, one: dict[str, Any], folder: Path) -> tarfile.TarFile:
    """The package's archive, once it is what was pinned."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{name}@{one['version']}"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != one["integrity"]:
        sys.exit(f"{name} {one['version']}: the archive is not the one that is pinned")
    return tarfile.open(archive)


def member(archive: tarfile.TarFile, path: str) -> bytes:
    """One file of it."""
    found = archive.extractfile(f"package/{path}")
    assert found is not None
    return found.read()


def main() -> None:
    """Fetch all of them."""
    told = tomllib.loads((WEB / "vendor.toml").read_text("utf-8"))
    licences = []
    for kind in ("shipped", "tests"):
        for name, one in told[kind].items():
            with (
                tempfile.TemporaryDirectory() as folder,
                fetched(name, one, Path(folder)) as archive,
            ):
                target = ROOT / one["target"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(member(archive, one["file"]))
                text = member(archive, one["licence_file"]).decode()
            if kind == "shipped":
                licences.append(f"{name} {one['version']} ({one['licence']})\n\n{text.strip()}\n")
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            print(f"{one['target']}: {target.stat().st_size:,} bytes, SHA-256 {digest}")
    (WEB / "THIRD-PARTY.txt").write_text("\n\n".join(licences), "utf-8")


if __name__ == "__main__":
    main()
