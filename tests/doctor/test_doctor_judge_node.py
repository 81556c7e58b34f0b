"""
What is said of host and manager, for every verdict that there is.
"""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tscm.base.host_port import HostPort
from tscm.doctor import judge_node
from tscm.doctor.finding import Finding, failed, ok, warning, worst
from tscm.doctor.probe_database import damage
from tscm.intake.figures import AnyListener, BufferFigures, DatagramFigures, StreamFigures
from tscm.services.figures import KeptUploads, LogServiceFigures
from tscm.settings.node import Listen
from tscm.standing import Verdict
from tscm.state import ManagerState

GB = 1 << 30
OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED


def uploads(refusing: str | None = None, fault: str | None = None) -> LogServiceFigures:
    kept = KeptUploads(batches=2, kept_bytes=3_500_000)
    return LogServiceFigures(devices={"tdid_a1": kept}, refusing=refusing, fault=fault)


def space(free: int, total: int = 1000 * GB, files: int | None = 10**6) -> judge_node.Space:
    return judge_node.Space(folder="/logs", free=free, total=total, files=files)


def udp(lost: int | None = 0, received: int = 1000, reached: int = 100) -> dict[str, AnyListener]:
    buffer = BufferFigures(asked=100, reached=reached, hint="run sysctl -w net.core.rmem_max=100")
    return {
        "udp 0.0.0.0:514": DatagramFigures(
            received=received, kernel_drops=lost, receive_buffer=buffer
        ),
        "tcp 0.0.0.0:514": StreamFigures(received=5),
    }


