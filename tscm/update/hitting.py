"""
What was seen hitting lately, where that can be read.
"""

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from tscm.policy.entries import Entries
from tscm.policy.rank import Hits
from tscm.store.database import StoreUnusable

_UNREADABLE = (StoreUnusable, ValueError, LookupError, TypeError)
"""What reading a database that is locked or damaged ends in; damage may lie in what it stores too."""


@define(eq=False)
class RecentHits:
    """
    Hits for the choice of what is cut; none where they cannot be read, and a note that says so.

    They only order what a list that is too long loses: a policy must not wait until the database
    is repaired.
    """

    _hits: Hits
    notes: list[str] = field(factory=list, init=False)

    def __call__(self, entries: Entries) -> NDArray[np.int64]:
        """For each row: how often it was seen hitting lately."""
        try:
            return self._hits(entries)
        except _UNREADABLE as error:
            self.notes.append(
                f"cannot read recent hits from the database ({error}), so entries were cut "
                "without them; check the database with `tsadmin doctor`"
            )
            return np.zeros(len(entries), np.int64)
