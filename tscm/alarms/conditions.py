"""
Which conditions are there now.  Pure: a state in, conditions out.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from tscm.alarms.condition import FAILED, WARNING, Condition, alarm_name
from tscm.alarms.counting import LOGINS, Counted
from tscm.alarms.observed import Observed, SeenDevice
from tscm.alarms.rules import RuleInForce
from tscm.plural import many
from tscm.settings.alarm_rules import Rule
from tscm.standing import STALE_INTERVALS, Verdict, age_words
from tscm.update.figures import Result, UpdateFigures

Rules = Mapping[Rule, RuleInForce]

SUBJECTS_MOST = 100
"""Unknown senders and inside hosts that are told one by one."""
SENDER_SECONDS = 3600.0
"""An unknown sender that has sent nothing for so long is no cause any more."""
_DAY, _HOUR, _MINUTE = 86400.0, 3600.0, 60.0
_URGENT_DAYS = 7
_CAUSES_SHOWN = 3


def conditions(
    seen: Observed, rules: Rules, counted: Mapping[str, Counted], was_open: AbstractSet[str]
) -> Iterator[Condition]:
    """
    All conditions of the rules in force.  *counted*: how counters grew; *was_open*: names of alarms that are open.
    """
    for device in seen.devices:
        yield from _device(device, seen, rules, was_open)
    for find in (_ledger, _disks, _faults, _pairings, _certificates, _senders, _hits):
        yield from find(seen, rules)
    yield from _logins(seen, rules, counted.get(LOGINS))
    bound = _bound(rules, Rule.KERNEL_DROPS)
    for name, one in counted.items():
        if name != LOGINS and one.grown > bound:
            yield Condition(
                rule=Rule.KERNEL_DROPS,
                subject=name,
                severity=WARNING,
                sentence=(
                    f"the kernel dropped {many(one.grown, 'datagram', 'datagrams')} of listener {name} "
                    "within 15 minutes; raise receive_buffer_bytes, or see `tsadmin ledger`"
                ),
            )


def _bound(rules: Rules, rule: Rule) -> float:
    found = rules.get(rule)
    return 0.0 if found is None else found.bound


def _device(
    device: SeenDevice, seen: Observed, rules: Rules, was_open: AbstractSet[str]
) -> Iterator[Condition]:
    name, policy = device.name, device.policy
    held = held_words(policy)
    last = policy.last_update
    if device.verdict is Verdict.FAILED:
        yield Condition(
            rule=Rule.DEVICE_FAILED, subject=name, sentence=f"{name}: {_joined(device.causes)}"
        )
    good_at = None if policy.last_good is None else policy.last_good.finished_at
    if good_at:
        longest = max(_bound(rules, Rule.POLICY_AGE) * _HOUR, STALE_INTERVALS * seen.interval)
        if seen.now - good_at > longest:
            yield Condition(
                rule=Rule.POLICY_AGE,
                subject=name,
                sentence=f"{name}: the last successful update was {age_words(seen.now - good_at)} ago",
                since=good_at + longest,
                muted=held,
            )
    if last is not None and last.result == Result.REFUSED:
        yield Condition(
            rule=Rule.UPDATE_REJECTED,
            subject=name,
            severity=WARNING,
            sentence=f"{name}: the guard rejected the last update: {last.error or 'see `tsadmin show`'}",
            muted=held,
        )
    if last is not None and last.untrusted:
        yield Condition(
            rule=Rule.UNTRUSTED_DEVICE,
            subject=name,
            sentence=f"{name}: {last.error or 'not trusted'}",
        )
    if policy.locked_out:
        yield Condition(
            rule=Rule.LOCKED_OUT,
            subject=name,
            sentence=(
                f"{name}: the password was rejected too often, and no login is attempted; correct it "
                f"with `tsadmin configure {name}`"
            ),
        )
    if device.rejected_batches:
        batches = many(device.rejected_batches, "batch", "batches")
        yield Condition(
            rule=Rule.REJECTED_BATCH,
            subject=name,
            severity=WARNING,
            sentence=f"{name}: the log service rejected {batches}; see `tsadmin logs {name}`",
        )
    yield from _quiet(device, seen, rules, was_open)


def _quiet(
    device: SeenDevice, seen: Observed, rules: Rules, was_open: AbstractSet[str]
) -> Iterator[Condition]:
    """A device that sends nothing; the time without a manager is no silence of the device's."""
    last = device.last_line_at
    if not last:
        return
    longest = _bound(rules, Rule.NO_LINES) * _MINUTE
    known = alarm_name(Rule.NO_LINES, device.name) in was_open
    begun = last if known else max(last, seen.started_at)
    if seen.now - begun > longest:
        yield Condition(
            rule=Rule.NO_LINES,
            subject=device.name,
            sentence=f"{device.name}: no line for {age_words(seen.now - last)}",
            since=last,
        )


def held_words(policy: UpdateFigures) -> str:
    """Why no scheduled update takes place, where an operator decided so; empty where one does."""
    if policy.hold is not None:
        return str(policy.hold)
    if policy.held:
        return "held after a rollback or a purge"
    return "updates are paused" if policy.paused else ""


def _ledger(seen: Observed, _: Rules) -> Iterator[Condition]:
    if seen.ledger:
        yield Condition(
            rule=Rule.LEDGER,
            sentence=f"the ledger: {seen.ledger}; see `tsadmin ledger`",
            since=seen.ledger_since,
        )


