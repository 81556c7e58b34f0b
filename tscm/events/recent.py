"""
What was seen hitting lately, for those who ask: what stays when a list must be cut.
"""

import sqlite3
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tscm.events.judge import BLOCKED
from tscm.events.packs import DAY_HOURS
from tscm.events.rollups import ACTIONS, HOUR_SECONDS
from tscm.events.sums import Query, among, labels, sum_by
from tscm.policy.entries import Entries
from tscm.policy.rank import Hits, hits_on
from tscm.store.reading import read_only

RECENT_DAYS = 7
_BUSY_SECONDS = 5.0
"""Hits only order what a cut leaves out: a policy run does not wait long for them."""


def recent_hits(database: Path, device: str, now: float) -> Hits:
    """
    For each row of some merged entries: its hits in the last week.

    Opens a connection of its own when called, and raises `StoreUnusable` then.
    """
    since = (int(now) // HOUR_SECONDS // DAY_HOURS - RECENT_DAYS) * DAY_HOURS

    def hits(entries: Entries) -> NDArray[np.int64]:
        with read_only(database, _BUSY_SECONDS) as connection:
            device_number = connection.execute(
                "SELECT id FROM words WHERE text = ?", (device,)
            ).fetchone()
            known = {} if device_number is None else _by_entry(connection, device_number[0], since)
        return hits_on(entries, known.items())

    return hits


def _by_entry(connection: sqlite3.Connection, device: int, first: int) -> dict[str, int]:
    blocked = among("action", [ACTIONS.index(BLOCKED)])
    wanted = Query(device=device, first=first, conditions=(blocked,))
    found = sum_by(connection, wanted, ("entry",))
    (entries,) = found.keys.tolist()
    texts = labels(connection, entries)
    return {texts[entry]: hits for entry, hits in zip(entries, found.hits.tolist(), strict=True)}
