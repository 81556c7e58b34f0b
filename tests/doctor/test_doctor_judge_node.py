"""
What is said of host and manager, for every verdict that there is.
"""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tscm.doctor import node
from tscm.doctor.finding import Finding, Verdict, broken, doubtful, good, worst
from tscm.doctor.look_database import damage
from tscm.model import Json
from tscm.settings.node import Listen
from tscm.settings.values import HostPort

GB = 1 << 30
GOOD, DOUBTFUL, BROKEN = Verdict.GOOD, Verdict.DOUBTFUL, Verdict.BROKEN


def uploads(**more: str | None) -> Json:
    return {
        "devices": {"tdid_a1": {"batches": 2, "bytes": 3_500_000}},
        "refusing": None,
        "fault": None,
        **more,
    }


def space(free: int, total: int = 1000 * GB, files: int | None = 10**6) -> node.Space:
    return node.Space(folder="/logs", free=free, total=total, files=files)


def udp(lost: int | None = 0, received: int = 1000, reached: int = 100) -> dict[str, Any]:
    buffer = {"asked": 100, "reached": reached, "hint": "sysctl -w net.core.rmem_max=100"}
    return {
        "udp 0.0.0.0:514": {"received": received, "kernel_drops": lost, "receive_buffer": buffer},
        "tcp 0.0.0.0:514": {"received": 5},
    }


CASES: list[tuple[Finding, Verdict, str]] = [
    (node.judge_manager({"version": "1", "pid": 7}), GOOD, "process 7"),
    (node.judge_manager(None), BROKEN, "no manager runs"),
    (node.judge_settings(None, {}, 2), GOOD, "2 devices"),
    (node.judge_settings(None, {}, 0), DOUBTFUL, "no device"),
    (node.judge_settings("x has changed; restart the manager", {}, 2), DOUBTFUL, "restart"),
    (node.judge_settings("tscm.toml: a fault", {}, 2), BROKEN, "a fault"),
    (node.judge_settings(None, {"fw": "bad port"}, 2), BROKEN, "fw: bad port"),
    (node.judge_key(None, there=True, devices=["fw"]), GOOD, "opens"),
    (node.judge_key(None, there=False, devices=[]), GOOD, "none is needed"),
    (node.judge_key(None, there=False, devices=["fw"]), DOUBTFUL, "in the clear"),
    (node.judge_key("key: it is lost", there=True, devices=["fw"]), BROKEN, "lost"),
    (node.judge_disk([space(500 * GB)], 512), GOOD, "512,000 MB free"),
    (node.judge_disk([space(40 * GB)], 512), DOUBTFUL, "/logs"),
    (node.judge_disk([space(GB // 2 + GB // 4, GB)], 512), DOUBTFUL, "/logs"),
    (node.judge_disk([space(GB // 4)], 512), BROKEN, "oldest segments"),
    (node.judge_disk([space(0)], 0), BROKEN, "0 MB free"),
    (node.judge_disk([space(500 * GB, files=3)], 512), BROKEN, "3 more files"),
    (node.judge_disk((), 512, "/logs: no right"), BROKEN, "no right"),
    (node.judge_uploads(uploads()), GOOD, "2 batches in 3 MB"),
    (node.judge_uploads(uploads(refusing="short of space")), BROKEN, "short of space"),
    (node.judge_uploads(uploads(fault="Read-only file system")), BROKEN, "Read-only"),
    (node.judge_clock(1.8e9, True), GOOD, "right"),
    (node.judge_clock(1.8e9, None), GOOD, "plausible"),
    (node.judge_clock(1.8e9, False), DOUBTFUL, "nobody"),
    (node.judge_clock(0.0, True), BROKEN, "behind"),
    (node.judge_listeners({"udp": ["0.0.0.0:514"], "tcp": []}, []), GOOD, "udp 0.0.0.0:514"),
    (node.judge_listeners(None, []), GOOD, "free"),
    (node.judge_listeners({"udp": []}, []), BROKEN, "nowhere"),
    (node.judge_listeners(None, ["udp 1.2.3.4:514: taken"]), BROKEN, "taken"),
    (node.judge_buffers(udp(), 100, None), GOOD, "100 bytes"),
    (node.judge_buffers({"tcp x": {"received": 1}}, 100, None), GOOD, "nothing listens"),
    (node.judge_buffers(udp(reached=50), 100, None), DOUBTFUL, "50 bytes"),
    (node.judge_buffers(None, 100, 100), GOOD, "allows"),
    (node.judge_buffers(None, 100, None), GOOD, "allows"),
    (node.judge_buffers(None, 100, 99), DOUBTFUL, "99"),
    (node.judge_database(None), GOOD, "can be used"),
    (node.judge_database("damaged"), BROKEN, "damaged"),
    (node.judge_database(None, "malformed"), BROKEN, "malformed"),
    (node.judge_kernel_drops(udp()), GOOD, "none"),
    (node.judge_kernel_drops({}), GOOD, "nothing listens"),
    (node.judge_kernel_drops(udp(None)), DOUBTFUL, "does not tell"),
    (node.judge_kernel_drops(udp(1, 10_000)), DOUBTFUL, "1 datagrams"),
    (node.judge_kernel_drops(udp(100, 1000)), BROKEN, "100 datagrams"),
]


@pytest.mark.parametrize(("finding", "verdict", "words"), CASES)
def test_verdict_on_a_link_of_the_node(finding: Finding, verdict: Verdict, words: str) -> None:
    assert finding.verdict == verdict
    assert words in finding.sentence


def test_what_is_not_good_says_what_to_do() -> None:
    for finding, verdict, _ in CASES:
        if verdict != GOOD and "does not tell" not in finding.sentence:
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
    one, two, three = good("a", ""), doubtful("b", ""), broken("c", "")
    assert worst([]) == GOOD
    assert worst([one]) == GOOD
    assert worst([one, two]) == DOUBTFUL
    assert worst([two, three, one]) == BROKEN


@pytest.mark.parametrize(
    ("host", "guards", "verdict", "words"),
    [
        ("127.0.0.1", {}, Verdict.GOOD, "this host alone"),
        ("0.0.0.0", {}, Verdict.DOUBTFUL, "whoever reaches 0.0.0.0:9514"),
        ("::", {"metrics_account_file": "/a"}, Verdict.DOUBTFUL, "in the clear"),
        (
            "192.0.2.1",
            {"metrics_account_file": "/a", "metrics_certificate": "/c", "metrics_key": "/k"},
            Verdict.GOOD,
            "over TLS",
        ),
    ],
)
def test_metrics_that_others_reach_should_be_guarded(
    host: str, guards: dict[str, Any], verdict: Verdict, words: str
) -> None:
    (found,) = node.judge_metrics(Listen(metrics=(HostPort(host, 9514),), **guards))
    assert found.verdict is verdict
    assert words in found.sentence


def test_no_metrics_are_no_finding() -> None:
    assert node.judge_metrics(Listen()) == []
