"""
Attributes of MISP, as its REST interface exports them in JSON: those that hold addresses.  Pure.

By `attributes/restSearch`, `events/restSearch` and `events/ID`, as the MISP book documents them.
"""

from collections.abc import Mapping
from typing import Any

from tscm.policy.collect import Collector

_ADDRESS = frozenset({"ip-src", "ip-dst"})
_WITH_PORT = frozenset({"ip-src|port", "ip-dst|port"})
_TYPE_MOST = 60

MISP_PATHS = (
    ("response", "Attribute", "*"),
    ("response", "*", "Event", "Attribute", "*"),
    ("response", "*", "Event", "Object", "*", "Attribute", "*"),
    ("Event", "Attribute", "*"),
    ("Event", "Object", "*", "Attribute", "*"),
)
"""Where attributes stand in an export."""


def take_attribute(one: Mapping[str, Any], collector: Collector) -> None:
    """
    An attribute: its address is taken where it is meant for detection (`to_ids`) and not deleted.
    """
    kind, value = one.get("type"), one.get("value")
    if kind not in _ADDRESS | _WITH_PORT:
        known = isinstance(kind, str) and len(kind) <= _TYPE_MOST and kind.isprintable()
        collector.pass_over(f"attribute {kind}" if known else "attribute of no type")
    elif not isinstance(value, str):
        collector.refuse(str(value), "is an attribute without a value")
    elif _is_true(one.get("deleted")):
        collector.pass_over("deleted attribute")
    elif not _is_true(one.get("to_ids")):
        collector.pass_over("attribute that is not for detection")
    else:
        collector.add_text(value.partition("|")[0].strip() if kind in _WITH_PORT else value.strip())


def _is_true(value: Any) -> bool:
    """A flag; some versions write it as a number."""
    return value is True or str(getattr(value, "shown", value)).lower() in {"1", "true"}
