"""
The balance: what must hold between what came in, what is stored, and what went on.

For each listener received = stored + dropped; for each device and reader stored = sent + skipped +
expired + waiting.  A difference that is not zero is a fault of this program or of the disk under it,
and never of a sender.  Pure: figures in, balance out.
"""

from collections.abc import Mapping
from typing import Any

from tscm.model import Json


def balance(intake: Json, devices: Mapping[str, Json], only: str | None = None) -> Json:
    """
    The ledger of a node, or of the device *only*.

    *intake* are `IntakeService.figures()`, *devices* `SpoolService.figures()` by name.
    Counts of listeners begin with the manager's start; counts of a device with its log.
    """
    rows = {
        name: _device(figures) for name, figures in devices.items() if only is None or name == only
    }
    found: Json = {"devices": rows}
    differences = [
        row["difference"] for device in rows.values() for row in device["readers"].values()
    ]
    if only is None:
        listeners = {
            name: _listener(figures) for name, figures in dict(intake.get("listeners", {})).items()
        }
        found["listeners"] = listeners
        found["received"] = sum(one["received"] for one in listeners.values())
        found["stored_since_start"] = sum(one["stored"] for one in listeners.values())
        found["dropped"] = sum(one["dropped"] for one in listeners.values())
        differences += [one["difference"] for one in listeners.values()]
    found["balanced"] = not any(differences)
    return found


def _listener(figures: Mapping[str, Any]) -> Json:
    dropped = {cause: count for cause, count in dict(figures["dropped"]).items() if count}
    lost = sum(dropped.values())
    return {
        "received": figures["received"],
        "stored": figures["stored"],
        "dropped": lost,
        "dropped_by_cause": dropped,
        "kernel_drops": figures.get("kernel_drops"),
        "difference": figures["received"] - figures["stored"] - lost,
    }


def _device(figures: Mapping[str, Any]) -> Json:
    stored = figures["stored_lines"]
    return {
        "stored": stored,
        "refused": figures.get("refused_lines", 0),
        "last_received_at": figures.get("last_received_at"),
        "unclean_stops": figures.get("gaps_total", 0),
        "readers": {
            name: {
                "sent": one["sent"],
                "not_selected": one["skipped"],
                "expired": one["expired"],
                "waiting": one["waiting_lines"],
                "difference": stored
                - one["sent"]
                - one["skipped"]
                - one["expired"]
                - one["waiting_lines"],
            }
            for name, one in dict(figures["readers"]).items()
        },
    }
