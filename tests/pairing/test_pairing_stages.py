"""
The pairing of an entry as a value: codes, managers, and versions, whatever happens in which order.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tscm.pairing.guesses import FORGET_SECONDS, GUESSES, Guesses
from tscm.pairing.stages import (
    Pairing,
    Stage,
    Verdict,
    above,
    consumed,
    digest,
    ended,
    issued,
    next_version,
    revoked,
    with_content,
)

DEVICE = "tdid_0001"


class Entry(RuleBasedStateMachine):
    """
    One entry, two managers and a clock: a code is good once, and one manager follows at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pairing = Pairing(device_id=DEVICE)
        self.now = 1_700_000_000.0
        self.number = 0
        self.code = ""
        self.spent: list[str] = []
        self.follower = ""
        self.gone = False

    @rule(seconds=st.floats(1, 1e6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.gone)
    @rule(seconds=st.floats(60, 1e6))
    def issue(self, seconds: float) -> None:
        self.number += 1
        self.code = digest(f"code {self.number}")
        self.pairing = issued(self.pairing, self.code, self.now, seconds)

    @precondition(lambda self: self.code)
    @rule(who=st.sampled_from(["one", "two"]))
    def show(self, who: str) -> None:
        self.number += 1
        token = digest(f"{who} {self.number}")
        found = self.pairing.judge(self.code, token, self.now)
        if found is Verdict.GOOD:
            self.pairing = consumed(
                self.pairing, self.code, token, manager=who, address="192.0.2.1", now=self.now
            )
            self.spent.append(self.code)
            self.code, self.follower = "", token
            assert self.pairing.judge(self.spent[-1], token, self.now) is Verdict.AGAIN
        else:
            assert found in {Verdict.EXPIRED, Verdict.REVOKED, Verdict.WRONG}

    @rule()
    def unpair(self) -> None:
        self.pairing = ended(self.pairing, "root", self.now)
        self.code = ""

    @rule()
    def delete(self) -> None:
        self.pairing = revoked(self.pairing, "root", self.now)
        self.gone, self.code = True, ""

    @rule(content=st.sampled_from("abc"))
    def edit(self, content: str) -> None:
        before = self.pairing
        self.pairing = with_content(before, content, self.now)
        changed = (before.etag, bool(before.version)) != (content, True)
        assert (self.pairing.version > before.version) == changed

    @invariant()
    def a_used_code_is_good_for_nobody_else(self) -> None:
        for one in self.spent:
            found = self.pairing.judge(one, digest("thief"), self.now)
            assert found in {Verdict.USED, Verdict.WRONG}

    @invariant()
    def a_guess_learns_nothing(self) -> None:
        assert self.pairing.judge(digest("guess"), digest("thief"), self.now) is Verdict.WRONG
        assert not self.pairing.follows(digest("thief"))
        assert not self.pairing.follows("")

    @invariant()
    def only_the_last_manager_follows(self) -> None:
        paired = self.pairing.stage(self.now) is Stage.PAIRED
        assert not paired or self.pairing.follows(self.follower)
        assert not (self.gone and paired)

    @invariant()
    def a_deleted_entry_is_never_paired_again(self) -> None:
        if self.gone:
            assert self.pairing.stage(self.now) is Stage.REVOKED


TestEntry = Entry.TestCase


def test_a_new_code_leaves_the_manager_until_it_is_used() -> None:
    one, two = digest("one"), digest("two")
    paired = consumed(
        issued(Pairing(device_id=DEVICE), digest("a"), 10.0, 60.0),
        digest("a"), one, manager="m1", address="", now=11.0,
    )  # fmt: skip
    moving = issued(paired, digest("b"), 20.0, 60.0)
    assert moving.stage(21.0) is Stage.PAIRED
    assert moving.follows(one)
    moved = consumed(moving, digest("b"), two, manager="m2", address="", now=22.0)
    assert not moved.follows(one)
    assert moved.follows(two)


@given(st.integers(0, 1 << 40), st.floats(0, 1e10), st.floats(0, 1e6))
def test_a_version_grows_also_after_a_restore_and_with_a_clock_that_went_back(
    last: int, now: float, back: float
) -> None:
    assert next_version(last, now) > last
    today = next_version(last, now)
    restored = next_version(last, now + 1 + back)
    assert restored > min(today, int(now))
    assert next_version(today, now - back) > today


def test_a_version_that_only_the_manager_knows_is_passed() -> None:
    one = evolve(Pairing(device_id=DEVICE), version=100, etag="a")
    assert above(one, 5000, 200.0).version == 5001
    assert above(one, 50, 20.0).version == 101


def test_an_address_that_guesses_is_not_listened_to_for_a_while() -> None:
    guesses = Guesses()
    for number in range(GUESSES):
        assert not guesses.waits("192.0.2.1", 100.0)
        assert guesses.wrong("192.0.2.1", 100.0) == number + 1
    assert guesses.waits("192.0.2.1", 101.0) == FORGET_SECONDS - 1
    assert guesses.waits("::ffff:192.0.2.1", 101.0)
    assert not guesses.waits("192.0.2.2", 101.0)
    assert not guesses.waits("192.0.2.1", 100.0 + FORGET_SECONDS)
    for number in range(GUESSES):
        guesses.wrong(f"2001:db8::{number}", 200.0)
    assert guesses.waits("2001:db8::ffff", 200.0)


def test_guessers_from_everywhere_take_bounded_memory() -> None:
    guesses = Guesses()
    for number in range(5000):
        guesses.wrong(f"10.{number >> 8}.{number & 255}.1", 1.0)
    assert len(guesses._found) <= 2048
