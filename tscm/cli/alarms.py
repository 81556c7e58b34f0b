"""
`tsadmin alarms`: what is wrong and who was told, mutes, and tests of the channels.
"""

import click

from tscm.alarms.answers import AlarmsStanding, NamedAlarm
from tscm.channels.figures import ChannelFigures, Delivery
from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.cli.times import End
from tscm.cli.words import Words
from tscm.faces.backend import Backend
from tscm.operations.arguments import AlarmNamed, Channel, Muting, Nothing
from tscm.operations.table.alarms import ALARMS, MUTE_ALARM, TEST_ALARM, UNMUTE_ALARM
from tscm.plural import many
from tscm.settings.alarm_rules import CHANNELS
from tscm.standing import age_words

_RECENT_SHOWN = 10
_STATUS = {"warning": 1, "failed": 2}


@click.group(invoke_without_command=True)
@click.option(
    "--test",
    "channel",
    type=Words(*CHANNELS),
    metavar="CHANNEL",
    help=f"Send a test message by {', '.join(CHANNELS)}, and show the answer of the server.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the answer as JSON.")
@click.pass_context
def command(ctx: click.Context, /, *, channel: str | None, json_output: bool) -> int:
    """
    List alarms: those that are open, those that ended lately, what is muted, and what was sent.

    The exit status is that of a monitoring plug-in: 0 no alarm, 1 warning, 2 failed; muted alarms do not count.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    backend: Backend = ctx.obj.backend()
    if channel is not None:
        sent = backend.call(TEST_ALARM, Channel(channel=channel))
        if json_output:
            say.as_json(sent)
        else:
            say.info(f"The test message was {sent.sentence}")
        return 0
    found = backend.call(ALARMS, Nothing())
    if json_output:
        say.as_json(found)
    else:
        _show(found)
    return max((_STATUS.get(one.severity, 1) for one in found.open if not one.muted), default=0)


def _show(found: AlarmsStanding) -> None:
    if not found.looked_at:
        say.info("The alarms have not been evaluated yet", aside=True)
    elif not found.open:
        say.info("No alarm is open")
    else:
        show_table(
            ("alarm", "severity", "since", "told", "cause"),
            (
                (one.named, one.severity, when(one.since), _told(one), one.sentence)
                for one in found.open
            ),
        )
    if found.waiting:
        names = ", ".join(one.named for one in found.waiting[:_RECENT_SHOWN])
        more = len(found.waiting) - _RECENT_SHOWN
        say.info(
            f"Not long enough for an alarm yet: {names}{f' and {more} more' if more > 0 else ''}"
        )
    if found.ended:
        show_table(
            ("ended alarm", "severity", "since", "until", "cause"),
            (
                (one.name, one.severity, when(one.since), when(one.ended_at), one.sentence)
                for one in found.ended[:_RECENT_SHOWN]
            ),
        )
    if found.mutes:
        show_table(
            ("muted", "until", "by", "reason"),
            (
                (one.name, "-" if one.until is None else when(one.until), one.by, one.reason)
                for one in found.mutes
            ),
        )
    if found.deliveries:
        show_table(
            ("sent at", "by", "arrived", "message", "answer"),
            (_delivery(one) for one in found.deliveries[:_RECENT_SHOWN]),
        )
    if not found.send:
        say.info("Alarms are not sent anywhere; set [alarms] send in tscm.toml", aside=True)
    for name, one in found.channels.items():
        if one.failures:
            say.warn(_trouble(name, one, found.now))
    if found.fault:
        say.warn(found.fault)


def _told(one: NamedAlarm) -> str:
    if one.muted:
        return one.muted
    return "yes" if one.told_as else "no"


def _delivery(one: Delivery) -> tuple[object, ...]:
    return when(one.at), one.channel, "yes" if one.good else "no", one.subject, one.answer


def _trouble(name: str, one: ChannelFigures, now: float) -> str:
    since = None if one.failing_since is None else max(0.0, now - one.failing_since)
    waiting = f"{many(one.waiting, 'message waits', 'messages wait')}; " if one.waiting else ""
    return f"{name} has failed for {age_words(since)}: {waiting}{one.last_error or 'failing'}"


@command.command("mute")
@click.argument("name")
@click.option("--until", type=End(), help="End: 2h, 17:30, or a date.  [default: until unmuted]")
@click.option("--reason", required=True, help="Why, for the audit.")
@click.option("--json", "json_output", is_flag=True, help="Print the answer as JSON.")
@click.pass_obj
def mute(
    session: Session, /, name: str, *, until: float | None, reason: str, json_output: bool
) -> None:
    """
    Send nothing about an alarm until a time.

    NAME is a name as `tsadmin alarms` lists it (policy_age/hq), a rule (policy_age), all/hq for all alarms of a device, or all.
    """
    told = session.backend().call(MUTE_ALARM, Muting(alarm=name, until=until, reason=reason))
    if json_output:
        say.as_json(told)
    else:
        say.info(told.sentence)


@command.command("unmute")
@click.argument("name")
@click.option("--json", "json_output", is_flag=True, help="Print the answer as JSON.")
@click.pass_obj
def unmute(session: Session, /, name: str, *, json_output: bool) -> None:
    """Send again what is muted under this name."""
    told = session.backend().call(UNMUTE_ALARM, AlarmNamed(alarm=name))
    if json_output:
        say.as_json(told)
    else:
        say.info(told.sentence)
