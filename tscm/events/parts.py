"""
What of a generation came from its lists, and what is there by hand: so that a hit counts for the right one.

Pure.
"""

from tscm.model import Cidr
from tscm.policy.cidr import CidrSet, overlapping
from tscm.policy.entries import Entries


def parted(whole: Entries, lists: Entries) -> tuple[Entries, frozenset[Cidr]]:
    """
    Entries to match addresses with, both merged: those of *lists*, and those of *whole* that hold more.

    The latter are told by their texts, too.  An address that the lists hold stands under the entry of
    the lists, which is the narrower one.
    """
    more = CidrSet(whole).difference(CidrSet(lists))
    wider = whole.take(overlapping(whole, more))
    return lists + wider, frozenset(wider.cidrs())
