"""
A list changed by what was taken out and what was put in, as an incremental transfer tells it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tscm.plural import many
from tscm.policy.cidr import Entries


class DeltaUnfit(ValueError):
    """
    What should go is not there: the known list is not what the server thinks it is.
    """


def changed(known: Entries, removed: Entries, added: Entries) -> Entries:
    """
    *known* with every row of *added*, less one occurrence for every row of *removed*.

    Lists may hold an entry more than once, and each occurrence counts.  Raises `DeltaUnfit`.
    """
    everything = known + added
    short = len(everything.v4_lengths)
    keep = np.ones(len(everything), np.bool_)
    keep[:short] = _keep(_v4_keys(everything), _v4_keys(removed))
    keep[short:] = _keep(_v6_keys(everything), _v6_keys(removed))
    return everything.take(keep)


def _keep(keys: NDArray[Any], gone: NDArray[Any]) -> NDArray[np.bool_]:
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    wanted, counts = np.unique(gone, return_counts=True)
    first = np.searchsorted(ordered, wanted, "left")
    there = np.searchsorted(ordered, wanted, "right") - first
    if (there < counts).any():
        raise DeltaUnfit(
            f"it removes {many(int((there < counts).sum()), 'entry', 'entries')} that the list does not have"
        )
    keep = np.ones(len(keys), np.bool_)
    for start, count in zip(first.tolist(), counts.tolist(), strict=True):
        keep[order[start : start + count]] = False
    return keep


def _v4_keys(entries: Entries) -> NDArray[np.uint64]:
    return entries.v4_addresses.astype(np.uint64) << np.uint64(8) | entries.v4_lengths


def _v6_keys(entries: Entries) -> NDArray[np.bytes_]:
    # As 17 octets; numpy compares such texts octet by octet, and trailing zeros stand in all alike.
    rows = np.zeros((len(entries.v6_lengths), 17), np.uint8)
    rows[:, :8] = entries.v6_high.astype(">u8").view(np.uint8).reshape(-1, 8)
    rows[:, 8:16] = entries.v6_low.astype(">u8").view(np.uint8).reshape(-1, 8)
    rows[:, 16] = entries.v6_lengths
    return rows.view("S17").reshape(-1)
