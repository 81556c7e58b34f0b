"""
The machine of alarms: what is told, and what is not, whatever happens in which order.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from tscm.alarms.book import Book
from tscm.alarms.book_file import from_json, to_json
from tscm.alarms.condition import FAILED, WARNING, Condition
from tscm.alarms.machine import LONGEST_STEP, Moment, Timing, grouped, step
from tscm.alarms.mutes import Mute, MuteFaulty, read_name, refuse_end
from tscm.alarms.rules import RuleInForce, rules_in_force
from tscm.base.clock import told_time
from tscm.channels.message import ITEMS_MOST, Item, What
from tscm.settings.alarm_rules import DEFAULTS, Rule
from tscm.settings.alarms import AlarmSettings, RuleSettings

RULES = {
    Rule.DEVICE_FAILED: RuleInForce(after=120.0, repeat=3600.0, send=("mail",)),
    Rule.POLICY_AGE: RuleInForce(send=("mail", "syslog")),
}
TIMING = Timing(good_after=300.0)
START = 1_800_000_000.0


def condition(
    rule: Rule = Rule.POLICY_AGE, subject: str = "hq", severity: str = WARNING, muted: str = ""
) -> Condition:
    return Condition(rule=rule, subject=subject, severity=severity, sentence="it is", muted=muted)


class Run:
    """Looks one after the other, and what they told."""

    def __init__(self, book: Book | None = None) -> None:
        self.book = Book(rules=tuple(RULES)) if book is None else book
        self.now = START
        self.told: list[Item] = []

    def look(
        self,
        *conditions: Condition,
        after: float = 30.0,
        settled: bool = True,
        clock: float | None = None,
        down: float = 0.0,
    ) -> list[Item]:
        self.now += after if clock is None else clock
        moment = Moment(now=self.now, elapsed=after, down=down, settled=settled)
        self.book = step(self.book, conditions, RULES, moment, TIMING)
        told = [one.item for one in self.book.pending]
        self.book = evolve(self.book, pending=())
        self.told += told
        return told

    def whats(self) -> list[What]:
        return [one.what for one in self.told]


def test_an_alarm_opens_after_its_time_and_ends_with_a_message() -> None:
    run = Run()
    for _ in range(4):  # the first look is where it begins
        assert run.look(condition(Rule.DEVICE_FAILED, severity=FAILED)) == []
    (new,) = run.look(condition(Rule.DEVICE_FAILED, severity=FAILED))
    assert (new.what, new.name, new.severity) == (What.NEW, "device_failed/hq", FAILED)
    assert new.since == START + 30
    for _ in range(9):
        assert run.look() == []
    (good,) = run.look()
    assert good.what is What.GOOD
    assert run.book.alarms == ()
    assert run.book.ended[-1].name == "device_failed/hq"


def test_a_cause_that_comes_and_goes_is_one_alarm() -> None:
    run = Run()
    for _ in range(20):
        run.look(condition())
        run.look()
    assert run.whats() == [What.NEW]


def test_what_was_bad_before_the_first_look_is_told_as_such_and_at_once() -> None:
    run = Run(Book())
    told = run.look(condition(Rule.DEVICE_FAILED), condition())
    assert {one.what for one in told} == {What.KNOWN}
    assert run.look(condition(Rule.DEVICE_FAILED), condition()) == []
    assert run.look(condition(Rule.DEVICE_FAILED), condition(), condition(subject="new"))[
        0
    ].what is (What.NEW)


def test_a_rule_that_is_enabled_later_tells_what_it_finds_as_already_open() -> None:
    run = Run(Book(rules=(Rule.DEVICE_FAILED,)))
    (told,) = run.look(condition())
    assert told.what is What.KNOWN


def test_an_open_alarm_is_told_again_and_when_it_gets_worse() -> None:
    run = Run()
    rule = Rule.DEVICE_FAILED
    for _ in range(5):
        run.look(condition(rule))
    assert run.whats() == [What.NEW]
    (worse,) = run.look(condition(rule, severity=FAILED))
    assert worse.what is What.WORSE
    assert run.look(condition(rule, severity=WARNING)) == []
    assert run.look(condition(rule, severity=FAILED)) == []  # that was told
    run.told.clear()
    for _ in range(120):
        run.look(condition(rule, severity=FAILED))
    assert run.whats() == [What.STILL]
    assert run.look(condition(rule, severity=FAILED), after=0.0, down=3600.0)[0].what is What.STILL


@pytest.mark.parametrize("by_operator", [True, False])
def test_a_muted_alarm_is_open_and_nothing_is_sent_until_it_is_unmuted(by_operator: bool) -> None:
    run = Run()
    muted = "" if by_operator else "held by anna"
    if by_operator:
        run.book = evolve(run.book, mutes=(Mute(name="policy_age", until=START + 600, by="anna"),))
    assert run.look(condition(muted=muted)) == []
    (alarm,) = run.book.open
    assert "by anna" in alarm.muted
    assert run.look(condition(muted=muted)) == []
    (told,) = run.look(condition(), after=600.0)
    assert told.what is What.NEW
    assert run.book.mutes == ()


def test_an_alarm_that_was_never_told_ends_in_silence() -> None:
    run = Run()
    run.look(condition(muted="held"))
    for _ in range(20):
        run.look()
    assert run.told == []
    assert run.book.ended[-1].told is False


def test_what_is_absent_after_a_start_does_not_end_before_figures_are_there() -> None:
    run = Run()
    run.look(condition())
    for _ in range(40):
        run.look(settled=False)
    assert run.whats() == [What.NEW]
    assert run.book.open
    for _ in range(11):
        run.look()
    assert run.whats() == [What.NEW, What.GOOD]


def test_a_rule_that_is_disabled_ends_its_alarms_in_silence() -> None:
    book = Run().book
    moment = Moment(now=START, elapsed=30.0)
    book = step(book, [condition()], RULES, moment, TIMING)
    book = step(evolve(book, pending=()), [condition()], {}, moment, TIMING)
    assert book.pending == ()
    assert book.open == ()


def test_alarms_wait_for_others_and_go_to_their_own_channels() -> None:
    book = Book(rules=tuple(RULES))
    first = [condition(subject=f"d{n}") for n in range(3)]
    book = step(book, first, RULES, Moment(now=START, elapsed=30.0), TIMING)
    book, items = grouped(book, 60)
    assert items == {}
    more = [*first, condition(subject="late")]
    for _ in range(2):
        book = step(book, more, RULES, Moment(now=START, elapsed=30.0), TIMING)
    book, items = grouped(book, 60)
    assert {name: len(some) for name, some in items.items()} == {"mail": 4, "syslog": 4}
    assert book.pending == ()


def test_a_full_message_waits_no_longer() -> None:
    book = Book(rules=tuple(RULES))
    many = [condition(subject=f"d{n}") for n in range(ITEMS_MOST)]
    book = step(book, many, RULES, Moment(now=START, elapsed=30.0), TIMING)
    assert len(grouped(book, 3600)[1]["mail"]) == ITEMS_MOST


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_is_set_changes_nothing_that_is_told(jump: float) -> None:
    run = Run()
    for number in range(60):
        there = [condition(Rule.DEVICE_FAILED)] if number < 30 else []
        run.look(*there, clock=jump if number in {3, 33} else None)
    assert run.whats() == [What.NEW, What.GOOD]


def test_a_host_that_slept_counts_little_of_it() -> None:
    run = Run()
    rule = Rule.DEVICE_FAILED
    slow = {rule: RuleInForce(after=2 * LONGEST_STEP, send=("mail",))}
    book = Book(rules=(rule,))
    for elapsed in (30.0, 1e6):
        moment = Moment(now=START, elapsed=elapsed)
        book = step(book, [condition(rule)], slow, moment, TIMING)
    assert book.open == ()
    assert run.told == []


# -- whatever happens ---------------------------------------------------------


@frozen
class Look:
    """One look: which subjects are bad, muted, worse; how long it took; a restart or a jump of the clock before it."""

    bad: frozenset[int]
    held: frozenset[int]
    failed: frozenset[int]
    after: float
    clock: float
    restart: bool
    mute: int | None


SUBJECTS = st.frozensets(st.integers(0, 3), max_size=4)
LOOKS = st.lists(
    st.builds(
        Look,
        bad=SUBJECTS,
        held=SUBJECTS,
        failed=SUBJECTS,
        after=st.floats(0.0, 400.0),
        clock=st.floats(-1e5, 1e5),
        restart=st.booleans(),
        mute=st.none() | st.integers(0, 3),
    ),
    max_size=40,
)


def conditions_of(look: Look) -> list[Condition]:
    return [
        Condition(
            rule=rule,
            subject=str(number),
            severity=FAILED if number in look.failed else WARNING,
            sentence="it is\n\x1b[31m so",
            muted="held" if number in look.held else "",
        )
        for number in sorted(look.bad)
        for rule in RULES
    ]


def play(looks: Iterable[Look], *, restarts: bool) -> tuple[list[Item], Book]:
    book, now = Book(rules=tuple(RULES)), START
    told: list[Item] = []
    for look in looks:
        now += look.after + look.clock
        if look.restart and restarts:
            book = from_json(json.loads(json.dumps(to_json(book))))
        if look.mute is not None:
            mute = Mute(name=f"all/{look.mute}", until=now + 200.0)
            book = evolve(book, mutes=(*book.mutes, mute))
        book = step(book, conditions_of(look), RULES, Moment(now=now, elapsed=look.after), TIMING)
        told += [one.item for one in book.pending]
        book = evolve(book, pending=())
    return told, book


@given(LOOKS)
def test_news_and_good_news_take_turns(looks: Sequence[Look]) -> None:
    told, book = play(looks, restarts=True)
    by_name: dict[str, list[What]] = defaultdict(list)
    for one in told:
        by_name[one.name].append(one.what)
        assert one.sentence.isprintable()
    for whats in by_name.values():
        is_open = False
        for what in whats:
            assert is_open == (what is not What.NEW)
            is_open = what is not What.GOOD
    assert len({one.name for one in book.alarms}) == len(book.alarms)
    assert {name for name, whats in by_name.items() if whats[-1] is not What.GOOD} == {
        one.name for one in book.open if one.told
    }


@given(LOOKS)
def test_a_restart_loses_and_adds_nothing(looks: Sequence[Look]) -> None:
    assert play(looks, restarts=True) == play(looks, restarts=False)


@given(LOOKS)
def test_nothing_is_told_of_what_is_muted_but_its_end(looks: Sequence[Look]) -> None:
    book, now = Book(rules=tuple(RULES)), START
    for look in looks:
        now += look.after
        book = step(book, conditions_of(look), RULES, Moment(now=now, elapsed=look.after), TIMING)
        quiet = {f"{rule}/{number}" for rule in RULES for number in look.held & look.bad}
        assert not quiet & {one.item.name for one in book.pending}
        book = evolve(book, pending=())


@given(st.lists(st.floats(0.0, 200.0), min_size=1, max_size=30))
def test_what_lasts_is_told_and_what_is_short_is_not(steps: Sequence[float]) -> None:
    run = Run()
    for after in steps:
        run.look(condition(Rule.DEVICE_FAILED), after=after)
    lasted = sum(steps[1:])  # nobody knows how long it was there before the first look
    assert bool(run.told) == (lasted >= RULES[Rule.DEVICE_FAILED].after) or abs(lasted - 120) < 1e-6


# -- names, rules, the file -----------------------------------------------------


def test_a_mute_covers_an_alarm_a_rule_a_device_or_all() -> None:
    for name in ("policy_age/hq", "policy_age", "all/hq", "all"):
        assert Mute(name=read_name(name)).covers("policy_age/hq")
    for name in ("policy_age/lab", "no_lines", "all/lab", "ledger"):
        assert not Mute(name=read_name(name)).covers("policy_age/hq")
    assert Mute(name="ledger").covers("ledger")
    assert not Mute(name="all/hq").covers("ledger")


@pytest.mark.parametrize(
    "name", ["", "x", "policy_age/", "all/\n", "/hq", "policy_age/" + "x" * 300]
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(MuteFaulty, match="not the name of an alarm"):
        read_name(name)


def test_rules_have_defaults_and_exceptions() -> None:
    settings = AlarmSettings(
        send=("mail",),
        rules=(
            RuleSettings(name="no_lines", enabled=False),
            RuleSettings(name="disk", after_minutes=0, bound=5, send=(), severity="failed"),
        ),
    )
    found = rules_in_force(settings)
    assert set(found) == set(DEFAULTS) - {Rule.NO_LINES}
    assert found[Rule.DEVICE_FAILED] == RuleInForce(after=900.0, repeat=86400.0, send=("mail",))
    assert found[Rule.DISK] == RuleInForce(
        after=0.0, repeat=86400.0, bound=5.0, severity="failed", send=()
    )


@pytest.mark.parametrize("kept", [None, [], {}, {"format": 2}, {"format": 1, "alarms": 5}])
def test_another_file_is_refused(kept: object) -> None:
    with pytest.raises(ValueError, match=r"it is not|damaged"):
        from_json(kept)


@pytest.mark.parametrize("until", [START - 1, START, 1e12, 1e300, float("inf")])
def test_a_mute_ends_at_a_time_that_can_be_told(until: float) -> None:
    assert told_time(until)
    with pytest.raises(MuteFaulty, match=r"choose an? (later|earlier) one"):
        refuse_end(until, START)
    refuse_end(START + 366 * 86400, START)
    refuse_end(None, START)
