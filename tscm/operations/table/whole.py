"""
All rows of the table, for the code that serves or lists all of them.
"""

from collections.abc import Mapping
from typing import Any

from tscm.operations.operation import Operation
from tscm.operations.table import (
    alarms,
    devices,
    doctor,
    entries,
    events,
    fleet,
    jobs,
    lines,
    listing,
    logs,
    manager,
    pairing,
    policies,
    portal,
    portal_entries,
    proof,
    reports,
    senders,
    user_lists,
)

_NOUNS = (
    manager,
    senders,
    listing,
    devices,
    fleet,
    policies,
    logs,
    lines,
    entries,
    user_lists,
    portal,
    portal_entries,
    pairing,
    events,
    doctor,
    proof,
    jobs,
    alarms,
    reports,
)

TABLE: Mapping[str, Operation[Any, Any]] = {
    value.name: value
    for noun in _NOUNS
    for value in vars(noun).values()
    if isinstance(value, Operation)
}
"""Every row by its name."""
