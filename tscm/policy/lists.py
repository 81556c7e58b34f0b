"""
A list as it was fetched, before the guard judges it.
"""

from attrs import frozen

from tscm.policy.cidr import Entries

REFUSED_KEPT = 1000


@frozen(kw_only=True)
class Refused:
    """
    One entry that was left out, and why.
    """

    entry: str
    cause: str


@frozen(kw_only=True)
class PolicyList:
    """
    One generation of one block or allow list.

    *entries* stand as published (duplicates and overlaps included) with host bits
    cleared; *refused* keeps at most `REFUSED_KEPT` of the *refused_count* entries that were no CIDR;
    *normalised* counts entries that had host bits, *other_records* records of types that hold no
    entries, *passed_over* what some of these are, *excepted* networks that the list itself takes out of its entries.  *serial* is None where the source has none.
    """

    name: str
    entries: Entries
    serial: int | None = None
    fetched_at: float = 0.0
    source: str = ""
    refused: tuple[Refused, ...] = ()
    refused_count: int = 0
    normalised: int = 0
    other_records: int = 0
    excepted: int = 0
    passed_over: tuple[tuple[str, int], ...] = ()
