"""
A manager with more logs than file descriptors: it stores each line, answers, and says what to do.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tscm.base.secrets import load_key

DEVICES = 60
FEW = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path, SETTINGS + 'metrics = ["127.0.0.1:0"]\n')
    yield made
    made.stop(signal.SIGKILL)


def test_no_line_is_lost_where_not_all_logs_can_be_open(manager: Manager) -> None:
    load_key(manager.layout.key, create=True)
    addresses = {f"fw{number}": f"127.0.7.{number + 1}" for number in range(DEVICES)}
    for name, address in addresses.items():
        manager.write_device(name, device=address)
    manager.prefix = FEW
    manager.start()
    port = manager.port("udp")
    for turn in range(2):
        for name, address in addresses.items():
            send_udp(port, f"<166>%ASA-6-302013: {name} {turn}".encode(), source=address)
        wait_for(lambda: stored(manager) == DEVICES * (turn + 1), manager.said)  # noqa: B023
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    assert sum(one["dropped"] for one in ledger["listeners"].values()) == 0
    for name in addresses:
        text = (manager.layout.logs / name / "syslog").read_text()
        assert text.split() == [
            word for turn in range(2) for word in ("<166>%ASA-6-302013:", name, str(turn))
        ]
    page = httpx.get(f"http://{manager.ask('/v1/status')['metrics'][0]}/healthz")
    assert page.status_code == 200
    assert "60 logs share 48 file descriptors" in page.text
    assert "raise LimitNOFILE" in page.text
    manager.stop()
    manager.prefix = []
    manager.start()
    assert manager.ask("/v1/ledger")["balanced"]
    assert stored(manager) == DEVICES * 2


def stored(manager: Manager) -> int:
    return sum(one["stored"] for one in manager.ask("/v1/ledger")["devices"].values())