def _disks(seen: Observed, rules: Rules) -> Iterator[Condition]:
    bound = _bound(rules, Rule.DISK)
    for disk in seen.disks:
        if disk.total_bytes <= 0:
            continue
        percent = 100 * disk.free_bytes / disk.total_bytes
        short = disk.free_bytes < seen.min_free_bytes
        if short or percent < bound:
            effect = "; the oldest lines are deleted to make room (min_free_mb)" if short else ""
            yield Condition(
                rule=Rule.DISK,
                subject=disk.folder,
                severity=FAILED if short else WARNING,
                sentence=(
                    f"{disk.folder}: {disk.free_bytes // (1 << 20):,} MB ({percent:.0f} %) are free"
                    f"{effect}"
                ),
            )


def _faults(seen: Observed, _: Rules) -> Iterator[Condition]:
    if seen.database:
        yield Condition(rule=Rule.DATABASE, sentence=seen.database)
    for name, fault in seen.faults.items():
        yield Condition(
            rule=Rule.SETTINGS, subject=name, sentence=f"{name}: {fault}" if name else fault
        )
    if seen.backup:
        yield Condition(rule=Rule.BACKUP, severity=WARNING, sentence=seen.backup)
    for one in seen.targets:
        yield Condition(
            rule=Rule.TARGET_AGE,
            subject=one.name,
            severity=WARNING,
            sentence=one.sentence,
            since=one.since,
        )


def _pairings(seen: Observed, rules: Rules) -> Iterator[Condition]:
    bound = _MINUTE * _bound(rules, Rule.PORTAL_AWAY)
    for one in seen.portals:
        since = max(one.heard_at or 0.0, seen.started_at)
        if seen.now - since > bound:
            cause = f": {one.fault}" if one.fault else ""
            kept = "keeps its" if len(one.devices) == 1 else "keep their"
            yield Condition(
                rule=Rule.PORTAL_AWAY,
                subject=one.portal,
                severity=WARNING,
                sentence=(
                    f"portal {one.portal} has not answered for {age_words(seen.now - since)}{cause}; "
                    f"{many(len(one.devices), 'paired device', 'paired devices')} {kept} last settings"
                ),
                since=since + bound,
            )
    bound = _MINUTE * _bound(rules, Rule.MANAGER_AWAY)
    for manager in seen.managers:
        since = max(manager.seen_at, seen.started_at)  # a portal that was away was not asked either
        if seen.now - since > bound:
            yield Condition(
                rule=Rule.MANAGER_AWAY,
                subject=manager.nickname,
                severity=WARNING,
                sentence=(
                    f"manager {manager.manager} of entry {manager.nickname} has not asked for "
                    f"{age_words(seen.now - since)}; it keeps its last settings"
                ),
                since=since + bound,
            )


def _certificates(seen: Observed, rules: Rules) -> Iterator[Condition]:
    bound = _bound(rules, Rule.CERTIFICATE)
    for one in seen.certificates:
        days = (one.expires_at - seen.now) / _DAY
        if one.fault:
            said = f"cannot be read: {one.fault}"
        elif days >= bound:
            continue
        elif days <= 0:
            said = "has expired"
        else:
            said = f"expires in {many(int(days), 'day', 'days')}"
        yield Condition(
            rule=Rule.CERTIFICATE,
            subject=one.name,
            severity=FAILED if one.fault or days < _URGENT_DAYS else WARNING,
            sentence=f"the certificate of {one.name} {said}",
        )


def _senders(seen: Observed, rules: Rules) -> Iterator[Condition]:
    bound = _bound(rules, Rule.UNKNOWN_SENDER)
    some = [
        one
        for one in seen.senders
        if one.lines > bound and seen.now - one.last_seen_at < SENDER_SECONDS
    ]
    for one in sorted(some, key=lambda one: (-one.lines, one.address))[:SUBJECTS_MOST]:
        yield Condition(
            rule=Rule.UNKNOWN_SENDER,
            subject=one.address,
            severity=WARNING,
            sentence=(
                f"{one.address} belongs to no device and sent {many(one.lines, 'line', 'lines')}; see "
                "`tsadmin senders`"
            ),
            since=one.first_seen_at or None,
        )


def _logins(seen: Observed, rules: Rules, counted: Counted | None) -> Iterator[Condition]:
    if counted is None or counted.grown <= _bound(rules, Rule.LOGIN_FAILURES):
        return
    last = seen.logins
    who = last.user or "a name that is no user's"
    yield Condition(
        rule=Rule.LOGIN_FAILURES,
        severity=WARNING,
        sentence=(
            f"{many(counted.grown, 'login', 'logins')} to the page failed within 15 minutes, the last "
            f"one for {who} from {last.address or 'an unknown address'}; see Users on the page"
        ),
    )


def _hits(seen: Observed, _: Rules) -> Iterator[Condition]:
    over = [one for one in seen.hits if one.hits > one.over]
    for one in sorted(over, key=lambda one: (-one.hits, one.subject))[:SUBJECTS_MOST]:
        what = "list" if one.of_list else "inside host"
        yield Condition(
            rule=Rule.LIST_HITS if one.of_list else Rule.HOST_HITS,
            subject=one.subject,
            severity=WARNING,
            sentence=(
                f"{what} {one.subject}: {many(one.hits, 'hit', 'hits')} within "
                f"{many(one.hours, 'hour', 'hours')}, more than {one.over:,}"
            ),
        )


def _joined(causes: tuple[str, ...]) -> str:
    shown = "; ".join(causes[:_CAUSES_SHOWN])
    more = len(causes) - _CAUSES_SHOWN
    return f"{shown} (and {more} more)" if more > 0 else shown or "failed"
