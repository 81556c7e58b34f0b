"""
What became of an ASA and our groups there since the last update.  Pure.
"""

from collections.abc import Iterator, Mapping, Sequence

from tscm.kinds.asa.driver import Group, layout_digest
from tscm.kinds.asa.groups import KINDS, Present
from tscm.kinds.asa.settings import asa
from tscm.model import Cidr, Identity
from tscm.policy.cidr import CidrSet
from tscm.store.generations import StoredDamaged
from tscm.update.in_force import not_in_force
from tscm.update.job import UpdateJob
from tscm.update.memory import DeviceMemory, edit_notes


def last_applied(job: UpdateJob) -> tuple[Mapping[str, list[Cidr]] | None, str]:
    """
    What the device was made to hold last, by kind (None: unknown), and a note where it is damaged in the store.

    A damaged generation is replaced when the run is good.
    """
    name, applied = job.settings.name, job.applied
    if applied is None:
        return None, ""
    try:
        return {kind: CidrSet.of(applied.entries(name, kind.lower())).cidrs() for kind in KINDS}, ""
    except StoredDamaged as error:
        return None, f"{error.what} was damaged in the database"


def changes(
    job: UpdateJob,
    memory: DeviceMemory,
    applied: Mapping[str, list[Cidr]] | None,
    who: Identity,
    groups: Mapping[str, Group],
    *,
    right: bool,
) -> Iterator[str]:
    """
    Notes of a reload, another version, and what others did to our groups, be it *right* or not.

    *applied* is what `last_applied` gave.
    """
    if job.applied is not None and job.applied.purged:
        yield f"until this update the policy was {not_in_force(job.applied)}"
    yield from memory.reload_notes(who)
    if applied is None or memory.layout in {None, layout_digest(groups)}:
        return
    present = Present.of(asa(job.settings).prefix, groups)
    for kind in KINDS:
        found: Sequence[Cidr] = list(present.in_force(kind))
        entry = memory.test_entry
        if entry is not None and entry in found and entry not in applied[kind]:
            yield f"{entry}, which an interrupted test had blocked, is removed"
            found = [one for one in found if one != entry]  # not edited by hand
        yield from edit_notes(kind, applied[kind], found, right=right)
