"""
Make the picture of a terminal for README and docs anew: `python bench/terminal_recording.py`.

Starts the demonstration, runs some commands of `tsadmin` on it, and writes what they print, with its colours, as SVG.
Run by hand; look at what it made before it is committed.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "terminal.svg"
MOST_BYTES = 150_000
WIDTH = 140
START_SECONDS = 900.0
COMMANDS = (
    "status",
    "block 45.155.204.9 --for 4h --all --reason incident",
    "why 45.155.204.9",
    "ledger",
)


def main() -> int:
    """The picture; exit status 1 where it is too large or a command fails."""
    with tempfile.TemporaryDirectory(prefix="rec-", dir="/tmp") as folder:
        said = Path(folder) / "said"
        with said.open("wb") as out:
            demo = subprocess.Popen(
                [sys.executable, "-m", "tscm", "demo", "--keep"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": folder, "COLUMNS": "200"},
            )
        try:
            root = _root(said, demo)
            screen = Console(
                record=True,
                width=WIDTH,
                file=io.StringIO(),
                force_terminal=True,
                color_system="truecolor",
            )
            failed = [words for words in COMMANDS if not _record(screen, root, words)]
            picture = screen.export_svg(title="tsadmin")
            # Fonts of elsewhere would be fetched by whoever looks at it.
            PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))
        finally:
            demo.terminate()
            demo.wait(START_SECONDS)
    size = PICTURE.stat().st_size
    sys.stdout.write(f"{PICTURE.name}: {size:,} bytes; failed: {failed or 'nothing'}\n")
    return 1 if failed or size > MOST_BYTES else 0


def _root(said: Path, demo: "subprocess.Popen[bytes]") -> str:
    """The root directory of the demonstration, once it keeps running."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and demo.poll() is None:
        found = re.search(
            r"keeps running.*?TSCM_ROOT=(\S+)", said.read_text("utf-8", "replace"), re.DOTALL
        )
        if found:
            return found[1]
        time.sleep(0.5)
    raise SystemExit(said.read_text("utf-8", "replace"))


def _record(screen: Console, root: str, words: str) -> bool:
    """One command as somebody types it, and what it prints; whether it is done."""
    done = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", root, *words.split()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1"},
        check=False,
    )
    screen.print(Text.assemble(("$ ", "bold green"), (f"tsadmin {words}", "bold")))
    lines = done.stdout.decode("utf-8", "replace").rstrip().splitlines()
    for line in lines[:16]:
        screen.print(Text.from_ansi(line), no_wrap=True, overflow="ellipsis", crop=True)
    screen.print()
    return done.returncode in {0, 1, 2} if words == "status" else done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
