"""
Run every fuzzer (`fuzz_*.py`) one after the other: the second half of `make fuzz`.

FUZZ_SECONDS bounds each.  The options given go to each of them.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Exit status 1 when one of them found something."""
    guided = importlib.util.find_spec("atheris") is not None
    if not guided:
        print(
            f"no coverage-guided fuzzing: atheris has no wheel for Python {sys.version.split()[0]} here"
        )
    found = False
    for script in sorted(Path(__file__).parent.glob("*/fuzz_*.py")):
        if not guided and "import atheris" in script.read_text("utf-8"):
            continue
        print(f"{script.parent.name}/{script.name}", flush=True)
        found |= (
            subprocess.run([sys.executable, str(script), *sys.argv[1:]], check=False).returncode
            != 0
        )
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
