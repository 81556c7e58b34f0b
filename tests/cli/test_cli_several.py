"""
One command over several devices, or over all: each has its turn, and the worst is the exit status.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from click.testing import CliRunner
from twisted.internet.task import Clock

from tests.cli.test_cli_plan import DIFF, FIGURES
from tests.cli.test_cli_spool import AtOnce
from tscm.base.threads import Threads
from tscm.cli import plan, report, search, tail, update
from tscm.cli.configure import OWN
from tscm.faces.backend import ManagerError
from tscm.model import Progress, Report, Run
from tscm.operations.call import quiet
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Operation
from tscm.operations.table.devices import VIEW
from tscm.operations.table.events import REPORT_SEVERAL
from tscm.operations.table.listing import DEVICES
from tscm.operations.table.policies import PLAN, UPDATE
from tscm.settings.layout import Layout
from tscm.settings.node import SpoolBounds
from tscm.spool.service import SpoolService
from tscm.update.figures import UpdateRecord
from tscm.wire.reading import read_value

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Tsadmin

HOSTILE = "\x1b[31mred [bold]"


class Backend:
    """Devices by their plan's steps; one of -1 cannot be reached."""

    running = True

    def __init__(self, root: Path, **steps: int) -> None:
        self.layout = Layout(root)
        self.steps = steps
        self.asked: list[tuple[str, str]] = []

    def backend(self) -> "Backend":
        return self

    def call(
        self, operation: Operation[Any, Any], args: Any, report: Report = quiet, told: Any = None
    ) -> Any:
        return read_value(operation.answer, self._json(operation, args, report))

    def _json(self, operation: Operation[Any, Any], args: Any, report: Report) -> Any:
        if operation is DEVICES:
            return [{"name": name} for name in self.steps]
        if operation is REPORT_SEVERAL:
            return {
                "by": "hour,action", "groups": 1, "hits": 2, "lines": 1, "since": 0.0, "until": 1.0,
                "rows": [{"hour": 3600, "action": "=blocked", "hits": 2, "lines": 1}],
                "devices": [{"device": name} for name in args.devices],
            }  # fmt: skip
        self.asked.append((operation.name, args.name))
        report(Progress(phase="fetch", text="block list"))
        steps = self.steps.get(args.name, -1)
        if steps < 0:
            raise ManagerError(f"{args.name}: no TCP {HOSTILE}", 5, UpdateRecord(error="no TCP"))
        if operation is VIEW:
            return {
                "settings": {"policy_updates": True, "block_list": "b", "allow_list": "a"},
                "state": {},
            }
        if operation in (PLAN, UPDATE):
            return {
                "plan": {**FIGURES, "steps": steps},
                "diff": DIFF,
                "plan_id": "6b49d200-0123456789abcdef01234567",
                "sentence": f"{args.name} would get {steps}",
            }
        return {
            "device": args.name, "by": "entry", "since": 0.0, "until": 1.0, "groups": 1,
            "rows": [{"entry": "=1+1", "hits": 2, "lines": 1}], "hits": 2, "lines": 1,
            "counts_are_low": 0, "unread_lines": 3,
        }  # fmt: skip

    def detach(self, operation: Operation[Any, Any], args: Any) -> JobFigures:
        self.asked.append((operation.name, args.name))
        return JobFigures(number=len(self.asked))


def run(command: Any, backend: Backend, *words: str) -> Any:
    done = CliRunner().invoke(command, list(words), obj=backend, standalone_mode=False)
    assert done.exception is None or isinstance(done.exception, Exception), done
    return done


def status(command: Any, backend: Backend, *words: str) -> int:
    done = run(command, backend, *words)
    assert done.exception is None, done.exception
    return int(done.return_value or 0)


