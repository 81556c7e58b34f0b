"""
Settings of alarms and of the ways on which they are sent: `[alarms]`, `[mail]`, `[webhook]`, `[heartbeat]`.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any, TypeVar

from attrs import asdict, frozen

from tscm.base.host_port import HostPort
from tscm.settings import values
from tscm.settings.alarm_rules import CHANNELS, DEFAULTS, SEVERITIES, Rule
from tscm.settings.mail_address import mail_address
from tscm.settings.schema import read_table, setting

_MOST_TABLES = 64

T = TypeVar("T")


def _range(value: Any) -> str:
    """A host or a network, in its canonical form."""
    try:
        return (
            str(ip_network(str(value).strip(), strict=False))
            .removesuffix("/32")
            .removesuffix("/128")
        )
    except ValueError:
        raise values.refused(
            value, "is not an address or network", "192.0.2.10, 192.0.2.0/24, 2001:db8::/32"
        ) from None


@frozen(kw_only=True)
class RuleSettings:
    """`[[alarms.rules]]`: what differs from the defaults for one rule."""

    name: str = setting(values.choice(*Rule), doc="Rule that this table is about")
    enabled: bool = setting(values.yes_no, True, doc="Whether the rule raises alarms")
    after_minutes: float | None = setting(
        values.optional(values.number(0, 10080)),
        None,
        doc="How long the cause must last before the alarm is raised",
    )
    bound: float | None = setting(
        values.optional(values.number(0, 1e12)), None, doc="Bound of the rule, in its unit"
    )
    repeat_hours: float | None = setting(
        values.optional(values.number(0, 8760)), None, doc="Instead of the value in [alarms]"
    )
    severity: str | None = setting(
        values.optional(values.choice(*SEVERITIES)), None, doc="Instead of the rule's own severity"
    )
    send: tuple[str, ...] | None = setting(
        values.optional(values.many(values.choice(*CHANNELS))),
        None,
        doc="Instead of the channels in [alarms]",
    )

    def as_table(self) -> dict[str, Any]:
        """As the settings file holds it."""
        return _table(self)


@frozen(kw_only=True)
class HitsSettings:
    """`[[alarms.hits]]`: how many hits of a list or of an inside host are too many."""

    list: str | None = setting(
        values.optional(values.dns_name),
        None,
        doc="List whose hits are counted; without it, those of each inside host are",
    )
    inside: str | None = setting(
        values.optional(_range), None, doc="Only this inside host or network"
    )
    direction: str | None = setting(
        values.optional(values.choice("inbound", "outbound")), None, doc="Only this direction"
    )
    over: int = setting(
        values.whole(0, 10**12), doc="Number of hits above which the alarm is raised"
    )
    hours: int = setting(values.whole(1, 168), 1, doc="Over so many whole hours up to now")

    def as_table(self) -> dict[str, Any]:
        """As the settings file holds it."""
        return _table(self)


def _table(value: Any) -> dict[str, Any]:
    found = asdict(value, filter=lambda _, one: one is not None)
    return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}


def _sound(_: Any) -> str | None:
    return None


def _tables(
    cls: type[T], fault: Callable[[T], str | None] = _sound
) -> Callable[[Any], tuple[T, ...]]:
    """Reads a list of tables, each a *cls*; *fault* says what is wrong with one as a whole."""
    names = ", ".join(cls.__annotations__)
    allowed = f"up to {_MOST_TABLES} tables of {names}"

    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _MOST_TABLES:
            raise values.refused("what is given", "is not such a list", allowed)
        found: list[T] = []
        for number, one in enumerate(value, 1):
            table, faults = (one, ()) if isinstance(one, cls) else read_table(cls, one)
            if table is None:
                raise values.refused(f"table {number}", f"is faulty: {faults[0]}", allowed)
            if wrong := fault(table):
                raise values.refused(f"table {number}", wrong, allowed)
            found.append(table)
        return tuple(found)

    return read


def _rule_fault(one: RuleSettings) -> str | None:
    if one.bound is not None and DEFAULTS[Rule(one.name)].bound is None:
        return f"has a bound, which {one.name} does not use"
    return None


def _each_rule_once(value: Any) -> tuple[RuleSettings, ...]:
    found = _tables(RuleSettings, _rule_fault)(value)
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise values.refused(name, "has more than one table", "one table for each rule")
    return found


@frozen(kw_only=True)
class AlarmSettings:
    """`[alarms]`: what raises an alarm, and on which ways it is sent."""

    send: tuple[str, ...] = setting(
        values.many(values.choice(*CHANNELS)),
        (),
        doc="Channels that alarms are sent on; `syslog` sends to the targets of the audit.",
    )
    check_seconds: int = setting(
        values.whole(5, 3600), 30, doc="Interval between two evaluations of the rules."
    )
    group_seconds: int = setting(
        values.whole(0, 3600),
        60,
        doc="How long a message waits for further alarms before it is sent.",
    )
    repeat_hours: float = setting(
        values.number(0, 8760),
        24.0,
        doc="Interval between reminders of an open alarm; 0 sends none.",
    )
    good_after_minutes: float = setting(
        values.number(0, 1440),
        5.0,
        doc="How long the cause must be absent before an alarm ends.",
    )
    good_again: bool = setting(
        values.yes_no, True, doc="Whether a message is sent when an alarm ends."
    )
    rules: tuple[RuleSettings, ...] = setting(
        _each_rule_once, (), doc="Exceptions for single rules, [[alarms.rules]]."
    )
    hits: tuple[HitsSettings, ...] = setting(
        _tables(HitsSettings),
        (),
        doc="Bounds for hits of a list or of inside hosts, [[alarms.hits]].",
    )


@frozen(kw_only=True)
class MailSettings:
    """`[mail]`: the server that takes mail of the manager."""

    server: HostPort | None = setting(
        values.optional(values.host_port),
        None,
        doc="Mail server, address[:port]; the port is 587, 465 or 25, as security says.",
    )
    security: str = setting(
        values.choice("starttls", "tls", "none"),
        "starttls",
        doc="How the connection is secured; nothing is sent where the server does not offer it.",
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA of the mail server if it is not a public one."
    )
    user: str | None = setting(
        values.optional(values.account), None, doc="Username at the mail server."
    )
    password_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with the password; the manager seals it when it is first used.",
    )
    sender: str | None = setting(
        values.optional(mail_address), None, doc="Sender of all mail, name@domain."
    )
    to: tuple[str, ...] = setting(
        values.many(mail_address), (), doc="Recipients of alarms, name@domain."
    )
    timeout_seconds: float = setting(
        values.number(1, 600), 60.0, doc="Maximum time for sending one mail."
    )


@frozen(kw_only=True)
class WebhookSettings:
    """`[webhook]`: an HTTP server that is told of alarms."""

    url: str | None = setting(
        values.optional(values.web_url("https", "http")),
        None,
        doc="URL that alarms are posted to as JSON; redirects are not followed.",
    )
    secret_file: str | None = setting(
        values.optional(values.path),
        None,
        doc="File of mode 0600 with the key that signs each request (HMAC-SHA256); sealed when it is first used.",
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA of the server if it is not a public one."
    )
    allow_private: bool = setting(
        values.yes_no,
        False,
        doc="Whether the server may have a private or loopback address; http:// requires this.",
    )
    timeout_seconds: float = setting(
        values.number(1, 600), 20.0, doc="Maximum time for one request."
    )


@frozen(kw_only=True)
class HeartbeatSettings:
    """`[heartbeat]`: a request at an interval, so that another system notices a manager that is gone."""

    url: str | None = setting(
        values.optional(values.web_url("https", "http")), None, doc="URL that is requested."
    )
    method: str = setting(values.choice("GET", "POST"), "POST", doc="HTTP method of the request.")
    interval_seconds: int = setting(
        values.whole(10, 86400), 60, doc="Interval between two requests."
    )
