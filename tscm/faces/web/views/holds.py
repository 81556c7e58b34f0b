"""
Devices whose updates do not run by themselves.
"""

from typing import ClassVar

from attrs import frozen

from tscm.faces.web.views.states import Badge


@frozen(kw_only=True)
class HoldRow:
    """One device, and why nothing is pushed to it."""

    name: str
    badge: Badge
    sentence: str


@frozen(kw_only=True)
class Holds:
    """All of them."""

    TEMPLATE: ClassVar[str] = "holds.html"

    rows: tuple[HoldRow, ...]
    names: tuple[str, ...]
    may_act: bool
    fault: str
    at: float
    wrong: str
    device: str
    until: str
    reason: str
