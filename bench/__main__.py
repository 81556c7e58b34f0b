"""
`python -m bench [NAME ...]`: run the benchmarks named, or all.

A benchmark is a module of this folder with a function `main() -> None` that prints its table.
"""

import importlib
import pkgutil
import signal
import sys
from pathlib import Path


def names() -> list[str]:
    """Modules of this folder that are benchmarks."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(one.name for one in found if one.name.startswith("bench_"))


def main() -> int:
    """Run what was asked for; 2 for an unknown name."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended with us
    known = names()
    wanted = [f"bench_{name.removeprefix('bench_')}" for name in sys.argv[1:]] or known
    for name in wanted:
        if name not in known:
            print(f"no benchmark {name}; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    for name in wanted:
        print(f"\n== {name} ==", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
