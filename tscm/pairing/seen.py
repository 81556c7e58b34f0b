"""
What managers told last, and when: kept over a restart of the portal.  Blocking.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from tscm.base.safe_files import read_regular
from tscm.pairing.messages import Standing, read_standing
from tscm.settings.files import write_private
from tscm.wire.writing import as_json

_FILE_BYTES = 16 * 1024 * 1024


@frozen(kw_only=True)
class Seen:
    """When a device's manager asked last (POSIX seconds), and what it told."""

    at: float
    standing: Standing = field(factory=Standing)


def _file(portal: Path) -> Path:
    return portal / "managers.json"


def read_seen(portal: Path) -> dict[str, Seen]:
    """By device ID; empty where nothing can be read: it comes again with the next request."""
    try:
        raw = json.loads(read_regular(_file(portal), _FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    found = {}
    for device_id, one in raw.items() if isinstance(raw, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("at"), int | float):
            found[device_id] = Seen(
                at=float(one["at"]), standing=read_standing(one.get("standing"))
            )
    return found


def write_seen(portal: Path, seen: Mapping[str, Seen]) -> None:
    """Raises OSError."""
    told = {name: {"at": one.at, "standing": as_json(one.standing)} for name, one in seen.items()}
    write_private(_file(portal), json.dumps(told).encode())
