"""
One entry of the audit: as a value, and as a line for people.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tscm.model import Json

_LINE_KEPT = 4096


def _milliseconds(seconds: float) -> float:
    return round(seconds, 3)


@frozen(kw_only=True)
class AuditEntry:
    """
    One thing that was done, or that was refused.

    *actor* is a user of this host with the number *uid*, or the manager itself; *on_behalf_of* is the user for whom
    a trusted process speaks, such as the web page's.
    """

    at: float
    """When it ended, as POSIX seconds."""
    actor: str
    uid: int | None = None
    on_behalf_of: str | None = None
    operation: str
    device: str | None
    arguments: Json = field(factory=dict)
    outcome: str
    """`done`, `failed` or `withdrawn`."""
    sentence: str | None = None
    seconds: float = field(default=0.0, converter=_milliseconds)

    @property
    def who(self) -> str:
        """The actor, and for whom."""
        return self.actor if self.on_behalf_of is None else f"{self.on_behalf_of} by {self.actor}"

    def line(self) -> str:
        """As one line of a log."""
        words = [f"{self.operation} by {self.who}"]
        if self.device:
            words.append(f"device {self.device}")
        if self.arguments:
            words.append(shown_arguments(self.arguments))
        end = f"{self.outcome} in {self.seconds:.1f} s"
        told = " ".join((self.sentence or "").split())
        return f"{', '.join(words)}: {end}{f': {told}' if told else ''}"


def shown_arguments(arguments: Json) -> str:
    """Arguments in one line: `setting: old -> new, …`, or that nothing changed."""
    changes = arguments.get("changes")
    given = {name: value for name, value in arguments.items() if name != "changes"}
    if not given and changes is not None and not changes:
        return "nothing changed"
    told = ", ".join(
        f"{name}: {_text(value)}" for name, value in {**given, **(changes or {})}.items()
    )
    return told if len(told) <= _LINE_KEPT else f"{told[:_LINE_KEPT]} …"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.keys() == {"old", "new"}:
            return f"{_text(value['old'])} -> {_text(value['new'])}"
        return "{" + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return str(value)