@pytest.mark.parametrize(
    ("steps", "words", "wanted"),
    [
        ({"a": 0, "b": 0}, ["--detailed_exitcode"], 0),
        ({"a": 0, "b": 3}, ["--detailed_exitcode"], 2),
        ({"a": 0, "b": 3}, [], 0),
        ({"a": -1, "b": 3}, ["--detailed_exitcode"], 5),
        ({"a": 3, "b": -1}, ["--detailed_exitcode", "--json"], 5),
    ],
)
def test_a_fault_comes_before_changes_before_nothing(
    tmp_path: Path, steps: dict[str, int], words: list[str], wanted: int
) -> None:
    backend = Backend(tmp_path, **steps)
    assert status(plan.command, backend, "--all", *words) == wanted
    assert [name for call, name in backend.asked if call == "plan"] == ["a", "b"]


def test_progress_names_the_device_and_a_table_ends_it(tmp_path: Path) -> None:
    said = run(plan.command, Backend(tmp_path, a=0, b=-1), "a", "b", "a").output
    assert "fetch: a: block list" in said
    assert "a would get 0" in said
    assert said.count("a would get 0") == 1, "a name that is given twice counts once"
    assert "\x1b" not in said
    assert "[bold]" in said


def test_of_several_json_is_by_name_with_faults_among_them(tmp_path: Path) -> None:
    done = run(plan.command, Backend(tmp_path, a=1, b=-1), "a", "b", "--json")
    told = json.loads(done.stdout)
    assert told["a"]["plan"]["steps"] == 1
    assert "no TCP" in told["b"]["error"]
    assert told["b"]["outcome"]["error"] == "no TCP"


def test_of_one_json_is_as_ever(tmp_path: Path) -> None:
    done = run(plan.command, Backend(tmp_path, a=1), "a", "--json")
    assert json.loads(done.stdout)["plan"]["steps"] == 1


@pytest.mark.parametrize("command", [plan.command, update.command, report.command, tail.command])
@pytest.mark.parametrize("words", [[], ["a", "--all"]])
def test_neither_and_both_is_a_mistake(tmp_path: Path, command: Any, words: list[str]) -> None:
    backend = Backend(tmp_path, a=0)
    done = run(command, backend, *words)
    assert type(done.exception).__name__ == "UsageError"
    assert not backend.asked


def test_three_hundred_devices_each_have_their_turn(tmp_path: Path) -> None:
    backend = Backend(tmp_path, **{f"fw{number}": number % 7 - 1 for number in range(300)})
    assert status(update.command, backend, "--all") == 5
    assert len([one for one in backend.asked if one[0] == "view"]) == 300
    assert len([one for one in backend.asked if one[0] == "update"]) == 300 - 43


def test_an_update_that_nobody_waits_for_is_a_job_of_each(tmp_path: Path) -> None:
    backend = Backend(tmp_path, a=0, b=0)
    done = run(update.command, backend, "--all", "--detach")
    assert "Job 2" in done.output
    assert "Job 4" in done.output


def test_a_plan_by_its_id_is_of_one_device(tmp_path: Path) -> None:
    backend = Backend(tmp_path, a=0, b=0)
    assert "--plan" in str(run(update.command, backend, "a", "b", "--plan", "x").exception)
    assert not backend.asked


def test_reports_as_csv_have_one_head_and_a_column_more(tmp_path: Path) -> None:
    backend = Backend(tmp_path, a=0, b=0)
    said = run(report.command, backend, "--all", "--csv").stdout.splitlines()
    assert said == ["device,entry,hits,lines", "a,'=1+1,2,1", "b,'=1+1,2,1"]
    said = run(report.command, backend, "a", "--csv").stdout.splitlines()
    assert said == ["entry,hits,lines", "'=1+1,2,1"]


def test_several_devices_are_one_report_where_that_is_wanted(tmp_path: Path) -> None:
    backend = Backend(tmp_path, a=0, b=0)
    words = ("--all", "--together", "--by", "hour,action")
    head, row = run(report.command, backend, *words, "--csv").stdout.splitlines()
    assert (head, row.partition(",")[2]) == ("hour,action,hits,lines", "'=blocked,2,1")
    told = json.loads(run(report.command, backend, *words, "--json").stdout)
    assert [one["device"] for one in told["devices"]] == ["a", "b"]
    assert "2 devices" in run(report.command, backend, *words).output


