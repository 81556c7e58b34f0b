"""
What only the page needs, and whether it is there: looked at before anything of it is imported.
"""

from importlib.util import find_spec

from attrs import define

from tscm.errors import TscmError

PACKAGES = ("jinja2", "argon2")


@define(eq=False)
class WebUnusable(TscmError):
    """
    The page lacks a package that only it needs.
    """

    exit_status = 4

    package: str

    def __str__(self) -> str:
        return f"the page needs the package {self.package}; install it with `pip install tscm[web]`"


def refuse_without_packages() -> None:
    """Raise `WebUnusable` where the extra `web` is not installed."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise WebUnusable(package)
