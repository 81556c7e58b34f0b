"""
`tsadmin doctor` as a command: tables, JSON, exit status.
"""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.cli.doctor import command
from tscm.devices.answers import DeviceRow
from tscm.doctor.finding import Findings, failed, ok, warning
from tscm.doctor.probe_host import Host
from tscm.errors import NoSuchDevice
from tscm.model import Json, Progress, Report
from tscm.operations.call import quiet
from tscm.operations.operation import Operation
from tscm.operations.table.listing import DEVICES
from tscm.wire.reading import read
from tscm.wire.writing import as_json

HOSTILE = "\x1b[31mred\u202e [bold]\nsecond line\x07"


def finding(verdict: str, text: str = "why") -> Json:
    return {"link": "a link", "verdict": verdict, "sentence": text, "remedy": text}


class Backend:
    running = True

    def __init__(self, node: list[Json], **devices: list[Json]) -> None:
        self.node, self.devices = node, devices
        self.asked: list[str | None] = []

    def backend(self) -> "Backend":
        return self

    def call(self, operation: Operation[Any, Any], args: Any, report: Report = quiet) -> Any:
        if operation is DEVICES:
            return tuple(DeviceRow(name=name) for name in self.devices)
        name = getattr(args, "name", None)
        report(Progress(phase="check", text=f"{name}"))
        self.asked.append(name)
        found = self.node if name is None else self.devices[name]
        return read(Findings, {"findings": found})


def run(backend: Backend, *words: str) -> Any:
    return CliRunner().invoke(command, list(words), obj=backend, standalone_mode=False)


@pytest.mark.parametrize(
    ("verdicts", "status", "verdict"),
    [
        (["ok", "ok"], 0, "ok"),
        (["ok", "warning", "not checked"], 0, "warning"),
        (["ok", "not checked"], 0, "not checked"),
        (["failed", "warning"], 1, "failed"),
        ([], 0, "ok"),
    ],
)
def test_the_exit_status_tells_whether_something_is_broken(
    verdicts: list[str], status: int, verdict: str
) -> None:
    backend = Backend([finding("ok")], fw=[finding(one) for one in verdicts])
    done = run(backend, "--json")
    assert done.return_value == status
    assert json.loads(done.stdout)["verdict"] == verdict
    assert run(backend).return_value == status


def test_without_a_name_every_device_is_walked_and_with_one_only_that() -> None:
    backend = Backend([], one=[], two=[])
    run(backend)
    assert backend.asked == [None, "one", "two"]
    backend.asked.clear()
    run(backend, "two")
    assert backend.asked == [None, "two"]


def test_an_unknown_name_is_told_before_anybody_is_asked() -> None:
    backend = Backend([], one=[])
    assert isinstance(run(backend, "nobody").exception, NoSuchDevice)
    assert not backend.asked


def test_the_table_names_link_verdict_reason_and_remedy() -> None:
    said = run(Backend([finding("failed", "the reason")])).output
    for word in ("a link", "failed", "the reason"):
        assert word in said
    assert "a link: the reason" in said


def test_what_was_not_checked_is_counted_apart_from_warnings() -> None:
    told = run(Backend([finding("ok"), finding("warning"), finding("not checked")])).output
    assert "1 ok, 1 warning, 0 failed, 1 not checked" in told
    told = run(Backend([finding("ok"), finding("not checked")])).output
    assert "not everything could be checked: 1 ok, 0 warning, 0 failed, 1 not checked" in told


def test_a_remedy_is_not_shown_for_what_is_good() -> None:
    assert "a link: why" not in run(Backend([finding("ok")])).output


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.just(HOSTILE), st.text(max_size=60)))
def test_text_of_others_does_nothing_on_a_terminal(text: str) -> None:
    said = run(Backend([finding("failed", text)], fw=[finding("warning", text)])).output
    assert all(one.isprintable() or one == "\n" for one in said)


def test_markup_in_a_sentence_is_shown_as_it_stands() -> None:
    assert "[bold]" in run(Backend([finding("failed", HOSTILE)])).output


def test_the_clock_is_asked_from_here_for_the_unit_keeps_the_manager_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = Backend([{**finding("ok", "the kernel does not report"), "link": "clock"}])
    for synchronised, verdict in ((False, "warning"), (True, "ok"), (None, "ok")):
        host = Host(synchronised=lambda known=synchronised: known)  # type: ignore[misc]
        monkeypatch.setattr("tscm.doctor.probe_host.HOST", host)
        (found,) = json.loads(run(backend, "--json").stdout)["node"]
        assert found["verdict"] == verdict
        assert ("does not report" in found["sentence"]) == (synchronised is None)


def test_the_words_of_earlier_releases_stand_beside_the_verdict_in_json() -> None:
    told = [as_json(make("link", "sentence")) for make in (ok, warning, failed)]
    assert [(one["verdict"], one["rating"]) for one in told] == [
        ("ok", "good"),
        ("warning", "doubtful"),
        ("failed", "broken"),
    ]
