"""
What runs here, and what it is made of.
"""

from typing import ClassVar

from attrs import frozen

from tscm.operations.answers import ModuleVersion


@frozen(kw_only=True)
class Part:
    """A third-party work that the page brings along."""

    name: str
    version: str
    licence: str


@frozen(kw_only=True)
class About:
    """Versions and licences."""

    TEMPLATE: ClassVar[str] = "about.html"

    versions: tuple[ModuleVersion, ...]
    fault: str
    parts: tuple[Part, ...]
    fingerprint: str
