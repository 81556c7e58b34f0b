"""
Operations on alarms: list, mute, unmute, test a channel.
"""

import attrs

from tscm.alarms.alarm import Alarm
from tscm.alarms.answers import AlarmsStanding, LoginsNoted, MessageTested, MuteTold, NamedAlarm
from tscm.alarms.machine import worst
from tscm.alarms.mutes import Mute
from tscm.alarms.observed import FailedLogins
from tscm.base.clock import told_time, wall_seconds
from tscm.manager.node import Node, parts
from tscm.operations.arguments import AlarmNamed, Channel, LoginsFailed, Muting, Nothing
from tscm.operations.bodies import RequestFaulty
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.table import alarms as table
from tscm.printable import visible
from tscm.settings.alarm_rules import CHANNELS
from tscm.settings.values import shown
from tscm.update.hold import REASON_MOST

LOGINS_MOST = 1_000_000
"""In one call."""


@handles(table.ALARMS)
def alarms(node: Node, args: Nothing, call: Call) -> AlarmsStanding:
    """Open and recent alarms, from memory."""
    del args, call
    service = parts(node).alarms()
    book, now = service.book, wall_seconds(node.clock)
    return AlarmsStanding(
        now=now,
        looked_at=book.looked_at,
        open=tuple(_named(one) for one in worst(book.open)),
        waiting=tuple(_named(one) for one in book.alarms if not one.is_open),
        ended=book.ended[::-1],
        mutes=tuple(one for one in book.mutes if not one.over(now)),
        send=service.settings.send,
        channels=book.outbox.figures(),
        deliveries=book.outbox.deliveries[::-1],
        fault=service.fault,
    )


@handles(table.MUTE_ALARM)
async def mute(node: Node, args: Muting, call: Call) -> MuteTold:
    """Send nothing about some alarms for a while."""
    reason = args.reason.strip()
    if not reason or len(reason) > REASON_MOST or not reason.isprintable():
        raise RequestFaulty(
            f"reason is {shown(args.reason)}; allowed: 1 to {REASON_MOST} printable characters"
        )
    service = parts(node).alarms()
    made = service.mute(args.alarm, args.until, reason, str(call.actor))
    await service.keep()
    end = "until it is unmuted" if made.until is None else f"until {told_time(made.until)}"
    return _told(made, f"{made.name} is muted {end}")


@handles(table.UNMUTE_ALARM)
async def unmute(node: Node, args: AlarmNamed, call: Call) -> MuteTold:
    """Send again what is muted."""
    del call
    service = parts(node).alarms()
    ended = service.unmute(args.alarm)
    await service.keep()
    return _told(ended, f"{ended.name} is no longer muted")


@handles(table.TEST_ALARM)
async def test(node: Node, args: Channel, call: Call) -> MessageTested:
    """Send a test message now."""
    del call
    if args.channel not in CHANNELS:
        raise RequestFaulty(f"channel is {shown(args.channel)}; allowed: {', '.join(CHANNELS)}")
    answer = await parts(node).alarms().test(args.channel)
    return MessageTested(
        channel=args.channel, answer=answer, sentence=f"sent by {args.channel}: {answer}"
    )


@handles(table.NOTE_LOGINS)
def note_logins(node: Node, args: LoginsFailed, call: Call) -> LoginsNoted:
    """Count failed logins; what is said of the last one is cut, for it is told in an alarm."""
    del call
    if not 0 < args.count <= LOGINS_MOST:
        raise RequestFaulty(f"count is {shown(args.count)}; allowed: 1 to {LOGINS_MOST:,}")
    service = parts(node).alarms()
    user, address = visible(args.user)[:64], visible(args.address)[:64]
    service.note_logins(FailedLogins(count=args.count, user=user, address=address))
    return LoginsNoted(count=service.logins.count)


def _named(one: Alarm) -> NamedAlarm:
    values = {each.name: getattr(one, each.name) for each in attrs.fields(Alarm)}
    return NamedAlarm(**values, named=one.name)


def _told(one: Mute, sentence: str) -> MuteTold:
    values = {each.name: getattr(one, each.name) for each in attrs.fields(Mute)}
    return MuteTold(**values, sentence=sentence)
