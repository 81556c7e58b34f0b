"""
A manager whose live log somebody else moves, deletes or truncates: what a stop and a start make of it.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.manager.manager_process import Manager, send_udp, wait_for
from tests.manager.test_manager_ledger import tsadmin

LINES = [b"<166>Jul 12 2026 08:11:50: %%ASA-6-302013: line %04d" % number for number in range(900)]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.stop()


def moved(live: Path) -> None:
    live.rename(live.with_name("syslog.1"))


def rotated(live: Path) -> None:
    """As logrotate does with `create`."""
    moved(live)
    live.touch()


def deleted(live: Path) -> None:
    live.unlink()


def copytruncate(live: Path) -> None:
    """As logrotate does with `copytruncate`."""
    shutil.copyfile(live, live.with_name("syslog.1"))
    os.truncate(live, 0)


def filled(manager: Manager) -> Path:
    manager.write_device("fw", log_rotate_size=1024)
    manager.start()
    port = manager.port("udp")
    for at in range(0, len(LINES), 100):
        send_udp(port, *LINES[at : at + 100])
        manager.when_lines("fw", at + 100)
    return manager.layout.device_log("fw") / "syslog"


@pytest.mark.parametrize("somebody", [moved, rotated, deleted])
def test_a_clean_stop_loses_no_line_of_a_live_log_that_somebody_took(
    manager: Manager, somebody: Callable[[Path], None]
) -> None:
    live = filled(manager)
    somebody(live)
    manager.stop()
    live.with_name("syslog.1").unlink(missing_ok=True)
    manager.start()
    assert sorted(manager.lines("fw")) == sorted(LINES)
    found = manager.ask("/v1/ledger")
    assert found["balanced"]
    assert (found["book"]["gaps_total"], found["devices"]["fw"]["unclean_stops"]) == (0, 0)
    said = manager.said()
    assert "moved or deleted the live log of fw" in said
    assert "not clean" not in said


def test_a_truncated_live_log_is_a_gap_with_its_cause_and_no_alarm(manager: Manager) -> None:
    live = filled(manager)
    wait_for(lambda: manager.ask("/v1/ledger")["balanced"], manager.said)
    copytruncate(live)
    send_udp(manager.port("udp"), b"<166>after")
    wait_for(
        lambda: manager.ask("/v1/ledger")["devices"]["fw"]["stored"] == len(LINES) + 1,
        manager.said,
    )
    for _ in range(2):
        found = manager.ask("/v1/ledger")
        assert found["balanced"], found
        (gap,) = found["devices"]["fw"]["gaps"]
        assert (gap["cause"], gap["lost"]) == ("truncated", len(LINES))
        assert found["devices"]["fw"]["unclean_stops"] == found["book"]["gaps_total"] == 0
        assert live.read_bytes() == b"<166>after\n"
        manager.stop()
        manager.start()
    assert "truncated by another process" in tsadmin(manager, "ledger").stdout
    assert "another process truncated the live log 1 time" in " ".join(
        tsadmin(manager, "show", "fw").stdout.split()
    )
    assert "900 lines are lost" in manager.said()
    assert "ALARM" not in manager.said()
    assert "not clean" not in manager.said()


def test_after_a_kill_the_gap_is_told_in_times_that_people_read(manager: Manager) -> None:
    manager.environment["TZ"] = "Europe/Zurich"
    filled(manager)
    wait_for(
        lambda: json.loads(manager.layout.ledger.read_text().partition(" ")[2])["starts"] == 1,
        manager.said,
    )
    manager.stop(signal.SIGKILL)
    manager.start()
    (line,) = [one for one in manager.said().splitlines() if "the last stop was not clean" in one]
    assert line.count("+01:00") + line.count("+02:00") >= 2
