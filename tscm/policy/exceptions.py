"""
What a list excepts from itself: negated APL items (RFC 3123) and `rpz-passthru` triggers.
"""

import numpy as np

from tscm.policy.cidr import CidrSet, overlapping
from tscm.policy.entries import Entries


def without(entries: Entries, everywhere: Entries, from_wider: Entries) -> Entries:
    """
    *entries* less the addresses of both kinds of exceptions; rows that meet none stand as they are.

    An exception *everywhere* holds for every row.  One *from_wider* leaves rows alone that are
    narrower than itself, since of the triggers of a response policy the longest prefix decides
    (draft-vixie-dnsop-dns-rpz, 5.4).
    """
    exceptions = everywhere + from_wider
    touched = overlapping(entries, CidrSet.of(exceptions))
    if not touched.any():
        return entries
    parts = [entries.take(~touched)]
    few = entries.take(touched)
    lengths = np.concatenate((few.v4_lengths, few.v6_lengths))
    is_v6 = np.arange(len(few)) >= len(few.v4_lengths)
    own = np.concatenate((from_wider.v4_lengths, from_wider.v6_lengths))
    for family in (~is_v6, is_v6):
        for length in np.unique(lengths[family]).tolist():
            rows = few.take(family & (lengths == length))
            gone = CidrSet.of(everywhere + from_wider.take(own >= length))
            parts.append(CidrSet.of(rows).difference(gone).entries)
    return Entries.joined(parts)
