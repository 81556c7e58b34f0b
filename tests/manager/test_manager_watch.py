"""
`/metrics` and `/healthz` of a running manager.
"""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.test.requesthelper import DummyRequest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tscm.metrics.pages import LoopLag, WatchPages
from tscm.services.receipts import Stored, write_receipts
from tscm.services.uploads import uploads_folder
from tscm.state import Watched

WATCHED = SETTINGS + 'metrics = ["127.0.0.1:0"]\n'


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, WATCHED)
    yield one
    one.stop()


def pages(manager: Manager) -> httpx.Client:
    place = manager.ask("/v1/status")["metrics"][0]
    return httpx.Client(base_url=f"http://{place}", timeout=60, trust_env=False)


def value(text: str, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    raise AssertionError(f"no {name} {labels} in {text}")


@pytest.mark.peer("promtool")
def test_every_figure_is_there_and_promtool_has_nothing_against_them(manager: Manager) -> None:
    manager.write_device(
        "fw",
        syslog_forward=True,
        forward_address="127.0.0.1",
        forward_port=9,
        forward_protocol="TCP",
    )
    manager.start()
    send_udp(manager.port("udp"), b"<166>one", b"<166>two")
    send_udp(manager.port("udp"), b"<166>stranger", source="127.0.0.9")
    manager.when_lines("fw", 2)
    with pages(manager) as client:
        wait_for(
            lambda: value(client.get("/metrics").text, "tscm_unknown_senders") == 1, manager.said
        )
        text = client.get("/metrics").text
        assert value(text, "tscm_device_stored_lines_total", device="fw") == 2
        assert value(text, "tscm_reader_waiting_lines", device="fw", reader="forward") == 2
        assert value(text, "tscm_reader_lag_seconds", device="fw", reader="forward") >= 0
        assert value(text, "tscm_reader_lag_seconds", device="fw", reader="events") >= 0
        assert value(text, "tscm_device_kept_bytes", device="fw") == 18
        assert value(text, "tscm_device_segments", device="fw") == 0
        assert value(text, "tscm_policy_failed_runs", device="fw") == 0
        for result in ("changed", "unchanged", "refused", "failed", "stopped"):
            assert value(text, "tscm_updates_total", device="fw", result=result) == 0
        assert value(text, "tscm_update_requests_total", device="fw") == 0
        assert value(text, "tscm_update_sent_bytes_total", device="fw") == 0
        assert value(text, "tscm_update_received_bytes_total", device="fw") == 0
        assert value(text, "tscm_database_bytes") > 0
        assert value(text, "tscm_forward_up", device="fw") == 0
        assert value(text, "tscm_ledger_balanced") == 1
        assert value(text, "tscm_ledger_difference_lines", device="fw", reader="events") == 0
        assert value(text, "tscm_dropped_lines_total", cause="unknown sender") == 1
        assert value(text, "tscm_event_loop_lag_seconds") >= 0
        assert client.get("/healthz").text.splitlines()[0] == "ok"
        assert client.get("/other").status_code == 404
    promtool = shutil.which("promtool")
    assert promtool is not None
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_a_stream_did_not_bring_whole_is_counted(tmp_path: Path) -> None:
    manager = Manager(tmp_path, WATCHED + "[intake]\nmax_message_bytes = 480\n")
    manager.write_device("fw")
    manager.start()
    try:
        port = manager.port("tcp")
        with socket.create_connection(("127.0.0.1", port)) as firewall:
            firewall.sendall(b"<166>" + b"x" * 2000 + b"\n<166>half")
        with pages(manager) as client:

            def counted(name: str) -> float:
                return value(client.get("/metrics").text, name, listener=f"tcp 127.0.0.1:{port}")

            wait_for(lambda: counted("tscm_partial_messages_total") == 1, manager.said)
            assert counted("tscm_cut_lines_total") == 1
            assert counted("tscm_framing_faults_total") == 0
    finally:
        manager.stop()


def test_health_says_what_is_wrong(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    path = manager.layout.device_file("fw")
    path.write_text("not toml")
    with pages(manager) as client:
        wait_for(lambda: client.get("/healthz").status_code == 503, manager.said)
        assert "not valid TOML" in client.get("/healthz").text
        path.unlink()
        wait_for(lambda: client.get("/healthz").status_code == 200, manager.said)


def test_a_refused_connection_of_a_device_shows_everywhere(tmp_path: Path) -> None:
    settings = WATCHED + "[intake]\nmax_connections_per_sender = 1\n"
    manager = Manager(tmp_path, settings)
    manager.write_device("fw")
    manager.start()
    try:
        place = ("127.0.0.1", manager.port("tcp"))
        with pages(manager) as client, socket.create_connection(place) as first:
            first.sendall(b"<166>one\n")
            manager.when_lines("fw", 1)
            with socket.create_connection(place) as second:
                second.settimeout(30)
                with contextlib.suppress(ConnectionError):
                    assert second.recv(1) == b""
            text = client.get("/metrics").text
            assert value(text, "tscm_device_refused_connections_total", device="fw") == 1
            cause = "all connections of the sender taken"
            assert value(text, "tscm_refused_connections_total", cause=cause) == 1
            health = client.get("/healthz")
            assert health.status_code == 503
            assert "device fw: 1 connection from it was refused" in health.text
            assert "permit-hostdown" in health.text
        assert "permit-hostdown" in manager.said()
    finally:
        manager.stop()


def test_the_worst_delay_of_the_loop_is_told_once() -> None:
    clock = Clock()
    lag = LoopLag(clock)
    lag.start()
    clock.advance(0.5)
    assert lag.take() == 0
    clock.advance(2.0)  # the timer was due after half a second
    clock.advance(0.5)
    assert lag.take() == pytest.approx(1.5)
    assert lag.take() == 0
    lag.stop()
    assert clock.getDelayedCalls() == []


@pytest.mark.peer("promtool")
def test_what_the_log_service_keeps_is_a_figure(tmp_path: Path) -> None:
    manager = Manager(tmp_path, WATCHED + '[portal]\nlogs = ["127.0.0.1:0"]\n')
    folder = uploads_folder(manager.layout.portal, "tdid_a1")
    folder.mkdir(parents=True)
    (folder / f"b1~1~{'0' * 64}.log").write_bytes(b"x\n")
    write_receipts(folder, [Stored(batch="b0", lines=7, digest=bytes(32), size=70)])
    try:
        manager.start()
        with pages(manager) as client:

            def text() -> str:
                return client.get("/metrics").text

            wait_for(lambda: "tdid_a1" in text(), text)
            assert value(text(), "tscm_log_service_bytes", device_id="tdid_a1") == 2
            assert value(text(), "tscm_log_service_deleted_bytes_total", device_id="tdid_a1") == 70
            assert value(text(), "tscm_log_service_taking") in {0, 1}
            found = subprocess.run(
                ["promtool", "check", "metrics"],
                input=text(),
                text=True,
                capture_output=True,
                check=False,
            )
            assert found.stdout + found.stderr == ""
        told = manager.ask("/v1/status")["uploads"]["devices"]["tdid_a1"]
        assert (told["lines"], told["deleted_lines"]) == (1, 7)
    finally:
        manager.stop()


def test_who_asks_while_the_figures_are_made_is_given_the_same() -> None:
    looks: list[Deferred[Watched]] = []

    async def look() -> Watched:
        looks.append(Deferred())
        return await looks[-1]

    async def faults() -> list[str]:
        return []

    pages: Any = WatchPages(Clock(), look, faults, faults)
    asked = [Deferred.fromCoroutine(pages.metrics(DummyRequest([b"metrics"]))) for _ in range(64)]
    asked[3].cancel()
    assert isinstance(asked[3].result, Failure)
    asked[3].addErrback(lambda _: None)
    assert len(looks) == 1
    looks[0].errback(ZeroDivisionError())
    for one in (*asked[:3], *asked[4:]):
        assert isinstance(one.result, Failure)
        one.addErrback(lambda _: None)
    again = Deferred.fromCoroutine(pages.metrics(DummyRequest([b"metrics"])))
    assert len(looks) == 2
    again.cancel()
    again.addErrback(lambda _: None)
    looks[1].errback(ZeroDivisionError())
