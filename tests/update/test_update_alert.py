"""
When groups are read again for what a firewall said of itself; by numbers alone.
"""

from tscm.update.alert import (
    CERTAIN_SECONDS,
    LEAST_SECONDS,
    LEAVING_SECONDS,
    MOST_RETRY_SECONDS,
    PATIENCE_SECONDS,
    SPACING_SECONDS,
    Alert,
)

BACK, LEAVING, AGENT = "199002", "199006", "342003"
HEARD = 10_000.0


def test_a_unit_that_is_back_is_checked_at_once_and_one_that_leaves_when_it_is_gone() -> None:
    assert Alert(pending={BACK: HEARD}).due_at(HEARD, ()) < HEARD + 10
    assert Alert(pending={LEAVING: HEARD}).due_at(HEARD, ()) == HEARD + LEAVING_SECONDS
    both = Alert(pending={LEAVING: HEARD}).hear({BACK: HEARD + 1})
    assert both.pending == {BACK: HEARD + 1}


def test_two_checks_that_reached_the_device_are_apart_however_many_lines_come() -> None:
    alert = Alert(pending={BACK: HEARD})
    for at in range(100):
        alert = alert.hear({BACK: HEARD + at, AGENT: HEARD + at, "104001": HEARD + at})
    assert len(alert.pending) == 3
    assert alert.due_at(HEARD + 100, [HEARD + 99]) == HEARD + 99 + LEAST_SECONDS
    checks: list[float] = []
    for _ in range(30):
        checks.append(alert.due_at(checks[-1] if checks else HEARD, checks))
    assert checks[2] < HEARD + 60  # a second reload soon after the first is no flood
    assert checks[-1] - HEARD >= 27 * SPACING_SECONDS


def test_one_that_does_not_answer_is_looked_at_often_enough_and_not_for_ever() -> None:
    alert, now, tries = Alert(pending={BACK: HEARD}), HEARD, 0
    while not alert.given_up(now):
        alert = alert.unreached()
        due = alert.due_at(now, ())
        assert now < due <= now + MOST_RETRY_SECONDS
        now, tries = due, tries + 1
    assert now <= HEARD + PATIENCE_SECONDS + MOST_RETRY_SECONDS
    assert tries < 100


def test_a_good_update_answers_what_was_said_before_it() -> None:
    alert = Alert(pending={BACK: HEARD})
    assert alert.covered(HEARD - 5, HEARD + 60).pending == {BACK: HEARD}
    assert not alert.covered(HEARD, HEARD + 60).pending
    agent = Alert(pending={AGENT: HEARD})
    assert not agent.covered(HEARD - 5, HEARD + 60).pending  # it was read back behind that
    leaving = Alert(pending={LEAVING: HEARD})
    assert leaving.covered(HEARD + 60, HEARD + 90).pending  # the reload may still come
    assert not leaving.covered(HEARD + CERTAIN_SECONDS, HEARD + CERTAIN_SECONDS + 5).pending


def test_what_a_check_could_not_put_right_is_left_to_the_schedule() -> None:
    alert = Alert(pending={BACK: HEARD, LEAVING: HEARD, AGENT: HEARD + 30})
    begun = {BACK: HEARD, LEAVING: HEARD}
    left = alert.after_check(begun, HEARD + LEAVING_SECONDS)
    assert left.pending == {LEAVING: HEARD, AGENT: HEARD + 30}
    assert not left.after_check(left.pending, HEARD + CERTAIN_SECONDS).pending


def test_what_was_said_is_told_with_its_message_and_in_order() -> None:
    told = Alert(pending={AGENT: HEARD + 1, BACK: HEARD}).sentence()
    assert told.index("it has started (199002 at ") < told.index("(342003 at ")
