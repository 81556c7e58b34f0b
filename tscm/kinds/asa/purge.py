"""
Taking our groups off a device, as far as its access-lists let it: `tsadmin remove NAME --purge`.

Parents first, for nothing of ours may use what is deleted; a parent that an access-list uses stays with
all its children, and the lines that stand in the way are named.  Can be repeated.
"""

import re
from collections.abc import Mapping, Sequence

from tscm.kinds.asa.driver import AsaDriver, DeleteGroup, asa_driver
from tscm.kinds.asa.faults import Replicating
from tscm.kinds.asa.groups import KINDS, Present, parent_name
from tscm.kinds.asa.owner import find_owner
from tscm.kinds.asa.settings import asa
from tscm.kinds.faults import Overloaded, Refused, SaveFailed
from tscm.model import Progress, Report
from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER
from tscm.store.generations import PURGED as PURGED_NOTE
from tscm.store.generations import Generation, pack
from tscm.update.answers import Obstacle
from tscm.update.certificate import accepted_certificate
from tscm.update.job import UpdateJob
from tscm.update.purge import LINES_SHOWN, PurgeOutcome

_NOT_DONE = "the device accepted the deletion but did not perform it"


def purge_device(job: UpdateJob, report: Report) -> PurgeOutcome:
    """
    Delete every group of ours that nothing else uses.  Blocking; raises `DeviceFault`.
    """
    settings = asa(job.settings)
    driver = asa_driver(
        job.opener(
            settings,
            job.node,
            job.memory.get("driver", {}),
            accept_certificate=job.consent.certificate,
        )
    )
    try:
        report(Progress(phase="plan", text="reading the device's groups"))
        who = driver.identify()
        if who.replicating:
            raise Replicating(settings.name)
        groups = driver.read_groups(settings.prefix)
        owner, _ = find_owner(job, groups, () if who.serial is None else (who.serial,))
        certificate = accepted_certificate(job.memory, driver, job.consent)
        present = Present.of(settings.prefix, groups)
        deleted, obstacles = _delete(driver, present, report)
        if deleted:
            still = driver.read_groups(settings.prefix)
            obstacles |= {name: _NOT_DONE for name in deleted if name in still}
            deleted = [name for name in deleted if name not in still]
        children = {
            name: tuple(
                sorted((present.reached(name) & set(present.places)).difference(deleted, obstacles))
            )
            for name in obstacles
        }
        gone = bool(deleted) or not (obstacles or job.applied is None)
        to_save = bool(deleted) and job.node.policy.save_config
        not_saved = _save(driver, report) if to_save else ""
        return PurgeOutcome(
            device=settings.name,
            deleted=tuple(deleted),
            obstacles=tuple(_with_lines(driver, settings.prefix, obstacles, children)),
            saved=to_save and not not_saved,
            not_saved=not_saved,
            left=_left(job, present, deleted) if gone else None,
            accepted=tuple(one for one in (owner, certificate) if one is not None),
        )
    finally:
        driver.close()


def _left(job: UpdateJob, present: Present, deleted: Sequence[str]) -> Generation:
    """What is in force without the *deleted* groups."""
    groups = {name: one for name, one in present.groups.items() if name not in deleted}
    still = Present.of(present.prefix, groups)
    block, allow = (
        CidrSet.of_texts(one for one in still.in_force(kind) if one != PLACEHOLDER)
        for kind in KINDS
    )
    return Generation(
        applied_at=job.now(),
        note=PURGED_NOTE,
        block_entries=len(block),
        allow_entries=len(allow),
        block=pack(block.entries),
        allow=pack(allow.entries),
    )


def _save(driver: AsaDriver, report: Report) -> str:
    """Why the configuration is not saved; empty where it is."""
    report(Progress(phase="save", text="saving the device's configuration"))
    try:
        driver.save()
    except SaveFailed as fault:
        return fault.cause
    return ""


def _delete(
    driver: AsaDriver, present: Present, report: Report
) -> tuple[list[str], dict[str, str]]:
    deleted: list[str] = []
    obstacles: dict[str, str] = {}
    order = deletion_order(present)
    total = len(order)
    for number, name in enumerate(order):
        report(Progress(phase="push", text=f"deleting {name}", done=number, total=total))
        users = [user for user in present.users(name) if user not in deleted]
        if users:
            if not all(user in obstacles for user in users):
                obstacles[name] = f"it is nested in {', '.join(users)}"
            continue
        if present.strangers(present.groups[name]):
            obstacles[name] = "it contains members not managed by tscm"
            continue
        try:
            driver.apply(DeleteGroup(group=name))
        except Refused as refused:
            obstacles[name] = refused.cause
        except Overloaded as failed:
            driver.probe()  # an agent that answers has only said no: some do so with 500
            obstacles[name] = failed.cause
        else:
            deleted.append(name)
    if order:
        report(Progress(phase="push", text="all groups tried", done=total, total=total))
    return deleted, obstacles


def deletion_order(present: Present) -> list[str]:
    """Our groups, each after all groups of the prefix that nest it."""
    parents = [parent_name(present.prefix, kind) for kind in KINDS]
    order: list[str] = []
    waiting = [name for name in (*parents, *sorted(present.places)) if name in present.groups]
    waiting = list(dict.fromkeys(waiting))
    while waiting:
        ready = [
            name
            for name in waiting
            if not any(user in waiting and user != name for user in present.users(name))
        ] or waiting  # a loop, which a device does not hold; then any order is as good
        order += ready
        waiting = [name for name in waiting if name not in ready]
    return order


def _with_lines(
    driver: AsaDriver,
    prefix: str,
    obstacles: Mapping[str, str],
    children: Mapping[str, tuple[str, ...]],
) -> Sequence[Obstacle]:
    if not obstacles:
        return ()
    text = driver.running_config(prefix).text
    return [
        Obstacle(
            group=name,
            cause=cause,
            lines=tuple(lines_using(text, name)),
            children=children[name],
        )
        for name, cause in obstacles.items()
    ]


def lines_using(running_config: str, group: str) -> list[str]:
    """Lines that use *group*: access-lists, and groups of others that nest it."""
    use = re.compile(rf"(?<![\w-])(?:object-group|group-object) {re.escape(group)}(?!\S)")
    found: list[str] = []
    inside = ""
    for line in running_config.splitlines():
        if not line.startswith(" "):
            inside = line
        if line.startswith("object-group "):
            continue  # where it is defined
        if use.search(line):
            found.append(f"{inside} / {line.strip()}" if line.startswith(" ") else line)
    return found[:LINES_SHOWN]
