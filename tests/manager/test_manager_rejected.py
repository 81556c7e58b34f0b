"""
A log service that does not know the device: told at its first answer, in the log, in the status and for monitoring.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tests.ports import held_port
from tscm.services.entries import add_entry

HIT = (
    b"<166>%ASA-6-106100: access-list g denied tcp outside/203.0.113.1(1) -> inside/10.0.0.1(443) "
    b"hit-cnt 1 first hit [0x1, 0x0]"
)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    port = held_port()
    one = Manager(
        tmp_path,
        SETTINGS
        + 'metrics = ["127.0.0.1:0"]\n'
        + f'[portal]\nlogs = ["127.0.0.1:{port}"]\n[upload]\nurl = "https://127.0.0.1:{port}"\n',
    )
    yield one
    one.stop()


def test_a_device_that_the_log_service_does_not_know_is_told_at_once(manager: Manager) -> None:
    entry = add_entry(manager.layout.portal, nickname="other", address="127.0.0.1")
    manager.write_device("fw", device_id="tdid_unknown1")
    manager.start()
    place = manager.ask("/v1/status")["metrics"][0]
    with httpx.Client(base_url=f"http://{place}", timeout=60, trust_env=False) as pages:
        assert pages.get("/healthz").status_code == 200
        send_udp(manager.port("udp"), HIT)
        manager.when_lines("fw", 1)
        failed = manager.command("POST", "/v1/devices/fw/logs")

        words = "unknown device ID or wrong device key (401); the embedded services have no entry with device ID"
        assert words in failed["error"]["sentence"]
        (row,) = manager.command("GET", "/v1/fleet")["result"]
        assert row["standing"] == "warning"
        assert any(words in cause for cause in row["causes"])
        health = pages.get("/healthz")
        assert (health.status_code, health.text.splitlines()[0]) == (200, "ok")
        assert f"warning: fw: {'; '.join(row['causes'])}" in health.text.splitlines()
        assert words in manager.said()

        manager.write_device("fw", device_id=entry.device_id)
        assert manager.process is not None
        manager.process.send_signal(signal.SIGHUP)
        wait_for(lambda: words not in pages.get("/healthz").text, manager.said)
        wait_for(
            lambda: manager.ask("/v1/devices/fw")["state"]["upload"]["sent"] == 1, manager.said
        )
