"""
Whose the groups on a device are, by the marks in the descriptions of their parents.

Pure, but for the question who else is this firewall.
"""

import re
from collections.abc import Collection, Mapping

from tscm.errors import DeviceFault
from tscm.kinds.asa.driver import Group, layout_digest
from tscm.kinds.asa.groups import KINDS, parent_name
from tscm.kinds.asa.settings import asa
from tscm.printable import quoted
from tscm.risks import Risk, RiskFound
from tscm.update.job import Seen, UpdateJob
from tscm.update.memory import DeviceMemory

_MARK = re.compile(r"managed by tscm (\S+)")
_ENTRY = re.compile(r"[0-9a-f]{12}")
_MARK_SHOWN = 100


class OwnedByAnother(DeviceFault):
    """
    Another manager's mark stands on the groups.
    """

    def __init__(self, device: str, cause: str, remedy: str, risk: RiskFound) -> None:
        self.risk = risk
        super().__init__(device, cause, remedy)


def mark(owner: str) -> str:
    """What our parents' description says: whose they are."""
    return f"managed by tscm {owner}"


def find_owner(
    job: UpdateJob,
    groups: Mapping[str, Group],
    serials: Collection[str] = (),
    *,
    begun: bool = False,
) -> tuple[RiskFound | None, tuple[str, ...]]:
    """
    What the marks on our parents say: the risk that is accepted or only looked for, and notes.

    A mark is `SITE/ENTRY`: the manager, and the permanent id of the device's entry in it.  The site alone, as
    earlier versions wrote it, is ours unless another stored device is this firewall, told by its *serials* among
    others, and the groups are not as we left them; where the change of the groups has *begun*, that was looked at.
    So is an entry that this manager no longer has: a device that was
    removed and added again.  A description that is no mark is an operator's text or another product's.
    Raises `OwnedByAnother` for what is another device's or another manager's and is not accepted.
    """
    settings, notes = asa(job.settings), []
    for kind in KINDS:
        parent = groups.get(parent_name(settings.prefix, kind))
        found = _MARK.fullmatch(parent.description.strip()) if parent else None
        if found is None or found[1] == job.owner:
            continue
        if found[1] == job.site:
            rival = None if begun else _rival(job, groups, serials)
            if rival is None:
                continue
            return _another(job, found[1], *rival), ()
        site, _, entry = found[1].rpartition("/")
        if site == job.site and job.entry and _ENTRY.fullmatch(entry) and entry not in job.others:
            notes.append(
                f"{parent_name(settings.prefix, kind)} was created for a device that this "
                f"manager no longer has (entry {entry}); it now belongs to {settings.name}"
            )
            continue
        return _another(job, found[1], job.others.get(entry) if site == job.site else None), ()
    return None, tuple(notes)


def _rival(
    job: UpdateJob, groups: Mapping[str, Group], serials: Collection[str]
) -> tuple[str, str] | None:
    """Another device that may have made the *groups*, and by what it is known to be this firewall."""
    memory = DeviceMemory.from_json(job.memory)
    seen = Seen(serials={*serials, *memory.serials}, layout=layout_digest(groups))
    if memory.layout == seen.layout:
        return None
    return job.claimed(job.settings, seen, job.look_up)


def _another(job: UpdateJob, found: str, other: str | None, known_by: str = "") -> RiskFound:
    """Raise `OwnedByAnother`, unless it is accepted or only looked for."""
    settings = asa(job.settings)
    groups = f"its groups {settings.prefix}-…"
    if other is not None and known_by:
        cause = (
            f"{groups} do not show which device they belong to and are not as an update of "
            f"{settings.name} left them, and {other} is the same firewall with the same "
            f"prefix ({known_by})"
        )
        first = (
            f"remove one of the two, or set another prefix for {settings.name} (`tsadmin "
            f"configure {settings.name} --prefix`)"
        )
    elif other is None:
        cause = (
            f"{groups} are managed by another tscm, {quoted(found, _MARK_SHOWN)!r}; this "
            f"one is {job.site!r}"
        )
        first = "remove the device there"
    else:
        cause = f"{groups} belong to {other}, another device of this manager"
        first = (
            "if both are one firewall, remove one of them, or set another prefix for "
            f"{settings.name} (`tsadmin configure {settings.name} --prefix`)"
        )
    risk = RiskFound(risk=Risk.OWNER, sentence=cause)
    if job.survey or job.consent.accepts(risk):
        return risk
    raise OwnedByAnother(
        settings.name,
        cause,
        f"{first}; then `tsadmin update {settings.name} {risk.option}` takes its groups over",
        risk,
    )
