"""
An entry of a documentation prefix put into the block groups and taken out again: `tsadmin test NAME`.

Blocking, for a thread; values in, values out.  Between two calls nothing is held on the device.  The
goal of both ways is what the last update put in force, with the entry and without it, planned like
every update; a device that holds something else is refused before anything is written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_interface

from attrs import evolve

from tscm.doctor.prover import Prepared, ProofRefused, Prover, Pushed
from tscm.errors import DeviceFault, TscmError
from tscm.kinds.asa.doctor.judge_protection import judge_use
from tscm.kinds.asa.doctor.packet_trace import judge_trace, trace_of
from tscm.kinds.asa.driver import AsaDriver, Group, Step, asa_driver
from tscm.kinds.asa.faults import Replicating
from tscm.kinds.asa.groups import Present
from tscm.kinds.asa.planning import plan_for
from tscm.kinds.asa.refusals import believable
from tscm.kinds.asa.running import RunningConfig, read_running
from tscm.kinds.asa.settings import asa
from tscm.model import Cidr, Progress, Report
from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.documentation import free_host
from tscm.store.generations import StoredDamaged
from tscm.update.goal import Goal, of_generation
from tscm.update.job import UpdateJob
from tscm.update.memory import DeviceMemory
from tscm.update.names import hosts, protected
from tscm.update.networks import known_networks
from tscm.update.patience import ReadBackDiffers


def prepare(job: UpdateJob, first: int, report: Report) -> Prepared:
    """
    Read the device and choose an address, from number *first* on; what an earlier test left is taken out.

    Raises `ProofRefused`, `DeviceFault`, `StoredDamaged`.
    """
    settings = asa(job.settings)
    goal = _goal(job)
    if DeviceMemory.from_json(job.memory).test_entry is not None:
        take_out(job, report)
    report(Progress(phase="plan", text="reading the device's groups"))
    driver = _open(job)
    try:
        driver.probe()
        groups = driver.read_groups(settings.prefix)
        left = len(_steps(job, groups, goal, None))
        if left:
            raise ProofRefused(
                settings.name,
                (
                    "its groups are not as the last update left them, "
                    f"{many(left, 'step', 'steps')} remaining"
                ),
                f"`tsadmin update {settings.name}` first",
            )
        if driver.identify().replicating:
            raise Replicating(settings.name)
        config = read_running(driver.running_config(settings.prefix).text)
    finally:
        driver.close()
    in_use = _in_use(job, groups, config)
    # What the guard left out of a list is no reason to refuse where there is nothing else.
    entry = free_host(in_use.union(_published(job)), first) or free_host(in_use, first)
    if entry is None:
        raise ProofRefused(
            settings.name,
            "every address of documentation space (RFC 5737) is in its groups, protected or in use",
            f"`tsadmin doctor {settings.name}` asks packet-tracer about an address of the block list",
        )
    trial = trace_of(config, settings.prefix, entry.partition("/")[0])
    return Prepared(
        entry=entry,
        command=None if trial is None else trial.command,
        packet=entry.partition("/")[0]
        if trial is None
        else f"{entry.partition('/')[0]}, {trial.source} to {trial.destination}",
        use=judge_use(config, settings.prefix),
        judge_match=partial(judge_trace, trial),
    )


def put_in(job: UpdateJob, entry: Cidr, command: str | None, report: Report) -> Pushed:
    """
    Block *entry*, read it back, and have the device carry out *command*, which changes nothing.

    Raises `DeviceFault`; then the entry may stand on the device or not.
    """
    report(Progress(phase="push", text=f"blocking {entry}"))
    driver = _open(job)
    try:
        begun = job.now()
        groups = _bring(driver, job, entry)
        present = Present.of(asa(job.settings).prefix, groups)
        group = next(one.name for one in present.children("Block") if entry in one.members)
        pushed = Pushed(group=group, said=None, push_seconds=max(0.0, job.now() - begun))
        if command is None:
            return pushed
        report(Progress(phase="check", text=f"asking the device: {command}"))
        begun, said = job.now(), None
        with suppress(DeviceFault):  # the entry is in force all the same
            said = driver.look(command)
        return evolve(pushed, said=said, look_seconds=max(0.0, job.now() - begun))
    finally:
        driver.close()


def take_out(job: UpdateJob, report: Report) -> None:
    """
    Have the device hold what the last update put in force, and nothing else.

    Can be repeated.  Raises `DeviceFault`, `ProofRefused`, `StoredDamaged`.
    """
    report(Progress(phase="push", text="removing the entry of the test"))
    driver = _open(job)
    try:
        _bring(driver, job, None)
    finally:
        driver.close()


def _bring(driver: AsaDriver, job: UpdateJob, entry: Cidr | None) -> Mapping[str, Group]:
    """The steps to the goal, and the groups that were read back."""
    goal, prefix = _goal(job), asa(job.settings).prefix
    driver.probe()
    for portion in driver.portions(_steps(job, driver.read_groups(prefix), goal, entry)):
        driver.apply_all(portion)
    groups = driver.read_groups(prefix)
    left = len(_steps(job, groups, goal, entry))
    if left:
        raise ReadBackDiffers(
            job.settings.name,
            f"it does not match what was sent; steps remaining: {left:,}",
            "check whether another user changes the same groups",
            retry=True,
        )
    return groups


def _open(job: UpdateJob) -> AsaDriver:
    learnt = job.memory.get("driver", {})
    return asa_driver(job.opener(job.settings, job.node, learnt, accept_certificate=None))


def _goal(job: UpdateJob) -> Goal:
    """What the last update put in force."""
    name = job.settings.name
    if job.applied is None or job.applied.purged:
        raise ProofRefused(name, "it has no policy in force", f"`tsadmin update {name}` first")
    return of_generation(job.applied, job.settings)


def _steps(
    job: UpdateJob, groups: Mapping[str, Group], goal: Goal, entry: Cidr | None
) -> Sequence[Step]:
    """The steps from *groups* to *goal*, with *entry* in its block list."""
    memory = DeviceMemory.from_json(job.memory)
    if (
        entry is not None
    ):  # a table of entries by hand could have it instead, with an end of its own
        goal = evolve(goal, block=goal.block.union(CidrSet.of_texts((entry,))))
    limit, ceiling = believable(memory.group_limit), believable(memory.group_ceiling)
    return plan_for(job, groups, goal, memory.undeletable, limit=limit, ceiling=ceiling).steps


def _in_use(job: UpdateJob, groups: Mapping[str, Group], config: RunningConfig) -> CidrSet:
    """
    What a test must not block: what our groups hold, what is protected, and the device's own networks.
    """
    texts: list[str] = [member for group in groups.values() for member in group.members]
    texts += [one.cidr for one in protected(hosts(job.settings, job.node), job.names)]
    texts += [f"{one.address}/{one.mask}" for one in config.interfaces if one.address and one.mask]
    texts += [one.address for one in config.log_hosts]
    texts += [job.node.address or ""]
    parts = [Entries.of(_networks(texts)), _known(job)]
    return CidrSet.of(Entries.joined(parts))


def _known(job: UpdateJob) -> Entries:
    """Networks of which the operator's files know something; none where they cannot be read."""
    try:
        known = known_networks(job.node.policy.networks)
    except TscmError:
        return Entries()
    return Entries.joined(
        [known.own.entries, *(one.networks.entries for one in known.warning_lists)]
    )


def _published(job: UpdateJob) -> CidrSet:
    """What the device's lists hold, whether it is in force or was left out."""
    parts = []
    for one in job.known.values():
        with suppress(StoredDamaged):  # what of it is in force stands in the groups
            parts.append(one.readable(job.settings.name).entries)
    return CidrSet.of(Entries.joined(parts))


def _networks(texts: Iterable[str]) -> Iterator[str]:
    """Those of *texts* that are addresses or networks."""
    for text in texts:
        with suppress(ValueError):  # a host's name
            yield str(ip_interface(text.partition("%")[0]).network)


PROVER = Prover(prepare=prepare, put_in=put_in, take_out=take_out)
