"""
What the audit notes of a call: who, when, what, on which device, with what outcome.

Pure.  Secrets never come this far in the clear: settings are masked by `tscm.devices.stored`, and what
is still sealed or typed is masked here by its name.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import attrs
from attrs import field, frozen

from tscm.base.secrets import MASK
from tscm.model import Json
from tscm.operations.call import Actor
from tscm.settings.device import SECRETS

_VALUE_KEPT = 300
_VALUES_KEPT = 256
"""Of a container; `add` and `configure` have some hundred settings."""
_LINE_KEPT = 4096
_LEFT_OUT = ("name",)
"""The device stands in a column of its own."""


@frozen(kw_only=True)
class AuditEntry:
    """
    One thing that was done, or that was refused.
    """

    at: float
    """When it ended, as POSIX seconds."""
    actor: Actor
    operation: str
    device: str | None
    outcome: str
    """`done`, `failed` or `withdrawn`."""
    arguments: Json = field(factory=dict)
    sentence: str | None = None
    seconds: float = 0.0

    def as_json(self) -> Json:
        """As it is answered."""
        return {
            "at": self.at,
            "actor": self.actor.name,
            "uid": self.actor.uid,
            "on_behalf_of": self.actor.on_behalf_of,
            "operation": self.operation,
            "device": self.device,
            "arguments": self.arguments,
            "outcome": self.outcome,
            "sentence": self.sentence,
            "seconds": round(self.seconds, 3),
        }

    def line(self) -> str:
        """As one line of a log."""
        words = [f"{self.operation} by {self.actor}"]
        if self.device:
            words.append(f"device {self.device}")
        if self.arguments:
            words.append(shown_arguments(self.arguments))
        end = f"{self.outcome} in {self.seconds:.1f} s"
        told = " ".join((self.sentence or "").split())
        return f"{', '.join(words)}: {end}{f': {told}' if told else ''}"


def shown_arguments(arguments: Json) -> str:
    """Arguments in one line: `setting: old -> new, …`."""
    changes = arguments.get("changes")
    given = {name: value for name, value in arguments.items() if name != "changes"}
    told = ", ".join(
        f"{name}: {_text(value)}" for name, value in {**given, **(changes or {})}.items()
    )
    return told if len(told) <= _LINE_KEPT else f"{told[:_LINE_KEPT]} …"


def discard(_: AuditEntry) -> None:
    """An audit that nobody keeps."""


def audited_arguments(args: Any, noted: Mapping[str, Any]) -> Json:
    """
    The arguments of a call as they may be kept, and what the handler noted beside them.

    Arguments that are as they are by default say nothing.  *noted* beats an argument of its name.
    """
    given: Json = {}
    for one in attrs.fields(type(args)):
        value = getattr(args, one.name)
        if one.name in _LEFT_OUT or value == one.default:
            continue
        given[one.name] = masked(value)
    if "changes" in noted:
        given.pop("settings", None)
    return {**given, **{name: masked(value) for name, value in noted.items()}}


def masked(value: Any, name: str = "") -> Any:
    """*value* as JSON with every secret masked and every text bounded."""
    if isinstance(value, Mapping):  # of a secret setting: its old and its new value
        return {
            str(key)[:_VALUE_KEPT]: masked(one, name if name in SECRETS else str(key))
            for key, one in islice(value.items(), _VALUES_KEPT)
        }
    if name in SECRETS and value not in (None, ""):
        return MASK
    if isinstance(value, list | tuple):
        return [masked(one, name) for one in value[:_VALUES_KEPT]]
    if isinstance(value, str):
        return value[:_VALUE_KEPT]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_VALUE_KEPT]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.keys() == {"old", "new"}:
            return f"{_text(value['old'])} -> {_text(value['new'])}"
        return "{" + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return str(value)
