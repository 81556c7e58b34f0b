"""
From the parts of a policy to its two lists, and whether they may be published.  Pure.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen

from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries, overlapping, without
from tscm.policy.user_lists import Shrink
from tscm.portal.items import Ref

_EXAMPLES = 5


@frozen(kw_only=True)
class HeldBack:
    """
    What a warning list keeps out of the block list: so many entries that it overlaps, some of them, and how many
    addresses were cut out.
    """

    cause: str
    entries: int
    addresses: int
    examples: tuple[str, ...] = ()


@frozen(kw_only=True)
class Compiled:
    """
    The two lists of a policy: each entry once, and as its part has it.

    They are not merged: the guard of a device leaves whole entries out, and one that covers its SIEM must not take
    along what a neighbour or a narrower one of another part blocks.
    """

    block: Entries
    allow: Entries
    held_back: tuple[HeldBack, ...] = ()


def compiled(
    block: Mapping[Ref, Entries],
    allow: Mapping[Ref, Entries],
    refuse: Sequence[tuple[str, CidrSet]],
) -> Compiled:
    """
    Join the parts of each side; what *refuse* holds is cut out of the block side, and entries around it are split.
    """
    blocked = left = Entries.joined(tuple(block.values()))
    held: list[HeldBack] = []
    for name, networks in refuse:
        inside = CidrSet.of(left.take(overlapping(left, networks))).intersection(networks)
        if not inside:
            continue
        touched = np.flatnonzero(overlapping(blocked, networks))
        cidrs = blocked.cidrs()
        held.append(
            HeldBack(
                cause=name,
                entries=len(touched),
                addresses=inside.addresses,
                examples=tuple(str(cidrs[at]) for at in touched[:_EXAMPLES].tolist()),
            )
        )
        left = without(left, networks)
    return Compiled(
        block=left.distinct(),
        allow=Entries.joined(tuple(allow.values())).distinct(),
        held_back=tuple(held),
    )


def why_held(policy: str, block: Shrink, allow: Shrink, mark: str) -> str:
    """
    Why the lists are not published until an operator confirms; empty where they may be.

    *mark* stands for what is held: a confirmation names it, so that it confirms what was read and nothing later.
    """
    if not block.after:
        if not block.before:
            return (
                f"policy {policy!r} is not published: its block side has no entries yet; turn on "
                "a target with `tsadmin portal targets on`, or add entries to one of its lists"
            )
        what = f"the block list would lose all of its {many(block.before, 'entry', 'entries')}"
    elif block.halves:
        what = f"the block list would shrink from {block.before:,} to {block.after:,} entries"
    elif allow.halves:
        what = f"the allow list would shrink from {allow.before:,} to {allow.after:,} entries"
    else:
        return ""
    return (
        f"policy {policy!r} stays as it was published: {what}; if that is meant, run `tsadmin "
        f"portal policies confirm {policy} --mark {mark}`"
    )
