"""
`tsadmin update` at a terminal shows a large change and asks, where the setting says so.
"""

from typing import Any

import pytest
from attrs import define, field
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tscm.cli import update as update_module
from tscm.cli.large_change import NotConfirmed, is_large
from tscm.cli.update import command
from tscm.operations.answers import DeviceView
from tscm.operations.arguments import Push
from tscm.operations.table.devices import VIEW
from tscm.operations.table.policies import PLAN, UPDATE
from tscm.update.figures import ListFigures, PlanFigures, UpdateRecord, UpdateTold

PLAN_ID = "6b49d200-0123456789abcdef01234567"


@define
class Backend:
    percent: int | None
    added: int
    calls: list[tuple[str, Any]] = field(factory=list)

    def backend(self) -> "Backend":
        return self

    def call(self, operation: Any, args: Any, *_: Any) -> Any:
        self.calls.append((operation.name, args))
        if operation is VIEW:
            return DeviceView(
                settings={"policy_updates": True}, confirm_changes_percent=self.percent
            )
        assert operation in {PLAN, UPDATE}
        return UpdateTold(
            plan=PlanFigures(steps=1, added=self.added),
            block=ListFigures(name="block.example", desired=100 + self.added),
            plan_id=PLAN_ID,
            sentence=f"fw would get {self.added} entries",
        )

    @property
    def pushed(self) -> list[Push]:
        return [args for name, args in self.calls if name == "update"]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_module, "asks", lambda *, yes: not yes)


def run(backend: Backend, *words: str, answer: str = "") -> Any:
    return CliRunner().invoke(
        command, ["fw", *words], input=answer, obj=backend, standalone_mode=False
    )


def test_a_large_change_is_shown_and_just_that_is_pushed_after_a_yes() -> None:
    backend = Backend(10, added=11)
    ended = run(backend, answer="y\n")
    assert "entries to add" in ended.output
    assert "More than 10 % of fw's entries would change" in ended.output
    assert [one.plan for one in backend.pushed] == [PLAN_ID]


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_pushed(answer: str) -> None:
    backend = Backend(10, added=11)
    ended = run(backend, answer=answer)
    assert isinstance(ended.exception, NotConfirmed)
    assert backend.pushed == []


def test_a_small_change_is_not_asked_about() -> None:
    backend = Backend(10, added=10)
    ended = run(backend)
    assert "[default n]" not in ended.output
    assert [one.plan for one in backend.pushed] == [PLAN_ID]


@pytest.mark.parametrize(
    ("percent", "words"), [(None, []), (10, ["--yes"]), (10, ["--plan", PLAN_ID])]
)
def test_off_by_default_answered_by_yes_and_no_matter_of_a_plan(
    percent: int | None, words: list[str]
) -> None:
    backend = Backend(percent, added=90)
    run(backend, *words)
    assert [name for name, _ in backend.calls] == ["view", "update"]


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    backend = Backend(10, added=90)
    run(backend, answer="n\n")
    assert [one.plan for one in backend.pushed] == [None]


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 100))
def test_large_is_a_share_of_what_is_in_force(
    before: int, added: int, removed: int, percent: int
) -> None:
    removed = min(removed, before)
    outcome = UpdateRecord(
        plan=PlanFigures(added=added, removed=removed),
        block=ListFigures(desired=before + added - removed),
    )
    assert is_large(outcome, percent) == (
        added + removed > 0 and (added + removed) * 100 > percent * before
    )
