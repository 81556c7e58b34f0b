"""
What was seen hitting lately, for those who ask: what stays when a list must be cut.
"""

import sqlite3
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tscm.events.judge import BLOCKED
from tscm.events.rollups import ACTIONS, HOUR_SECONDS
from tscm.policy.entries import Entries
from tscm.policy.rank import Hits

RECENT_DAYS = 7


def recent_hits(database: Path, device: str, now: float) -> Hits:
    """
    For each row of some entries: its hits in the last week.  Opens a connection of its own when called.
    """
    since = int(now) // HOUR_SECONDS // 24 - RECENT_DAYS

    def hits(entries: Entries) -> NDArray[np.int64]:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            known = dict(
                connection.execute(
                    "SELECT e.text, SUM(hits) FROM daily JOIN words d ON d.id = device "
                    "JOIN words e ON e.id = entry WHERE d.text = ? AND action = ? AND day >= ? "
                    "GROUP BY entry",
                    (device, ACTIONS.index(BLOCKED), since),
                )
            )
        finally:
            connection.close()
        found = np.zeros(len(entries), np.int64)
        if known:
            for row, cidr in enumerate(entries.cidrs()):
                found[row] = known.get(cidr, 0)
        return found

    return hits
