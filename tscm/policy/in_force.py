"""
Whether what would go into force leaves enough of what is in force.  Pure.

Lists are judged as they were fetched (`tscm.policy.guard`).  Behind that stands what the operator
relies on: the networks that the device blocks.  An allow list that takes the room of the block list, or
its networks, takes protection away though no list shrank; so do small losses, one run after the other.
"""

from collections.abc import Iterator

import numpy as np
from attrs import frozen

from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries, overlapping
from tscm.risks import Risk, RiskFound

ALLOW_SLACK = 50
"""An allow list may grow by so many entries whatever share that is."""


@frozen(kw_only=True, eq=False)
class Force:
    """
    Both lists as a device holds them.
    """

    block: CidrSet
    allow: CidrSet

    def blocking(self) -> Entries:
        """Entries of the block list that the allow list leaves anything of."""
        rest = self.block.difference(self.allow)
        return self.block.entries.take(overlapping(self.block.entries, rest))


@frozen(kw_only=True)
class ForceRules:
    """
    Shares are of what is in force; *allow_share* is one of *maximum*, the Max policy size.
    """

    shrink_share: float = 0.5
    allow_growth_share: float | None = 1.0
    allow_share: float = 0.5
    maximum: int


def judge_loss(before: Force, after: Force, rules: ForceRules, when: str) -> Iterator[RiskFound]:
    """
    Does *after* block too little of what *before* did, which was in force *when*?

    As with lists, entries that are still covered are not lost, and exchanged ones not missed.  What a
    maximum of today has no room for is no loss: the operator set it.
    """
    rows = before.blocking()
    room = max(0, rules.maximum - len(before.allow))
    was, now = min(len(rows), room), len(after.blocking())
    least = (1 - rules.shrink_share) * was
    if now >= least:
        return
    left = after.block.difference(after.allow)
    gone = CidrSet.of(rows).difference(before.allow).difference(left)
    if len(rows) - int(np.count_nonzero(overlapping(rows, gone))) < least:
        yield RiskFound(
            risk=Risk.SHRINK,
            sentence=(
                f"of {was:,} block entries in force {when} {now:,} would remain, a "
                f"decrease of more than {rules.shrink_share:.0%}"
            ),
        )


def judge_allow(before: Force | None, after: Force, rules: ForceRules) -> Iterator[RiskFound]:
    """
    Does the allow list grow too fast, or take too much of the maximum?  What is in force is accepted.
    """
    allow = len(after.allow)
    held = 0 if before is None else len(before.allow)
    share = rules.allow_growth_share
    if before is not None and share is not None:
        most = max(held * (1 + share), held + ALLOW_SLACK)
        if allow > most:
            yield RiskFound(
                risk=Risk.ALLOW,
                sentence=(
                    f"the allow list would grow from {held:,} to {many(allow, 'entry', 'entries')}, "
                    f"more than {share:.0%}"
                ),
            )
    if allow > held and allow > rules.allow_share * rules.maximum:
        yield RiskFound(
            risk=Risk.ALLOW,
            sentence=(
                f"the allow list would take {allow:,} of {many(rules.maximum, 'entry', 'entries')} that the device "
                f"may hold, more than {rules.allow_share:.0%}"
            ),
        )
