"""
The control interface over a real UNIX socket, with operations of the test's own.
"""

import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent

from tscm.control import ControlService
from tscm.errors import ControlUnavailable, DeviceUnknown
from tscm.model import Json, Progress, Report
from tscm.risks import Consent
from tscm.settings.layout import Layout


class FakeOperations:
    """Answers from a dictionary; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.goes_on: Deferred[None] = Deferred()

    def status(self) -> Json:
        return {"version": "0.1.0"}

    def device_rows(self) -> list[Json]:
        return [{"name": "a"}]

    def device_view(self, name: str) -> Json:
        if name != "a":
            raise DeviceUnknown(name)
        return {"settings": {"name": "a"}, "state": {}}

    async def add_device(self, table: Json, report: Report) -> Json:
        self.asked.append(table)
        report(Progress(phase="fetch", text="block list"))
        report(Progress(phase="push", text="step", done=1, total=2))
        await Deferred.fromCoroutine(_later())
        return {"name": table["name"]}

    async def change_device(self, name: str, table: Json, report: Report) -> Json:
        raise DeviceUnknown(name)

    async def remove_device(self, name: str) -> Json:
        return {"name": name, "lines": "no logging host"}

    async def update_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        raise ZeroDivisionError(f"{name} {list(consent.words)}")

    async def plan_device(
        self, name: str, report: Report, *, consent: Consent, survey: bool
    ) -> Json:
        if name == "slow":
            report(Progress(phase="plan", text="begun"))
            await self.goes_on
            self.asked.append("ended")
        return {"name": name, "accept": list(consent.words)}

    async def upload_logs(self, name: str, report: Report) -> Json:
        return {"name": b"no JSON" if name == "bytes" else name}

    async def batches_aside(self, name: str) -> Json:
        return {"name": name, "batches": []}

    async def aside(self, name: str, what: str, key: str, report: Report) -> Json:
        return {"name": name, what: key}

    async def drop_reader(self, name: str, reader: str) -> Json:
        return {"name": name, "reader": reader}

    def policy_history(self, name: str) -> Json:
        return {"name": name}

    async def policy(self, name: str, question: str, body: Json, report: Report) -> Json:
        return {"name": name, question: body}

    async def purge_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        return {"name": name, "accept": list(consent.words)}

    async def doctor(self, name: str | None, report: Report) -> Json:
        self.asked.append(("doctor", name))
        return {"findings": []}

    async def rebuild_events(self, name: str, report: Report) -> Json:
        return {"name": name}

    async def report(self, name: str, options: Json) -> Json:
        return {"name": name, **options}

    def ledger(self, device: str | None) -> Json:
        return {"device": device}

    def senders(self) -> list[Json]:
        return []

    async def adopt_sender(self, address: str, name: str) -> Json:
        return {"address": address, "name": name}

    def versions(self) -> list[Json]:
        return []


async def _later() -> None:
    waited: Deferred[None] = Deferred()
    reactor.callLater(0, waited.callback, None)
    await waited


@pytest_twisted.async_yield_fixture()
async def control(tmp_path: Path) -> AsyncIterator[tuple[Path, FakeOperations]]:
    operations = FakeOperations()
    layout = Layout(tmp_path)
    service = ControlService(reactor, layout, operations)
    service.privilegedStartService()
    service.startService()
    yield layout.control_socket, operations
    stopped = service.stopService()
    if stopped is not None:
        await stopped


def call(path: Path, method: str, url: str, body: Any = None) -> Deferred[httpx.Response]:
    def send() -> httpx.Response:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), base_url="http://manager", timeout=60
        ) as client:
            return client.request(method, url, json=body)

    return deferToThread(send)


@pytest_twisted.ensureDeferred
async def test_short_calls_answer_with_one_document(control: tuple[Path, FakeOperations]) -> None:
    path, _ = control
    assert (await call(path, "GET", "/v1/status")).json() == {"version": "0.1.0"}
    assert (await call(path, "GET", "/v1/devices/a")).json()["settings"] == {"name": "a"}
    assert (await call(path, "GET", "/v1/ledger?device=a")).json() == {"device": "a"}
    assert (await call(path, "GET", "/v1/ledger")).json() == {"device": None}


@pytest_twisted.ensureDeferred
async def test_an_error_travels_as_sentence_and_status(
    control: tuple[Path, FakeOperations],
) -> None:
    path, _ = control
    answer = await call(path, "GET", "/v1/devices/b")
    assert answer.status_code == 409
    assert "no device named 'b'" in answer.json()["error"]["sentence"]
    answer = await call(path, "PUT", "/v1/devices/b", {"settings": {}})
    assert json.loads(answer.text.splitlines()[-1])["error"]["exit_status"] == 1


@pytest_twisted.ensureDeferred
async def test_long_calls_stream_progress_and_then_the_result(
    control: tuple[Path, FakeOperations],
) -> None:
    path, operations = control
    answer = await call(path, "POST", "/v1/devices", {"settings": {"name": "a"}})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["progress"]["phase"] for line in lines[:-1]] == ["fetch", "push"]
    assert lines[1]["progress"]["total"] == 2
    assert lines[-1] == {"result": {"name": "a"}}
    assert operations.asked == [{"name": "a"}]


@pytest_twisted.ensureDeferred
async def test_a_fault_of_ours_is_told_and_logged(
    control: tuple[Path, FakeOperations], logged_failures: list[LogEvent]
) -> None:
    path, _ = control
    answer = await call(path, "POST", "/v1/devices/a/update", {"force": True})
    error = json.loads(answer.text)["error"]
    assert error["exit_status"] == 70
    assert "ZeroDivisionError" in error["sentence"]
    assert "Traceback" not in answer.text
    assert logged_failures.pop()["log_failure"].type is ZeroDivisionError


@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_no_json_is_a_fault_that_is_told(
    control: tuple[Path, FakeOperations], logged_failures: list[LogEvent]
) -> None:
    path, _ = control
    answer = await call(path, "POST", "/v1/devices/bytes/logs")
    assert "TypeError" in json.loads(answer.text)["error"]["sentence"]
    assert len(logged_failures) == 1
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_a_body_that_is_no_object_is_refused(control: tuple[Path, FakeOperations]) -> None:
    path, operations = control
    answer = await call(path, "POST", "/v1/devices", ["x"])
    assert "no JSON object" in json.loads(answer.text)["error"]["sentence"]
    assert operations.asked == []


@pytest_twisted.ensureDeferred
async def test_the_socket_is_closed_to_strangers(control: tuple[Path, FakeOperations]) -> None:
    path, _ = control
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.parent.stat().st_mode & 0o007


def test_a_long_root_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("x" * 100))
    path = layout.control_socket
    assert len(os.fsencode(path)) <= 107
    path.parent.mkdir(mode=0o755)
    try:
        service = ControlService(reactor, layout, FakeOperations())
        with pytest.raises(ControlUnavailable, match="open to others"):
            service.privilegedStartService()
    finally:
        path.parent.rmdir()


@pytest_twisted.ensureDeferred
async def test_questions_about_a_policy_reach_the_operations(
    control: tuple[Path, FakeOperations],
) -> None:
    path, _ = control
    answer = await call(path, "POST", "/v1/devices/a/policy/why", {"address": "192.0.2.1"})
    assert json.loads(answer.text)["result"] == {"name": "a", "why": {"address": "192.0.2.1"}}
    answer = await call(path, "POST", "/v1/devices/a/purge", {"accept": ["take_over"]})
    assert json.loads(answer.text)["result"] == {"name": "a", "accept": ["take_over"]}
    assert (await call(path, "GET", "/v1/devices/a/policy/history")).json() == {"name": "a"}


@pytest_twisted.ensureDeferred
async def test_work_goes_on_when_the_client_goes_away(
    control: tuple[Path, FakeOperations],
) -> None:
    path, operations = control

    def begin_and_leave() -> str:
        with (
            httpx.Client(
                transport=httpx.HTTPTransport(uds=str(path)), base_url="http://manager", timeout=60
            ) as client,
            client.stream("GET", "/v1/devices/slow/plan") as answer,
        ):
            return next(answer.iter_lines())

    assert "begun" in await deferToThread(begin_and_leave)
    for _ in range(20):
        await Deferred.fromCoroutine(_later())
    operations.goes_on.callback(None)
    for _ in range(20):
        await Deferred.fromCoroutine(_later())
    assert operations.asked == ["ended"]


@pytest_twisted.ensureDeferred
async def test_batches_set_aside_and_readers_are_reached(
    control: tuple[Path, FakeOperations],
) -> None:
    path, _ = control

    async def result(method: str, url: str, body: Any = None) -> Any:
        return json.loads((await call(path, method, url, body)).text)["result"]

    assert await result("GET", "/v1/devices/a/aside") == {"name": "a", "batches": []}
    sent = await result("POST", "/v1/devices/a/aside/send", {"key": "k"})
    assert sent == {"name": "a", "send": "k"}
    dropped = await result("DELETE", "/v1/devices/a/readers/forward-1")
    assert dropped == {"name": "a", "reader": "forward-1"}
