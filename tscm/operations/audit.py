"""
What the audit notes of a call: who, when, what, on which device, with what outcome.

Pure.  Secrets never come this far in the clear: settings are masked by `tscm.devices.stored`, and what
is still sealed or typed is masked here by its name.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import attrs

from tscm.base.secrets import MASK
from tscm.model import Json
from tscm.settings.modules import secret_names
from tscm.store.audit_entry import AuditEntry

_ACCOUNT = re.compile(r"://\S*@")
_QUERY = re.compile(r"(https?://[^\s?]*)\?\S*", re.IGNORECASE)
_VALUE_KEPT = 300
_VALUE_READ = 4 * _VALUE_KEPT
_VALUES_KEPT = 256
"""Of a container; `add` and `configure` have some hundred settings."""
_LEFT_OUT = ("name",)
"""The device stands in a column of its own."""


def discard(_: AuditEntry) -> None:
    """An audit that is not kept."""


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
        given[one.name] = MASK if one.metadata.get("secret") else masked(value)
    if "changes" in noted:
        given.pop("settings", None)
    return {**given, **{name: masked(value) for name, value in noted.items()}}


def masked(value: Any, name: str = "") -> Any:
    """*value* as JSON with every secret masked and every text bounded."""
    if isinstance(value, Mapping):  # of a secret setting: its old and its new value
        return {
            str(key)[:_VALUE_KEPT]: masked(one, name if name in secret_names() else str(key))
            for key, one in islice(value.items(), _VALUES_KEPT)
        }
    if name in secret_names() and value not in (None, ""):
        return MASK
    if isinstance(value, list | tuple):
        return [masked(one, name) for one in value[:_VALUES_KEPT]]
    if isinstance(value, str):
        return _without_keys(value)[:_VALUE_KEPT]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_VALUE_KEPT]


def _without_keys(text: str) -> str:
    """A text whose URLs have neither an account nor a query: keys stand there, also where a URL is refused for it."""
    return _QUERY.sub(r"\1?…", _ACCOUNT.sub("://…@", text[:_VALUE_READ]))
