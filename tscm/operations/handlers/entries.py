"""
Operations on entries by hand: enter, list, remove, and bring a device what was entered.
"""

from collections.abc import Sequence

import attrs
from attrs import define, frozen

from tscm.base.clock import told_time, wall_seconds
from tscm.base.schedule import in_slices
from tscm.errors import NoSuchDevice, TscmError
from tscm.manager.node import Node
from tscm.operations.answers import (
    Entered,
    EntriesRemoved,
    EntryDevice,
    HandEntries,
    HandEntryStanding,
)
from tscm.operations.arguments import EntryNamed, NewEntry, Nothing, PushedEntries
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.handlers.policies import asker_of, refuse_sealed, updates_of_all
from tscm.operations.registry import handles
from tscm.operations.table import entries as table
from tscm.policy.by_hand import (
    ALLOW,
    BLOCK,
    LONGEST_SECONDS,
    REASON_MOST,
    EntryFaulty,
    HandEntry,
    read_network,
)
from tscm.printable import visible
from tscm.settings.files import read_device
from tscm.store.generations import PURGED
from tscm.update.entries import EntryDuty
from tscm.update.figures import UpdateTold
from tscm.update.memory import no_push

_HOUR = 3600.0


@define(eq=False)
class PushHeld(TscmError):
    """
    Nothing may be pushed to a device without a request.
    """

    device: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"nothing was entered: on device {self.device!r} {self.cause}; {self.remedy}"


@frozen
class _Hold:
    """Why nothing is pushed to a device, and what may be done."""

    cause: str
    remedy: str


def duty_of(node: Node, wanted: str | None = None) -> EntryDuty:
    """
    All devices' duty; without a manager of those whose stored settings can be read.

    Raises `NoSuchDevice` and the like for the one that is *wanted*.
    """
    service = updates_of_all(node)
    if wanted is not None and wanted not in service.entries.names():
        refuse_unknown(node, wanted)
        read_device(node.layout, wanted, None)  # raises what is wrong with its settings
        raise NoSuchDevice(wanted)
    return service.entries


@handles(table.ENTER)
async def enter(node: Node, args: NewEntry, call: Call) -> Entered:
    """Check an entry by the guard of every device that it is for, then store it."""
    node.hold()
    duty = duty_of(node, args.device)
    duty.records.refuse_fault()
    entry = entry_of(args, str(call.actor), duty.time(), node.settings().policy.entry_hours)
    names = duty.names() if entry.device is None else [entry.device]
    if not names:  # whose guard would judge it?
        raise EntryFaulty("no devices yet; add one with `tsadmin add --type asarest`")
    holds = {}
    async for name in in_slices(node.clock, names):
        holds[name] = _hold(duty, name, wall_seconds(node.clock), told_so=args.held)
    _refuse_held(holds)
    notes = await _checked(node, duty, entry, names)
    kept, fresh = duty.keep(entry)
    until = "it is removed" if kept.until is None else told_time(kept.until)
    call.noted.update(id=kept.id, cidr=kept.cidr, until=until, device=kept.device)
    if not fresh:
        notes.insert(0, f"{kept} already exists and lasts at least as long; nothing was added")
    return Entered(
        entry=kept,
        new=fresh,
        devices=tuple(
            EntryDevice(name=name, push=hold is None, cause=None if hold is None else hold.cause)
            for name, hold in holds.items()
        ),
        notes=tuple(notes),
        sentence=str(kept),
    )


def entry_of(args: NewEntry, who: str, now: float, hours: int | None) -> HandEntry:
    """The entry that is asked for.  Raises `EntryFaulty`."""
    if args.action not in {BLOCK, ALLOW}:
        raise EntryFaulty(f"{args.action[:20]!r} is not an action; allowed: {BLOCK}, {ALLOW}")
    reason = " ".join(visible(args.reason).split())
    if len(reason) > REASON_MOST:
        raise EntryFaulty(f"the reason is longer than {REASON_MOST} characters")
    seconds = args.seconds
    if seconds is None and hours is not None:
        seconds = hours * _HOUR
    if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
        raise EntryFaulty(f"an entry lasts from 1 to {LONGEST_SECONDS:.0f} seconds, or has no end")
    return HandEntry(
        action=args.action,
        cidr=read_network(args.cidr),
        device=args.device,
        reason=reason,
        who=who,
        made_at=now,
        until=None if seconds is None else now + seconds,
    )