def logs(root: Path, names: Sequence[str]) -> Backend:
    """A log of two lines for each."""
    backend, clock = Backend(root, **dict.fromkeys(names, 0)), Clock()
    bounds = SpoolBounds(fsync="off", min_free_mb=0)
    spool = SpoolService(backend.layout.logs, bounds, clock, cast(Threads, AtOnce()))
    spool.startService()
    for name in names:
        spool.open_device(name, 1 << 20)
        lines = f"<166>needle of {name}\n<166>hay\n".encode()
        spool.append(name, [Run("192.0.2.10", lines, 2)], 1_700_000_000.0)
        spool.close_device(name)
    spool.stopService()
    clock.pump([1.0] * 5)
    return backend


def test_search_looks_in_several_logs_and_names_them(tmp_path: Path) -> None:
    backend = logs(tmp_path, ["a", "b", "c"])
    done = run(search.command, backend, "a", "c", "needle")
    assert done.stdout.splitlines() == ["a: <166>needle of a", "c: <166>needle of c"]
    assert done.return_value == 0
    done = run(search.command, backend, "--all", "needle", "--count")
    assert done.stdout.splitlines() == ["a: 1", "b: 1", "c: 1"]
    assert run(search.command, backend, "--all", "nothing").return_value == 1
    told = run(search.command, backend, "--all", "needle", "--json", "--max", "2").stdout
    assert [json.loads(line)["device"] for line in told.splitlines()] == ["a", "b"]
    assert run(search.command, backend, "a", "needle").stdout.splitlines() == ["<166>needle of a"]
    assert type(run(search.command, backend, "needle").exception).__name__ == "UsageError"


def test_tail_shows_several_logs_behind_their_names(tmp_path: Path) -> None:
    backend = logs(tmp_path, ["a", "b"])
    said = run(tail.command, backend, "--all", "--once").stdout.splitlines()
    assert [line.split(": ")[0] for line in said] == ["a", "a", "b", "b"]
    told = run(tail.command, backend, "a", "b", "--once", "--json").stdout.splitlines()
    assert [json.loads(line)["device"] for line in told] == ["a", "a", "b", "b"]


def test_tail_of_several_logs_ends_with_the_first_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = logs(tmp_path, ["a", "b"])

    def gone(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(tail, "_tail", gone)
    assert isinstance(run(tail.command, backend, "--all").exception, BrokenPipeError)


def test_several_devices_are_given_what_they_can_have_in_common(
    tsadmin: "Tsadmin", add: "Add"
) -> None:
    add()
    add("other", device="192.0.2.11")
    done = tsadmin("configure", "--all", "--log_rotate_size", "200")
    assert done.status == 0, done.both
    for name in ("tstest", "other"):
        settings = json.loads(tsadmin("show", name, "--json").out)["settings"]
        assert settings["log_rotate_size"] == 200
    done = tsadmin("configure", "tstest", "nobody", "other", "--log_rotate_size", "300", "--json")
    assert done.status != 0
    told = json.loads(done.out)
    assert told["tstest"]["changed"] == told["other"]["changed"] == ["log_rotate_size"]
    assert "nobody" in told["nobody"]["error"]
    done = tsadmin("configure", "--all", "--password", "-", stdin="an0ther\n")
    assert done.status == 0, done.both
    assert "an0ther" not in done.both


@pytest.mark.parametrize("name", sorted(OWN - {"type", "entry"}))
def test_what_each_device_has_for_itself_is_not_common(tsadmin: "Tsadmin", name: str) -> None:
    done = tsadmin("configure", "a", "b", f"--{name}", "x")
    assert (done.status, "every device has its own" in done.err) == (2, True)


def test_several_devices_are_asked_nothing(tsadmin: "Tsadmin") -> None:
    done = tsadmin("configure", "a", "b")
    assert (done.status, "there are no prompts" in done.err) == (2, True)
