"""
Operations on a device's policy: update, plan, purge, questions, rollback, pause, resume.
"""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from tscm.base.clock import told_time, wall_seconds
from tscm.devices.answers import Changed
from tscm.errors import SecretUnavailable, TscmError
from tscm.events.history import look_back, look_back_each
from tscm.kinds.kind import Capability, require
from tscm.manager.node import Node, updates
from tscm.model import Progress
from tscm.operations.answers import Held
from tscm.operations.arguments import (
    Address,
    AnyAddress,
    ChangedDevice,
    Device,
    DroppedOf,
    Generations,
    Holding,
    Push,
    Rollback,
)
from tscm.operations.bodies import RequestFaulty
from tscm.operations.call import Call
from tscm.operations.handlers.devices import change, refuse_unknown
from tscm.operations.operation import Operation
from tscm.operations.registry import handles
from tscm.operations.table import policies as table
from tscm.risks import OF_LISTS, Consent
from tscm.services.pull_trouble import latest
from tscm.settings.files import device_names, open_device, read_device
from tscm.update.answers import (
    Difference,
    Dropped,
    Explanation,
    Explanations,
    History,
    Obstacle,
    Purged,
    Unanswered,
)
from tscm.update.figures import UpdateTold
from tscm.update.hold import REASON_MOST
from tscm.update.purge import PurgeOutcome
from tscm.update.turns import Asker

if TYPE_CHECKING:
    from tscm.settings.device import DeviceSettings
    from tscm.update.service import UpdateService

HOLD_MOST_SECONDS = 10 * 366 * 86400.0


def refuse_sealed(node: Node, name: str, needs: Capability | None = None) -> None:
    """
    Raise `SecretUnavailable` where a device's secrets cannot be decrypted, `NotOfThisKind` where its kind cannot do
    what the operation *needs*.

    A login with no password, or with a wrong one, locks the account.
    """
    refuse_unknown(node, name)
    settings = open_device(node.layout, name)
    if needs is not None:
        require(settings, needs)


def refuse_malformed_plan(plan: str) -> None:
    """Raise `PlanFaulty`; what brings numpy is imported only where a plan is given."""
    from tscm.update.plan_id import refuse_malformed

    refuse_malformed(plan)


@handles(table.UPDATE)
async def update(node: Node, args: Push, call: Call) -> UpdateTold:
    """Fetch and push now.  Raises `PlanFaulty` for what cannot be the ID of a plan."""
    if args.plan is not None:
        refuse_malformed_plan(args.plan)
    refuse_sealed(node, args.name)
    call.stoppable(partial(updates(node).stop, args.name))
    outcome = await updates(node).update_now(
        args.name,
        call.report,
        consent=consent_of(args),
        plan=args.plan,
        asker=asker_of(call, table.UPDATE),
    )
    outcome.raise_if_failed()
    return outcome.told()


@handles(table.PLAN)
async def plan(node: Node, args: Push, call: Call) -> UpdateTold:
    """The update without the push."""
    refuse_sealed(node, args.name)
    call.stoppable(partial(updates(node).stop, args.name))
    outcome = await updates(node).plan(
        args.name,
        call.report,
        consent=Consent.of_words(args.accept),
        survey=args.force,
        asker=asker_of(call, table.PLAN),
    )
    outcome.raise_if_failed()
    return outcome.told()


@handles(table.ROLLBACK)
async def rollback(node: Node, args: Rollback, call: Call) -> UpdateTold:
    """Push a kept generation, and hold scheduled updates."""
    refuse_sealed(node, args.name)
    call.stoppable(partial(updates(node).stop, args.name))
    outcome = await updates(node).rollback(
        args.name,
        args.generation,
        call.report,
        newest=args.newest,
        asker=asker_of(call, table.ROLLBACK),
    )
    outcome.raise_if_failed()
    return outcome.told()


@handles(table.PURGE)
async def purge(node: Node, args: Push, call: Call) -> Purged:
    """Take our groups off the device as far as its access-lists let it."""
    refuse_sealed(node, args.name, Capability.PURGE)
    outcome = await updates(node).purge(
        args.name, call.report, consent=consent_of(args), asker=asker_of(call, table.PURGE)
    )
    return (await with_pulls(node, args.name, outcome)).told()


async def with_pulls(node: Node, name: str, outcome: PurgeOutcome) -> PurgeOutcome:
    """*outcome* with what is still in the way where the firewall pulls its lists: until it came, it blocks as before."""
    pulls = None if node.manager is None else await node.manager.lists.figures_now(name)
    if pulls is None:
        return outcome
    last = latest(pulls)
    if last is not None and last.generation == pulls.generation:
        return outcome
    obstacle = Obstacle(
        group="the list on the firewall",
        cause="the firewall blocks by it until it pulls the one without entries, and it has not come since",
    )
    return evolve(outcome, obstacles=(*outcome.obstacles, obstacle))