def _hold(duty: EntryDuty, name: str, now: float, *, told_so: bool) -> _Hold | None:
    """Why nothing may be pushed to a device; None where it may.  Raises `NoSuchDevice`."""
    settings = duty.settings(name)
    newest = duty.records.newest(name)
    if newest is not None and newest[0] == PURGED:
        return _Hold(
            "the groups were removed", f"`tsadmin update {name}` pushes the whole policy again"
        )
    memory = duty.records.memory(name)
    if memory.locked_out:
        return _Hold("the password was rejected too often", f"`tsadmin configure {name}`")
    cause = no_push(settings, memory, now)
    if not cause or told_so:
        return None
    return _Hold(cause, "with --held it is pushed anyway, and the hold remains")


def _refuse_held(holds: "dict[str, _Hold | None]") -> None:
    """Where no device at all can get it, nothing is stored."""
    held = [(name, hold) for name, hold in holds.items() if hold is not None]
    if held and len(held) == len(holds):
        name, hold = held[0]
        raise PushHeld(name, hold.cause, hold.remedy)


async def _checked(
    node: Node, duty: EntryDuty, entry: HandEntry, names: Sequence[str]
) -> list[str]:
    """What the guard notes.  Raises `EntryRefused`."""
    from tscm.update.entry_check import Concerned, check_entry

    concerned = []
    async for name in in_slices(node.clock, names):
        newest = duty.records.newest(name)
        concerned.append(
            Concerned(
                settings=duty.settings(name),
                names=duty.records.names(name),
                sources=duty.records.sources(name),
                allow=None if newest is None else newest[1],
            )
        )
    now = duty.time()
    standing = [one for one in duty.records.by_hand.all() if one.stands(now)]
    notes: list[str] = await node.slow.run(
        check_entry, entry, concerned, standing, node.settings(), duty.look_up
    )
    return notes


@handles(table.ENTRIES)
async def entries(node: Node, args: Nothing, call: Call) -> HandEntries:
    """
    All that stand, and those that ended and that a device still holds.

    What a device holds is what its last good run left, never what it should.
    """
    del args, call
    duty = duty_of(node)
    now = duty.time()
    found = duty.records.by_hand.all()
    holding: dict[int, list[str]] = {one.id: [] for one in found}
    left_out: dict[int, list[str]] = {one.id: [] for one in found}
    names = duty.names()
    async for name in in_slices(node.clock, names):
        memory = duty.records.memory(name)
        for numbers, held in ((memory.by_hand, holding), (memory.by_hand_left, left_out)):
            for number in numbers:
                if number in held:
                    held[number].append(name)
    return HandEntries(
        now=now,
        entries=tuple(
            HandEntryStanding(
                **attrs.asdict(one),
                standing=one.stands(now),
                in_force=tuple(holding[one.id]),
                left_out=tuple(left_out[one.id]) if one.stands(now) else (),
                waiting=tuple(
                    name
                    for name in names
                    if one.stands(now)
                    and one.concerns(name)
                    and name not in holding[one.id]
                    and name not in left_out[one.id]
                ),
            )
            for one in found
            if one.stands(now) or holding[one.id]
        ),
    )


@handles(table.REMOVE_ENTRY)
async def remove_entry(node: Node, args: EntryNamed, call: Call) -> EntriesRemoved:
    """End entries by number or network."""
    node.hold()
    duty = duty_of(node)
    duty.records.refuse_fault()
    gone = duty.remove(args.entry, f"removed by {call.actor}")
    call.noted["removed"] = [str(one) for one in gone]
    return EntriesRemoved(
        entries=tuple(gone),
        devices=tuple(
            EntryDevice(name=name)
            for name in duty.names()
            if any(one.concerns(name) for one in gone)
        ),
        sentence="; ".join(map(str, gone)),
    )


@handles(table.PUSH_ENTRIES)
async def push_entries(node: Node, args: PushedEntries, call: Call) -> UpdateTold:
    """Bring a device its entries by hand, without fetching lists."""
    duty = duty_of(node, args.name)
    refuse_sealed(node, args.name)
    outcome = await duty.push(
        args.name, call.report, told=args.held, asker=asker_of(call, table.PUSH_ENTRIES)
    )
    outcome.raise_if_failed()
    return outcome.told()
