"""
One call of an operation: who asks, whom progress is told, and what the audit notes of it.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from tscm.model import Progress, Report


@frozen(kw_only=True)
class Actor:
    """
    Who asks: a user of this host by name and number, or, with *uid* None, the manager itself.

    *on_behalf_of* is the user for whom a trusted process speaks, such as the web page's.
    """

    name: str
    uid: int | None = None
    on_behalf_of: str | None = None

    def __str__(self) -> str:
        return self.name if self.on_behalf_of is None else f"{self.on_behalf_of} by {self.name}"


SCHEDULE = Actor(name="schedule")
"""The manager's own schedule."""
PORTAL = Actor(name="portal")
"""The portal that a device's manager follows."""


def quiet(_: Progress) -> None:
    """A report without a reader."""


def at_once() -> None:
    """The turn of a call that waits for nothing."""


def silent(_: str) -> None:
    """A wait that is not reported."""


def unstoppable(_: Callable[[str], None]) -> None:
    """A call that no job stands for."""


@define(eq=False)
class Call:
    """
    Given to each handler.

    `wait` says for what the call waits; `begin` is called when its turn has come, and raises
    `Withdrawn` where the client is gone: then nothing of it may be done.
    """

    actor: Actor
    report: Report = quiet
    begin: Callable[[], None] = at_once
    wait: Callable[[str], None] = silent
    stoppable: Callable[[Callable[[str], None]], None] = unstoppable
    """Takes what ends the call at a safe point while it runs, given who wants that."""
    noted: dict[str, Any] = field(factory=dict)
    """For the audit: what the arguments came to, such as `changes` {setting: [old, new]}."""
