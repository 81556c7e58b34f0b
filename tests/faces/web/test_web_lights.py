"""
The three answers at the top of a device's page: none says yes of what is not so.
"""

from typing import Any

import pytest

from tscm.doctor.finding import failed, not_checked, ok
from tscm.faces.web.chain import Looked
from tscm.faces.web.views.device import lights
from tscm.faces.web.views.health import MATRIX_MOST, matrix
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


def test_the_matrix_says_ok_of_nothing_that_was_not_checked() -> None:
    found = matrix(
        {
            "good": Looked(findings=(ok("policy", "good"), ok("siem", "good")), at=NOW),
            "bad": Looked(
                findings=(failed("policy", "bad"), not_checked("siem", "no")), at=NOW - 9
            ),
            "waits": Looked(looking=True),
            "never": Looked(fault="the manager does not answer"),
        }
    )
    assert [(one.name, one.at) for one in found.columns] == [("bad", NOW - 9), ("good", NOW)]
    kinds = {row.name: [cell and cell.kind for cell in row.cells] for row in found.rows}
    assert kinds["policy"] == ["failed", "ok"]
    assert kinds["siem"][0] != "ok"
    alone = matrix({"a": Looked(findings=(ok("x", ""),)), "b": Looked(findings=(ok("y", ""),))})
    assert [row.cells.count(None) for row in alone.rows] == [1, 1]
    many = {f"fw{number}": Looked(findings=(ok("x", ""),)) for number in range(50)}
    assert (len(matrix(many).columns), matrix(many).more) == (MATRIX_MOST, 50 - MATRIX_MOST)
