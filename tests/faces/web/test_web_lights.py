"""
The three answers at the top of a device's page: none says yes of what is not so.
"""

from typing import Any

import pytest

from tscm.faces.web.views.device import lights
from tscm.spool.figures import LogFigures
from tscm.state import DeviceState
from tscm.update.figures import InForce, Result, UpdateFigures, UpdateRecord

NOW = 1_800_000_000.0
GOOD = UpdateRecord(result=Result.CHANGED, finished_at=NOW)


def words(**state: Any) -> list[tuple[str, str]]:
    table = {"log": None, "policy": UpdateFigures(), **state}
    return [(one.badge.kind, one.badge.word) for one in lights(DeviceState(**table), NOW)]


def test_nothing_is_said_of_what_is_not_set() -> None:
    assert words() == [("new", "not yet"), ("failed", "no"), ("new", "not set")]


@pytest.mark.parametrize(
    ("age", "told"), [(60.0, ("ok", "yes")), (30 * 86400.0, ("warning", "not for long"))]
)
def test_lines_that_stopped_long_ago_do_not_arrive(age: float, told: tuple[str, str]) -> None:
    assert words(log=LogFigures(last_received_at=NOW - age))[0] == told


@pytest.mark.parametrize(("purged", "told"), [(False, ("ok", "yes")), (True, ("failed", "no"))])
def test_a_purged_policy_is_not_in_force(*, purged: bool, told: tuple[str, str]) -> None:
    policy = UpdateFigures(
        last_good=GOOD, last_update=GOOD, in_force=InForce(since=NOW, block=2, purged=purged)
    )
    assert words(policy=policy)[1] == told
