"""
Connections of known devices that a bound left no room for, in sentences.  Pure.

An ASA that logs over TCP without `logging permit-hostdown` refuses new connections through it while
its collector does not take its own: here traffic stops.
"""

from collections.abc import Mapping

from tscm.intake.connections import setting_of
from tscm.model import Json
from tscm.plural import many

RECENT_SECONDS = 900.0
"""A refusal that is no older is a fault of the present."""


def turned_away(figures: Json | None) -> Json:
    """Of a device's intake figures, what was refused; empty where nothing was."""
    found: Json = (figures or {}).get("turned_away") or {}
    return found if found.get("connections") else {}


def is_recent(refused: Json, now: float) -> bool:
    """Whether the last refusal is of the present."""
    return now - float(refused["last_at"] or 0.0) < RECENT_SECONDS


def sentence(refused: Json) -> str:
    """How many connections were refused, and why the last of them."""
    count = int(refused["connections"])
    were = "was" if count == 1 else "were"
    return (
        f"{many(count, 'connection', 'connections')} of it {were} refused since the start: "
        f"{refused['cause']}"
    )


def remedy(refused: Json) -> str:
    """What to do."""
    setting = setting_of(str(refused["cause"])) or "max_connections"
    return (
        f"raise [intake] {setting} in tscm.toml, which needs no restart; `logging permit-hostdown` on "
        "the ASA, without which it refuses new traffic while its TCP collector refuses its connections"
    )


def recent_faults(devices: Mapping[str, Json], now: float) -> list[str]:
    """A sentence for each of *devices* (their intake figures) that is refused at present."""
    found = ((name, turned_away(figures)) for name, figures in sorted(devices.items()))
    return [
        f"device {name}: {sentence(refused)}; {remedy(refused)}"
        for name, refused in found
        if refused and is_recent(refused, now)
    ]
