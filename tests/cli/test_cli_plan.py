"""
`tsadmin plan`: its exit status, and the way to push just what it shows.
"""

from typing import Any

import pytest
from click.testing import CliRunner

from tscm.cli import update
from tscm.cli.plan import command
from tscm.faces.backend import ManagerError
from tscm.model import Json
from tscm.operations.answers import DeviceView
from tscm.operations.table.devices import VIEW
from tscm.state import DeviceState
from tscm.update.figures import UpdateRecord, UpdateTold
from tscm.update.plan_id import PlanFaulty
from tscm.wire.reading import read

FIGURES = {
    "steps": 3,
    "requests": 1,
    "added": 2,
    "removed": 1,
    "groups_made": [],
    "groups_deleted": [],
    "bytes_before": 10,
    "bytes_after": 20,
    "budget": None,
}
DIFF = {"block": {"added": ["192.0.2.1/32"], "removed": ["192.0.2.9/32"]}, "allow": {}}


class Backend:
    def __init__(self, steps: int) -> None:
        self.outcome: Json = {
            "plan": {**FIGURES, "steps": steps},
            "diff": DIFF,
            "plan_id": "6b49d200-0123456789abcdef01234567",
            "sentence": "fw would get 2 entries",
        }

    def backend(self) -> "Backend":
        return self

    def call(self, *_: Any) -> UpdateTold:
        return read(UpdateTold, self.outcome)


def run(steps: int, *words: str) -> Any:
    return CliRunner().invoke(command, ["fw", *words], obj=Backend(steps), standalone_mode=False)


@pytest.mark.parametrize(
    ("steps", "words", "status"),
    [
        (3, [], 0),
        (0, [], 0),
        (3, ["--detailed_exitcode"], 2),
        (0, ["--detailed_exitcode"], 0),
        (3, ["--detailed_exitcode", "--json"], 2),
    ],
)
def test_changes_are_told_by_the_exit_status_where_that_is_asked_for(
    steps: int, words: list[str], status: int
) -> None:
    assert run(steps, *words).return_value == status


def test_what_a_plan_needs_to_be_accepted_stands_in_the_line_that_pushes_it() -> None:
    backend = Backend(3)
    backend.outcome["risks"] = [
        {"word": "accept_shrink", "sentence": "less", "value": None},
        {"word": "accept_shrink", "sentence": "much less", "value": None},
        {"word": "accept_certificate", "sentence": "another", "value": "ab" * 32},
    ]
    said = CliRunner().invoke(command, ["fw", "--force"], obj=backend, standalone_mode=False)
    line = f"234567 --accept_shrink --accept_certificate {'ab' * 32}` pushes exactly this"
    assert line in said.output


def test_it_says_how_to_push_just_this() -> None:
    said = run(3).output
    assert (
        "`tsadmin update fw --plan 6b49d200-0123456789abcdef01234567` pushes exactly this" in said
    )
    assert "+ block 192.0.2.1/32" in said
    assert "\x1b[" not in said, "no colour where the output is no terminal"
    assert "--plan" not in run(0).output


PLAN_ID = "6b49d200-0123456789abcdef01234567"


class Refusing(Backend):
    """Its plan is another than that which an update is bound to."""

    def __init__(self) -> None:
        super().__init__(3)
        self.asked: list[str] = []

    def call(self, operation: Any, *_: Any) -> Any:
        self.asked.append(operation.name)
        if operation is VIEW:
            return DeviceView(settings={"policy_updates": True}, state=DeviceState())
        raise ManagerError(
            f"fw was not changed; --plan {PLAN_ID}", 1, read(UpdateRecord, self.outcome)
        )


def pushed(backend: Backend, plan: str) -> Any:
    return CliRunner().invoke(
        update.command, ["fw", "--plan", plan], obj=backend, standalone_mode=False
    )


def test_an_update_that_is_bound_to_another_plan_shows_the_new_one() -> None:
    done = pushed(Refusing(), "6b49d200-000000000000000000000000")
    assert isinstance(done.exception, ManagerError)
    assert "entries to add" in done.stdout
    assert "+ block 192.0.2.1/32" in done.stdout
    assert "- block 192.0.2.9/32" in done.stdout


@pytest.mark.parametrize("given", ["zzz", "", PLAN_ID[:-1]])
def test_what_is_no_id_of_a_plan_is_refused_before_anything_is_asked(given: str) -> None:
    backend = Refusing()
    done = pushed(backend, given)
    assert isinstance(done.exception, PlanFaulty)
    assert done.exception.exit_status == 2
    assert backend.asked == []
