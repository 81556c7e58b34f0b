"""
Parent and child of one version: while files are replaced, a running manager may start a child of the new ones.

The parent puts its version into the child's environment, and the child ends before it reads a byte.
"""

import os

from tscm import __version__

VARIABLE = "TSCM_PARENT_VERSION"
OTHER_VERSION = 4
"""The exit status of such a child."""


def child_environment() -> dict[str, str]:
    """The environment of a child that must be of this version."""
    return {**os.environ, VARIABLE: __version__}


def other_version(environment: "dict[str, str] | os._Environ[str]" = os.environ) -> str | None:
    """The sentence of a child whose parent is of another version; None where it is of this one, or no parent says."""
    parent = environment.get(VARIABLE, __version__)
    if parent == __version__:
        return None
    return (
        f"the manager is version {parent[:32]!r} and the installed files are version {__version__}; "
        "restart the manager with `systemctl restart tscm.service`"
    )