def consent_of(args: Push) -> Consent:
    """What a push may do.  Raises `NoSuchRisk`."""
    given = Consent.of_words(args.accept)
    return evolve(given, risks=given.risks | OF_LISTS) if args.force else given


def asker_of(call: Call, operation: Operation[Any, Any]) -> Asker:
    """*call* as the queue of a device's work knows it."""
    return Asker(what=operation.noun, who=str(call.actor), wait=call.wait, begin=call.begin)


@handles(table.HISTORY)
def history(node: Node, args: Device, call: Call) -> History:
    """Generations that are kept, and how the latest updates went."""
    del call
    refuse_unknown(node, args.name)
    return updates(node).questions.history(args.name)


@handles(table.WHY)
async def why(node: Node, args: Address, call: Call) -> Explanation:
    """How an address stands with the lists, since when, and what it hit."""
    del call
    refuse_unknown(node, args.name)
    found = await updates(node).questions.why(args.name, args.address)
    lists, seen = await node.slow.run(look_back, node.layout.database, args.name, found.lists)
    return evolve(found, lists=lists, sentences=tuple(map(str, lists)), seen=seen)


@handles(table.WHY_ALL)
async def why_all(node: Node, args: AnyAddress, call: Call) -> Explanations:
    """How an address stands with the lists of every device; what many of them hold is looked into once."""
    from tscm.update.inquiry import cidr_of

    address = args.address.strip()
    asked = cidr_of(address)  # refused once, and not by every device
    names = device_names(node.layout)
    found: dict[str, Explanation | Unanswered] = {}
    known: dict[bytes, str] = {}
    async for answers in updates_of_all(node).questions.why_each(names, address):
        good = {name: one for name, one in answers.items() if isinstance(one, Explanation)}
        told = await node.slow.run(
            look_back_each,
            node.layout.database,
            {name: one.lists for name, one in good.items()},
            known,
        )
        for name, one in answers.items():
            if isinstance(one, TscmError):  # of one device, such as one that was never updated
                found[name] = Unanswered(error=str(one), exit_status=one.exit_status)
                continue
            lists, seen = told[name]
            found[name] = evolve(one, lists=lists, sentences=tuple(map(str, lists)), seen=seen)
        call.report(
            Progress(phase="why", text=name, done=len(found), total=len(names))  # the last of them
        )
    return Explanations(asked=asked, devices={name: found[name] for name in names})


def updates_of_all(node: Node) -> "UpdateService":
    """
    The update service with all devices; without a manager with those whose stored settings can be read.
    """
    service = updates(node)
    if node.manager is None:
        known = set(service.entries.names())
        for name in device_names(node.layout):
            if name not in known:
                with suppress(TscmError):
                    service.set_device(_readable(node, name))
    return service


def _readable(node: Node, name: str) -> "DeviceSettings":
    """A device's settings, with a mask for each secret that cannot be decrypted."""
    try:
        return open_device(node.layout, name)
    except SecretUnavailable:
        return read_device(node.layout, name, None)


@handles(table.DROPPED)
async def dropped(node: Node, args: DroppedOf, call: Call) -> Dropped:
    """What the lists hold and the device does not."""
    del call
    refuse_unknown(node, args.name)
    return await updates(node).questions.dropped(args.name, args.search)


@handles(table.DIFF)
async def diff(node: Node, args: Generations, call: Call) -> Difference:
    """What came and went between two generations."""
    del call
    refuse_unknown(node, args.name)
    return await updates(node).questions.diff(args.name, args.older, args.newer)


@handles(table.HOLD)
async def hold(node: Node, args: Holding, call: Call) -> Held:
    """No scheduled updates until then."""
    refuse_unknown(node, args.name)
    node.hold()
    now = wall_seconds(node.clock)
    if args.until is not None and not now < args.until <= now + HOLD_MOST_SECONDS:
        raise RequestFaulty(
            f"until is {told_time(args.until)}; allowed: a time within ten years from now, which is "
            f"{told_time(now)} by the manager's clock"
        )
    if len(args.reason) > REASON_MOST:
        raise RequestFaulty(
            f"reason has {len(args.reason)} characters; allowed: up to {REASON_MOST}"
        )
    reason = " ".join(args.reason.split())
    if args.until is not None:  # as people read it
        call.noted["until"] = told_time(args.until)
    made = updates(node).holds.hold(args.name, str(call.actor), args.until, reason)
    return Held(
        name=args.name,
        since=made.since,
        until=made.until,
        reason=made.reason,
        by=made.by,
        sentence=f"updates of {args.name} are {made}",
    )


@handles(table.PAUSE)
async def pause(node: Node, args: Device, call: Call) -> Held:
    """No scheduled updates until `resume`."""
    return await hold(node, Holding(name=args.name), call)


@handles(table.RESUME)
async def resume(node: Node, args: Device, call: Call) -> Changed:
    """Scheduled updates again."""
    asked = ChangedDevice(name=args.name, settings={"policy_updates": True})
    changed: Changed = await change(node, asked, call)
    updates(node).resume(args.name)
    return changed
