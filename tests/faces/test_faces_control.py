"""
The control interface over a real UNIX socket, with operations of the test's own.
"""

import json
import os
import pwd
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_twisted
from attrs import asdict
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent

from tscm.errors import ControlUnavailable, NoSuchDevice
from tscm.faces.control import ControlService
from tscm.manager.node import Node
from tscm.model import Json, Progress
from tscm.operations.call import Call
from tscm.operations.calls import Calls
from tscm.operations.job_figures import JobState
from tscm.operations.jobs import Jobs
from tscm.operations.operation import Operation
from tscm.operations.registry import handler_of
from tscm.settings.layout import Layout
from tscm.store.audit_entry import AuditEntry


class Fakes:
    """Handlers that answer without a node, and note what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.goes_on: Deferred[None] = Deferred()
        self.turn: Deferred[None] = Deferred()
        self.all = Jobs(reactor)

    def calls(self) -> Calls:
        node: Any = SimpleNamespace(jobs=self.all, manager=self, clock=reactor)
        return Calls(node, self.audited, self.handler_of)

    def audited(self, entry: AuditEntry) -> None:
        self.asked.append(entry)

    def handler_of(self, operation: Operation[Any, Any]) -> Any:
        if operation.name in {"jobs", "job", "withdraw"}:
            return handler_of(operation)
        return getattr(self, operation.name, self.echo if not operation.long else self.long_echo)

    def echo(self, _: Node, args: Any, call: Call) -> Json:
        return asdict(args)

    async def long_echo(self, _: Node, args: Any, call: Call) -> Json:
        return asdict(args)

    def view(self, _: Node, args: Any, call: Call) -> Json:
        if args.name != "a":
            raise NoSuchDevice(args.name)
        return {"settings": {"name": "a"}, "state": {}, "actor": str(call.actor)}

    async def add(self, _: Node, args: Any, call: Call) -> Json:
        self.asked.append(args.settings)
        call.report(Progress(phase="fetch", text="block list"))
        call.report(Progress(phase="push", text="step", done=1, total=2))
        await Deferred.fromCoroutine(_later())
        return {"name": args.settings["name"]}

    async def change(self, _: Node, args: Any, call: Call) -> Json:
        raise NoSuchDevice(args.name)

    async def update(self, _: Node, args: Any, call: Call) -> Json:
        raise ZeroDivisionError(args.name)

    async def plan(self, _: Node, args: Any, call: Call) -> Json:
        call.begin()
        if args.name == "slow":
            call.report(Progress(phase="plan", text="begun"))
            await self.goes_on
            self.asked.append("ended")
        return asdict(args)

    async def rollback(self, _: Node, args: Any, call: Call) -> Json:
        call.wait("an update has been in progress since noon")
        await self.turn
        call.begin()
        self.asked.append("begun")
        return {}

    async def logs(self, _: Node, args: Any, call: Call) -> Json:
        return {"name": b"no JSON" if args.name == "bytes" else args.name}


async def _later() -> None:
    waited: Deferred[None] = Deferred()
    reactor.callLater(0, waited.callback, None)
    await waited


@pytest_twisted.async_yield_fixture()
async def control(tmp_path: Path) -> AsyncIterator[tuple[Path, Fakes]]:
    operations = Fakes()
    layout = Layout(tmp_path)
    service = ControlService(reactor, layout, operations.calls())
    service.privilegedStartService()
    service.startService()
    yield layout.control_socket, operations
    stopped = service.stopService()
    if stopped is not None:
        await stopped


def call(
    path: Path, method: str, url: str, body: Any = None, headers: Any = None
) -> Deferred[httpx.Response]:
    def send() -> httpx.Response:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), base_url="http://manager", timeout=60
        ) as client:
            return client.request(method, url, json=body, headers=headers)

    return deferToThread(send)


def _last(answer: httpx.Response) -> Json:
    found: Json = json.loads(answer.text.splitlines()[-1])
    return found


@pytest_twisted.ensureDeferred
async def test_short_calls_answer_with_one_document(control: tuple[Path, Fakes]) -> None:
    path, _ = control
    assert (await call(path, "GET", "/v1/versions")).json() == {}
    assert (await call(path, "GET", "/v1/devices/a")).json()["settings"] == {"name": "a"}
    assert (await call(path, "GET", "/v1/ledger?device=a")).json() == {"device": "a"}
    assert (await call(path, "GET", "/v1/ledger")).json() == {"device": None}


@pytest_twisted.ensureDeferred
async def test_an_error_travels_as_sentence_and_status(
    control: tuple[Path, Fakes],
) -> None:
    path, _ = control
    answer = await call(path, "GET", "/v1/devices/b")
    assert answer.status_code == 409
    assert "no device named 'b'" in answer.json()["error"]["sentence"]
    answer = await call(path, "PUT", "/v1/devices/b", {"settings": {}})
    assert json.loads(answer.text.splitlines()[-1])["error"]["exit_status"] == 1


@pytest_twisted.ensureDeferred
async def test_long_calls_stream_progress_and_then_the_result(
    control: tuple[Path, Fakes],
) -> None:
    path, operations = control
    answer = await call(path, "POST", "/v1/devices", {"settings": {"name": "a"}})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    states = [line["job"]["state"] for line in lines if "job" in line]
    assert states == ["queued", "running", "done"]
    lines = [line for line in lines if "job" not in line]
    assert [line["progress"]["phase"] for line in lines[:-1]] == ["fetch", "push"]
    assert lines[1]["progress"]["total"] == 2
    assert lines[-1] == {"result": {"name": "a"}}
    assert operations.asked[0] == {"name": "a"}


@pytest_twisted.ensureDeferred
async def test_a_fault_of_ours_is_told_and_logged(
    control: tuple[Path, Fakes], logged_failures: list[LogEvent]
) -> None:
    path, _ = control
    answer = await call(path, "POST", "/v1/devices/a/update", {"force": True})
    error = _last(answer)["error"]
    assert error["exit_status"] == 70
    assert "ZeroDivisionError" in error["sentence"]
    assert "Traceback" not in answer.text
    assert logged_failures.pop()["log_failure"].type is ZeroDivisionError


@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_no_json_is_a_fault_that_is_told(
    control: tuple[Path, Fakes], logged_failures: list[LogEvent]
) -> None:
    path, _ = control
    answer = await call(path, "POST", "/v1/devices/bytes/logs")
    assert "TypeError" in _last(answer)["error"]["sentence"]
    assert len(logged_failures) == 1
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_a_body_that_is_no_object_is_refused(control: tuple[Path, Fakes]) -> None:
    path, operations = control
    answer = await call(path, "POST", "/v1/devices", ["x"])
    assert "not a JSON object" in _last(answer)["error"]["sentence"]
    assert operations.asked == []


@pytest_twisted.ensureDeferred
async def test_the_socket_is_closed_to_strangers(control: tuple[Path, Fakes]) -> None:
    path, _ = control
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.parent.stat().st_mode & 0o007


def test_a_long_root_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("x" * 100))
    path = layout.control_socket
    assert len(os.fsencode(path)) <= 107
    path.parent.mkdir(mode=0o755)
    try:
        service = ControlService(reactor, layout, Fakes().calls())
        with pytest.raises(ControlUnavailable, match="accessible to other users"):
            service.privilegedStartService()
    finally:
        path.parent.rmdir()


@pytest_twisted.ensureDeferred
async def test_questions_about_a_policy_reach_the_operations(
    control: tuple[Path, Fakes],
) -> None:
    path, _ = control
    answer = await call(path, "POST", "/v1/devices/a/policy/why", {"address": "192.0.2.1"})
    assert _last(answer)["result"] == {"name": "a", "address": "192.0.2.1"}
    answer = await call(path, "POST", "/v1/devices/a/purge", {"accept": ["take_over"]})
    assert _last(answer)["result"] == {
        "name": "a",
        "accept": ["take_over"],
        "force": False,
        "plan": None,
        "reason": "",
    }
    assert (await call(path, "GET", "/v1/devices/a/policy/history")).json() == {"name": "a"}


@pytest_twisted.ensureDeferred
async def test_work_goes_on_when_the_client_goes_away(
    control: tuple[Path, Fakes],
) -> None:
    path, operations = control

    def begin_and_leave() -> str:
        with (
            httpx.Client(
                transport=httpx.HTTPTransport(uds=str(path)), base_url="http://manager", timeout=60
            ) as client,
            client.stream("GET", "/v1/devices/slow/plan") as answer,
        ):
            return next(line for line in answer.iter_lines() if "progress" in line)

    assert "begun" in await deferToThread(begin_and_leave)
    for _ in range(20):
        await Deferred.fromCoroutine(_later())
    operations.goes_on.callback(None)
    for _ in range(20):
        await Deferred.fromCoroutine(_later())
    assert operations.asked == ["ended"]


@pytest_twisted.ensureDeferred
async def test_batches_set_aside_and_readers_are_reached(
    control: tuple[Path, Fakes],
) -> None:
    path, _ = control

    async def result(method: str, url: str, body: Any = None) -> Any:
        return _last(await call(path, method, url, body))["result"]

    assert await result("GET", "/v1/devices/a/aside") == {"name": "a"}
    sent = await result("POST", "/v1/devices/a/aside/send", {"key": "k"})
    assert sent == {"name": "a", "key": "k"}
    dropped = await result("DELETE", "/v1/devices/a/readers/forward-1")
    assert dropped == {"name": "a", "reader": "forward-1"}


@pytest_twisted.ensureDeferred
async def test_who_asks_is_known_by_the_kernel_and_nobody_writes_anothers_name(
    control: tuple[Path, Fakes],
) -> None:
    path, fakes = control
    me = pwd.getpwuid(os.getuid()).pw_name
    assert (await call(path, "GET", "/v1/devices/a")).json()["actor"] == me
    for name in ("somebody", b"\xff\xfe"):
        forged = {"X-Tscm-User": name}
        answer = await call(path, "POST", "/v1/devices/a/logs", headers=forged)
        assert "may not act on behalf of others" in _last(answer)["error"]["sentence"]
    assert fakes.asked == []


@pytest_twisted.ensureDeferred
async def test_a_delegate_names_the_user_for_whom_it_asks(tmp_path: Path) -> None:
    fakes, layout = Fakes(), Layout(tmp_path)
    service = ControlService(reactor, layout, fakes.calls(), lambda: {os.getuid()})
    service.privilegedStartService()
    service.startService()
    try:
        for_alice = {"X-Tscm-User": "alice"}
        await call(layout.control_socket, "POST", "/v1/devices/a/logs", headers=for_alice)
        (entry,) = fakes.asked
        assert entry.on_behalf_of == "alice"
        assert entry.uid == os.getuid()
        assert (entry.operation, entry.device, entry.outcome) == ("logs", "a", "done")
        odd = await call(
            layout.control_socket, "GET", "/v1/devices/a", headers={"X-Tscm-User": b"\xff\xfe"}
        )
        assert odd.status_code == 400
        assert "x-tscm-user is not UTF-8" in odd.json()["error"]["sentence"]
    finally:
        await maybeDeferred(service.stopService)


def _ask_and_leave(path: Path, method: str, url: str, body: Any) -> Json:
    """Read until the job waits, then hang up."""
    with (
        httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), base_url="http://manager", timeout=10
        ) as client,
        client.stream(method, url, json=body) as answer,
    ):
        for line in answer.iter_lines():
            job: Json = json.loads(line).get("job") or {}
            if job.get("waits_for"):
                return job
    raise AssertionError("the job never waited")


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it never came true")


@pytest_twisted.ensureDeferred
async def test_a_call_that_waits_says_for_what_and_is_dropped_when_its_client_goes(
    control: tuple[Path, Fakes],
) -> None:
    path, fakes = control
    url, body = "/v1/devices/a/policy/rollback", {"generation": 3}
    job = await deferToThread(_ask_and_leave, path, "POST", url, body)
    assert job["waits_for"] == "an update has been in progress since noon"
    assert job["state"] == "queued"
    await _until(lambda: fakes.all.job(job["id"]).state is JobState.WITHDRAWN)
    fakes.turn.callback(None)
    await Deferred.fromCoroutine(_later())
    (entry,) = fakes.asked
    assert (entry.operation, entry.outcome) == ("rollback", "withdrawn"), "it never began"
    assert entry.arguments == {"generation": 3}


@pytest_twisted.ensureDeferred
async def test_a_waiting_job_can_be_withdrawn_and_one_under_way_cannot(
    control: tuple[Path, Fakes],
) -> None:
    path, fakes = control
    url = "/v1/devices/a/policy/rollback?detach=yes"
    job = _last(await call(path, "POST", url, {"generation": 3}))["result"]["job"]
    assert (job["state"], job["attached"]) == ("queued", False)
    gone = (await call(path, "POST", f"/v1/jobs/{job['id']}/withdraw")).json()
    assert gone["state"] == "withdrawn"
    fakes.turn.callback(None)
    job = _last(await call(path, "GET", "/v1/devices/slow/plan?detach=yes"))["result"]["job"]
    answer = await call(path, "POST", f"/v1/jobs/{job['id']}/withdraw")
    assert "has started and cannot be withdrawn" in answer.json()["error"]["sentence"]
    assert (await call(path, "GET", f"/v1/jobs/{job['id']}")).json()["progress"]["text"] == "begun"
    fakes.goes_on.callback(None)
    await _until(lambda: fakes.all.job(job["id"]).state is JobState.DONE)
    listed = (await call(path, "GET", "/v1/jobs")).json()
    assert [one["state"] for one in listed] == ["withdrawn", "done"]
    answer = await call(path, "GET", "/v1/jobs/99")
    assert "no job 99" in answer.json()["error"]["sentence"]


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/v1/devices", {"settings": "x"}),
        ("POST", "/v1/devices", {}),
        ("POST", "/v1/devices/a/update", {"force": "yes"}),
        ("POST", "/v1/devices/a/policy/diff", {"older": True}),
        ("POST", "/v1/devices/a/policy/rollback", {"generation": "3"}),
        ("GET", "/v1/jobs/one", None),
        ("GET", "/v1/audit?top=x", None),
        ("GET", "/v1/audit?top=10000000000000000000000000", None),
        ("GET", "/v1/jobs/10000000000000000000000000", None),
        ("POST", "/v1/devices/fw1/policy/rollback", {"generation": 1 << 63}),
        ("POST", "/v1/devices/fw1/policy/diff", {"older": 1, "newer": -(1 << 80)}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_arguments_of_another_shape_are_a_sentence(
    control: tuple[Path, Fakes], method: str, url: str, body: Any
) -> None:
    path, fakes = control
    error = _last(await call(path, method, url, body))["error"]
    assert error["sentence"].startswith("control request: ")
    assert error["exit_status"] == 2
    assert fakes.asked == []


@pytest_twisted.ensureDeferred
async def test_a_fault_of_ours_in_a_short_call_is_told_and_logged(
    control: tuple[Path, Fakes], monkeypatch: pytest.MonkeyPatch, logged_failures: list[LogEvent]
) -> None:
    path, fakes = control
    monkeypatch.setattr(fakes, "echo", lambda *_: {"n": object()})
    answer = await call(path, "GET", "/v1/status")
    assert answer.status_code == 500
    assert answer.json()["error"]["exit_status"] == 70
    assert logged_failures.pop()["log_failure"].type is TypeError


@pytest.mark.parametrize(
    ("method", "url"), [("GET", "/v1/nonsense"), ("DELETE", "/v1/status"), ("GET", "/")]
)
@pytest_twisted.ensureDeferred
async def test_an_unknown_call_is_a_sentence(
    control: tuple[Path, Fakes], method: str, url: str
) -> None:
    path, _ = control
    answer = await call(path, method, url)
    assert answer.status_code == 404
    sentence = answer.json()["error"]["sentence"]
    assert sentence.startswith(f"control request: the manager does not know '{method} {url}'")