CASES: list[tuple[Finding, Verdict, str]] = [
    (judge_node.judge_manager(ManagerState(version="1", pid=7)), OK, "process 7"),
    (judge_node.judge_manager(None), FAILED, "no manager is running"),
    (judge_node.judge_settings(None, {}, 2), OK, "2 devices"),
    (judge_node.judge_settings(None, {}, 0), WARNING, "no device"),
    (judge_node.judge_settings("x has changed; restart the manager", {}, 2), WARNING, "restart"),
    (judge_node.judge_settings("tscm.toml: a fault", {}, 2), FAILED, "a fault"),
    (judge_node.judge_settings(None, {"fw": "bad port"}, 2), FAILED, "fw: bad port"),
    (judge_node.judge_key(None, there=True, devices=["fw"]), OK, "decrypts"),
    (judge_node.judge_key(None, there=False, devices=[]), OK, "none is needed"),
    (judge_node.judge_key(None, there=False, devices=["fw"]), WARNING, "unencrypted"),
    (judge_node.judge_key("key: it is lost", there=True, devices=["fw"]), FAILED, "lost"),
    (judge_node.judge_disk([space(500 * GB)], 512), OK, "512,000 MB free"),
    (judge_node.judge_disk([space(40 * GB)], 512), WARNING, "/logs"),
    (judge_node.judge_disk([space(GB // 2 + GB // 4, GB)], 512), WARNING, "/logs"),
    (judge_node.judge_disk([space(GB // 4)], 512), FAILED, "oldest segments"),
    (judge_node.judge_disk([space(0)], 0), FAILED, "0 MB free"),
    (judge_node.judge_disk([space(500 * GB, files=3)], 512), FAILED, "3 free inodes"),
    (judge_node.judge_disk((), 512, "/logs: permission denied"), FAILED, "permission denied"),
    (judge_node.judge_uploads(uploads()), OK, "2 uploads kept, 3 MB"),
    (judge_node.judge_uploads(uploads(refusing="short of space")), FAILED, "short of space"),
    (judge_node.judge_uploads(uploads(fault="Read-only file system")), FAILED, "Read-only"),
    (judge_node.judge_clock(1.8e9, True), OK, "is synchronised"),
    (judge_node.judge_clock(1.8e9, None), OK, "plausible"),
    (judge_node.judge_clock(1.8e9, False), WARNING, "not synchronised"),
    (judge_node.judge_clock(0.0, True), FAILED, "behind"),
    (judge_node.judge_listeners({"udp": ["0.0.0.0:514"], "tcp": []}, []), OK, "udp 0.0.0.0:514"),
    (judge_node.judge_listeners(None, []), OK, "available"),
    (judge_node.judge_listeners({"udp": []}, []), FAILED, "no listeners"),
    (judge_node.judge_listeners(None, ["udp 1.2.3.4:514: taken"]), FAILED, "taken"),
    (judge_node.judge_buffers(udp(), 100, None), OK, "100 bytes"),
    (
        judge_node.judge_buffers({"tcp x": StreamFigures(received=1)}, 100, None),
        OK,
        "no UDP listener",
    ),
    (judge_node.judge_buffers(udp(reached=50), 100, None), WARNING, "50 bytes"),
    (judge_node.judge_buffers(None, 100, 100), OK, "allows"),
    (judge_node.judge_buffers(None, 100, None), OK, "allows"),
    (judge_node.judge_buffers(None, 100, 99), WARNING, "99"),
    (judge_node.judge_database(None), OK, "usable"),
    (judge_node.judge_database("damaged"), FAILED, "damaged"),
    (judge_node.judge_database(None, "malformed"), FAILED, "malformed"),
    (judge_node.judge_kernel_drops(udp()), OK, "none"),
    (judge_node.judge_kernel_drops({}), OK, "no UDP listener"),
    (judge_node.judge_kernel_drops(udp(None)), WARNING, "does not report"),
    (judge_node.judge_kernel_drops(udp(1, 10_000)), WARNING, "1 datagrams"),
    (judge_node.judge_kernel_drops(udp(100, 1000)), FAILED, "100 datagrams"),
]


@pytest.mark.parametrize(("finding", "verdict", "words"), CASES)
def test_verdict_on_a_link_of_the_node(finding: Finding, verdict: Verdict, words: str) -> None:
    assert finding.verdict == verdict
    assert words in finding.sentence


def test_what_is_not_good_says_what_to_do() -> None:
    for finding, verdict, _ in CASES:
        if verdict != OK and "does not report" not in finding.sentence:
            assert finding.remedy, finding


def test_a_database_too_large_to_be_read_through_in_time_is_not_called_damaged(
    tmp_path: Path,
) -> None:
    database = tmp_path / "tscm.db"
    with closing(sqlite3.connect(database)) as made:
        made.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        made.executemany("INSERT INTO t (b) VALUES (?)", [("x" * 20,)] * 50_000)
        made.commit()
    late = itertools.count(step=6)
    assert damage(database, clock=lambda: float(next(late))) is None
    assert next(late) > 10  # it was ended in the middle
    assert damage(database) is None
    database.write_bytes(database.read_bytes()[:-4096])
    assert damage(database) is not None


def test_the_worst_link_is_the_verdict_on_the_chain() -> None:
    one, two, three = ok("a", ""), warning("b", ""), failed("c", "")
    assert worst([]) == OK
    assert worst([one]) == OK
    assert worst([one, two]) == WARNING
    assert worst([two, three, one]) == FAILED


@pytest.mark.parametrize(
    ("host", "guards", "verdict", "words"),
    [
        ("127.0.0.1", {}, Verdict.OK, "only on loopback"),
        ("0.0.0.0", {}, Verdict.WARNING, "any host that reaches 0.0.0.0:9514"),
        ("::", {"metrics_account_file": "/a"}, Verdict.WARNING, "unencrypted"),
        (
            "192.0.2.1",
            {"metrics_account_file": "/a", "metrics_certificate": "/c", "metrics_key": "/k"},
            Verdict.OK,
            "over TLS",
        ),
    ],
)
def test_metrics_that_others_reach_should_be_guarded(
    host: str, guards: dict[str, Any], verdict: Verdict, words: str
) -> None:
    (found,) = judge_node.judge_metrics(Listen(metrics=(HostPort(host, 9514),), **guards))
    assert found.verdict is verdict
    assert words in found.sentence


def test_no_metrics_are_no_finding() -> None:
    assert judge_node.judge_metrics(Listen()) == []
