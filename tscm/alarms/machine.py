"""
From conditions to what is told: an alarm opens, gets worse, is told again, and ends.

Pure: book, conditions and time come in, a book comes out.  Durations are those of a steady clock, so that an operator
or NTP may set the time of day as they like.
"""

from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve, frozen

from tscm.alarms.alarm import Alarm, Ended
from tscm.alarms.book import ENDED_MOST, Book, Pending
from tscm.alarms.condition import FAILED, Condition
from tscm.alarms.mutes import mute_of
from tscm.alarms.rules import RuleInForce
from tscm.channels.message import ITEMS_MOST, Item, What, item
from tscm.printable import quoted
from tscm.settings.alarm_rules import Rule

LONGEST_STEP = 300.0
"""A longer pause between two looks (a suspended host) says nothing of what was between them."""
_TEXT_MOST = 500


@frozen(kw_only=True)
class Moment:
    """
    When a look takes place: the time of day, and the seconds since the look before.

    *settled* is false for a while after the start: what is absent then may only be unknown.
    """

    now: float
    elapsed: float
    down: float = 0.0
    """Seconds without a manager before this look, its first."""
    settled: bool = True


@frozen(kw_only=True)
class Timing:
    """Of all rules alike; in seconds."""

    good_after: float = 300.0
    good_again: bool = True


def step(
    book: Book,
    conditions: Iterable[Condition],
    rules: Mapping[Rule, RuleInForce],
    moment: Moment,
    timing: Timing,
) -> Book:
    """
    The book after one look; what is to be told is among its `pending`.

    A rule that is evaluated for the first time raises at once what it finds, as already open.
    """
    before = {one.name: one for one in book.alarms}
    found = {one.name: one for one in conditions if one.rule in rules}
    alarms: list[Alarm] = []
    ended: list[Ended] = []
    told: list[Pending] = []
    now = moment.now
    mutes = tuple(one for one in book.mutes if not one.over(now))

    for name, condition in found.items():
        rule = rules[condition.rule]
        alarm, what = _present(before.get(name), condition, rule, moment, book)
        mute = mute_of(mutes, name, now)
        alarm = evolve(alarm, muted=str(mute) if mute is not None else condition.muted)
        if what is not None and not alarm.muted:
            told.append(Pending(item=_item(what, alarm), send=rule.send))
            alarm = evolve(alarm, told_as=alarm.severity, untold_seconds=0.0)
        alarms.append(alarm)

    for name, alarm in before.items():
        if name in found:
            continue
        absent = alarm.absent_seconds + (_bounded(moment) if moment.settled else 0.0)
        enabled = alarm.rule in rules
        if alarm.is_open and enabled and absent < timing.good_after:
            alarms.append(evolve(alarm, absent_seconds=absent))
        elif alarm.is_open:
            ended.append(_ended(alarm, now))
            if alarm.told and enabled and timing.good_again:
                told.append(
                    Pending(item=_item(What.GOOD, alarm), send=rules[Rule(alarm.rule)].send)
                )
        # What had not lasted for long enough is forgotten.

    return evolve(
        book,
        alarms=tuple(alarms),
        ended=(*book.ended, *ended)[-ENDED_MOST:],
        mutes=mutes,
        rules=tuple(sorted({*book.rules, *rules})),
        pending=(*book.pending, *(one for one in told if one.send)),
        pending_seconds=book.pending_seconds + moment.elapsed if book.pending else 0.0,
        looked_at=now,
    )


def grouped(book: Book, group_seconds: float) -> tuple[Book, Mapping[str, tuple[Item, ...]]]:
    """
    The items that have waited for long enough, by channel, and the book without them.
    """
    full = len(book.pending) >= ITEMS_MOST
    if not book.pending or (book.pending_seconds < group_seconds and not full):
        return book, {}
    channels = dict.fromkeys(name for one in book.pending for name in one.send)
    items = {
        channel: tuple(one.item for one in book.pending if channel in one.send)
        for channel in channels
    }
    return evolve(book, pending=(), pending_seconds=0.0), items


def _present(
    before: Alarm | None, condition: Condition, rule: RuleInForce, moment: Moment, book: Book
) -> tuple[Alarm, What | None]:
    """The alarm of a condition that is there, and what is to be told of it unless it is muted."""
    first = before is None
    if before is None:
        before = Alarm(
            rule=condition.rule,
            subject=condition.subject,
            since=moment.now if condition.since is None else min(condition.since, moment.now),
        )
    severity = rule.severity or condition.severity
    worse = before.told and severity == FAILED != before.told_as
    alarm = evolve(
        before,
        severity=severity,
        sentence=quoted(condition.sentence, _TEXT_MOST),
        absent_seconds=0.0,
        held_seconds=before.held_seconds + (0.0 if first else _bounded(moment)),
        untold_seconds=before.untold_seconds + moment.elapsed + moment.down,
    )
    if not alarm.is_open:
        known = condition.rule not in book.rules
        if not known and alarm.held_seconds < rule.after:
            return alarm, None
        return evolve(alarm, opened_at=moment.now), What.KNOWN if known else What.NEW
    if not alarm.told:  # it was muted when it opened
        return alarm, What.NEW
    if worse:
        return alarm, What.WORSE
    if rule.repeat and alarm.untold_seconds >= rule.repeat:
        return alarm, What.STILL
    return alarm, None


def _bounded(moment: Moment) -> float:
    return min(moment.elapsed, LONGEST_STEP)


def _item(what: What, alarm: Alarm) -> Item:
    return item(what, alarm.name, alarm.severity, alarm.sentence, alarm.since)


def _ended(alarm: Alarm, now: float) -> Ended:
    return Ended(
        name=alarm.name,
        severity=alarm.severity,
        sentence=alarm.sentence,
        since=alarm.since,
        ended_at=now,
        told=alarm.told,
    )


def worst(alarms: Iterable[Alarm]) -> Iterator[Alarm]:
    """Failures first, then the oldest."""
    return iter(sorted(alarms, key=lambda one: (one.severity != FAILED, one.since, one.name)))
