"""
Pin every distribution that this project installs anywhere, by version and hash: `make lock`.

Writes five files beside this one, each valid for CPython 3.11 to 3.13 on Linux:

- `all.txt` constrains every tox environment: the product, its tests, the linters, the build tools.
- `run.txt` holds what the product needs to run, alone or in a cluster, for `pip install -r`.
- `web.txt` holds that and what the page needs besides, for the Debian packages.
- `build.txt` holds what builds the package.
- `tox.txt` holds tox itself, which the Makefile installs first.

Takes the options of `uv pip compile`; without one the newest allowed versions are chosen, and
`make lock ARGS=--no-upgrade` keeps what is pinned and still allowed.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = "pyproject.toml"
EVERY_GROUP = (
    "tox",
    "build",
    "lint",
    "typing",
    "fuzz",
    "clients",
    "clients-more",
    "audit",
    "lock",
    "docs",
    "changelog",
)
COMPILE = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
    *("--custom-compile-command", "make lock"),
)


def pin(name: str, *words: str) -> None:
    """Write the file *name* with the pins of what *words* ask for."""
    # Relative names, so that no path of this machine gets into a file.
    output = ("--output-file", f"{HERE.name}/{name}")
    done = subprocess.run(
        [*COMPILE, *output, *words], cwd=HERE.parent, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.returncode)


def main() -> None:
    """Choose all versions once; the smaller files repeat them."""
    groups = [word for group in EVERY_GROUP for word in ("--group", group)]
    pin("all.txt", PROJECT, "--all-extras", *groups, *sys.argv[1:])
    chosen = ("--constraint", f"{HERE.name}/all.txt", "--upgrade")
    core = (PROJECT, "--extra", "cluster")
    pin("run.txt", *core, *chosen)
    pin("web.txt", *core, "--extra", "web", "--extra", "oidc", *chosen)
    pin("build.txt", "--group", "build", *chosen)
    pin("tox.txt", "--group", "tox", *chosen)


if __name__ == "__main__":
    main()
