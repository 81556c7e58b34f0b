"""
What the systemd unit names is what an installation has.
"""

import tomllib
from pathlib import Path, PurePosixPath

SOURCE = Path(__file__).parent.parent
INSTALLED = PurePosixPath("/opt/tscm")
"""Where docs/operate/install.md puts it."""


def named(key: str) -> str:
    lines = (SOURCE / "etc" / "tscm.service").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{key}=")).removeprefix(f"{key}=")


def test_its_page_is_one_that_is_installed() -> None:
    page = PurePosixPath(named("Documentation").removeprefix("file://"))
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    found = [
        SOURCE / own / page.relative_to(INSTALLED / there)
        for own, there in shared.items()
        if page.is_relative_to(INSTALLED / there)
    ]
    assert [one.is_file() for one in found] == [True]


def test_its_program_is_where_the_page_says() -> None:
    assert named("ExecStart").startswith(f"{INSTALLED}/bin/twistd ")
