"""
Connections of known devices that a bound left no room for, in sentences.  Pure.

An ASA that logs over TCP without `logging permit-hostdown` refuses new connections through it while
its collector does not take its own: here traffic stops.
"""

from collections.abc import Mapping

from tscm.intake.connections import setting_of
from tscm.intake.figures import DeviceIntake, TurnedAway
from tscm.plural import many

RECENT_SECONDS = 900.0
"""A refusal that is no older is a fault of the present."""


def turned_away(intake: DeviceIntake | None) -> TurnedAway | None:
    """Of a device's intake figures, what was refused; None where nothing was."""
    if intake is None or not intake.turned_away.connections:
        return None
    return intake.turned_away


def is_recent(refused: TurnedAway, now: float) -> bool:
    """Whether the last refusal is of the present."""
    return now - (refused.last_at or 0.0) < RECENT_SECONDS


def sentence(refused: TurnedAway) -> str:
    """How many connections were refused, and why the last of them."""
    were = many(refused.connections, "connection from it was", "connections from it were")
    return f"{were} refused since the start: {refused.cause}"


def remedy(refused: TurnedAway) -> str:
    """What to do."""
    setting = setting_of(refused.cause) or "max_connections"
    return (
        f"raise [intake] {setting} in tscm.toml (no restart needed); enter `logging "
        "permit-hostdown` on the ASA, otherwise it blocks new traffic while its TCP "
        "collector refuses connections"
    )


def recent_faults(devices: Mapping[str, DeviceIntake], now: float) -> list[str]:
    """A sentence for each of *devices* that is refused at present."""
    found = ((name, turned_away(figures)) for name, figures in sorted(devices.items()))
    return [
        f"device {name}: {sentence(refused)}; {remedy(refused)}"
        for name, refused in found
        if refused is not None and is_recent(refused, now)
    ]
