"""
`tsadmin spool` on a log that a spool has written.
"""

import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from tscm.base.threads import Threads
from tscm.base.time_words import read_time
from tscm.model import Run
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.settings.node import SpoolBounds
from tscm.spool.service import SpoolService

if TYPE_CHECKING:
    from tests.cli.conftest import Tsadmin

LINES = [b"<166>one\n", b"<166>two\x10nhalves\n", b"<166>three\n"]


class AtOnce:
    """Threads whose calls are done before they return."""

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return execute(call, *args)


@pytest.fixture
def log(root: Path) -> Path:
    """The folder of a log of three lines, of two senders, an hour apart; the first two sealed."""
    layout, clock = Layout(root), Clock()
    spool = SpoolService(
        layout.logs,
        SpoolBounds(fsync="off", min_free_mb=0),
        clock,
        cast(Threads, AtOnce()),
    )
    spool.startService()
    spool.open_device("tstest", 1 << 20)
    spool.append("tstest", [Run("192.0.2.10", LINES[0], 1)], 1_700_000_000.0)
    spool.append("tstest", [Run("192.0.2.11", LINES[1], 1, escaped=True)], 1_700_003_600.0)
    spool.seal("tstest")
    spool.append("tstest", [Run("192.0.2.10", LINES[2], 1)], 1_700_007_200.0)
    spool.close_device("tstest")
    stopped: Any = spool.stopService()
    clock.pump([1.0] * 5)
    del stopped
    return layout.device_log("tstest")


def test_logs_are_listed_with_and_without_their_device(log: Path, tsadmin: "Tsadmin") -> None:
    assert "tstest" in tsadmin("spool", "list").out
    (row,) = json.loads(tsadmin("spool", "list", "--json").out)
    assert (row["name"], row["device"], row["stored_lines"], row["segments"]) == (
        "tstest",
        False,
        3,
        1,
    )


def test_a_log_is_inspected(log: Path, tsadmin: "Tsadmin") -> None:
    out = tsadmin("spool", "inspect", "tstest").out

    assert "lines stored" in out
    assert str(log) in out
    assert json.loads(tsadmin("spool", "inspect", "tstest", "--json").out)["lines"] == 3


def test_lines_come_out_as_they_are_stored(log: Path, tsadmin: "Tsadmin") -> None:
    done = tsadmin("spool", "export", "tstest")

    assert done.out.encode() == b"".join(LINES)
    assert "3 lines" in done.err
    assert tsadmin("spool", "export", "tstest", "--sender", "192.0.2.11").out.encode() == LINES[1]
    since = tsadmin("spool", "export", "tstest", "--since", "2023-11-14T23:30:00+00:00")
    assert since.out.encode() == LINES[2]
    until = tsadmin("spool", "export", "tstest", "--until", "2023-11-14T22:30:00+00:00")
    assert until.out.encode() == LINES[0]


def test_lines_come_out_as_they_were_received(
    log: Path, tsadmin: "Tsadmin", tmp_path: Path
) -> None:
    path = tmp_path / "out"
    done = tsadmin("spool", "export", "tstest", "--restored", "-o", str(path))

    assert done.status == 0
    assert path.read_bytes() == LINES[0] + b"<166>two\nhalves\n" + LINES[2]
    assert path.stat().st_mode & 0o777 == 0o600
    again = tsadmin("spool", "export", "tstest", "-o", str(path))
    assert again.status == 1
    assert "File exists" in again.err


def test_a_sound_log_is_in_order(log: Path, tsadmin: "Tsadmin") -> None:
    done = tsadmin("spool", "verify")

    assert (done.status, done.err) == (0, "")
    assert "tstest: no faults" in done.out


def test_damage_is_found_and_mended(log: Path, tsadmin: "Tsadmin") -> None:
    next(log.glob(".spool/*segments*"), log / ".spool/segments").write_bytes(b"damaged")
    done = tsadmin("spool", "verify", "tstest")
    assert done.status == 1
    assert "`tsadmin spool repair tstest`" in done.err
    assert json.loads(tsadmin("spool", "verify", "--json").out)["tstest"]

    assert "was rebuilt" in tsadmin("spool", "repair", "tstest").out
    assert tsadmin("spool", "verify", "tstest").status == 0
    assert tsadmin("spool", "export", "tstest").out.encode() == b"".join(LINES)


def test_nothing_is_repaired_under_a_running_manager(
    log: Path, root: Path, tsadmin: "Tsadmin"
) -> None:
    with RootLock(Layout(root).lock, "the manager"):
        done = tsadmin("spool", "repair", "tstest")

    assert done.status == 5
    assert "is held by the manager" in done.err


@pytest.mark.parametrize("name", ["nobody", "../tstest", "", "x" * 300])
@pytest.mark.parametrize("word", ["inspect", "verify", "export", "repair"])
def test_a_log_that_is_not_there_is_a_sentence(
    log: Path, tsadmin: "Tsadmin", word: str, name: str
) -> None:
    if word == "verify" and not name:
        return
    done = tsadmin("spool", word, "--", name)

    assert done.status == 1
    assert "no log of" in done.err


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2h", "2026-11-23T10:00:00+00:00"),
        ("15m", "2026-11-23T11:45:00+00:00"),
        ("3 d", "2026-11-20T12:00:00+00:00"),
        ("9:30", "2026-11-23T09:30:00+00:00"),
        ("09:30:15", "2026-11-23T09:30:15+00:00"),
        ("2026-11-22", "2026-11-22T00:00:00+00:00"),
        ("2026-11-22 10:00", "2026-11-22T10:00:00+00:00"),
        ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00+00:00"),
    ],
)
def test_times_as_they_are_typed(text: str, found: str) -> None:
    assert datetime.fromtimestamp(read_time(text, NOW), UTC).isoformat() == found


@pytest.mark.parametrize("text", ["", "x", "25:00", "2026-13-01", "999999w", "1y", "٣h", "-1h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; allowed: "):
        read_time(text, NOW)


def test_messages_come_out_as_json_with_what_the_index_tells(log: Path, tsadmin: "Tsadmin") -> None:
    rows = [
        json.loads(line)
        for line in tsadmin("spool", "export", "tstest", "--json", "--restored").out.splitlines()
    ]
    assert [row["line"] for row in rows] == ["<166>one", "<166>two\nhalves", "<166>three"]
    assert [row["sender"] for row in rows] == ["192.0.2.10", "192.0.2.11", "192.0.2.10"]
    assert rows[2]["received_at"] == 1_700_007_200.0
    assert [row["offset"] for row in rows] == [0, len(LINES[0]), len(LINES[0] + LINES[1])]


def test_a_search_gives_json_or_says_that_nothing_fits(log: Path, tsadmin: "Tsadmin") -> None:
    found = tsadmin("search", "tstest", "o", "--json", "--max", "2")
    assert [json.loads(line) for line in found.out.splitlines()] == [
        {
            "offset": at,
            "line": LINES[number].decode().rstrip("\n"),
            "received_at": 1_700_000_000.0 + 3600 * number,
            "received_at_iso": f"2023-11-14T{22 + number}:13:20+00:00",
            "sender": f"192.0.2.1{number}",
        }
        for number, at in ((0, 0), (1, len(LINES[0])))
    ]
    counted = tsadmin("search", "tstest", "o", "--json", "--count")
    assert json.loads(counted.out) == {"name": "tstest", "count": 2}
    none = tsadmin("search", "tstest", "four")
    assert (none.status, none.out, none.err) == (1, "", "[INFO ] : No matching line in tstest\n")
    assert tsadmin("search", "tstest", "o", "--json", "--raw").status == 2


def test_a_tail_begins_in_sealed_segments_where_the_live_one_has_too_little(
    log: Path, tsadmin: "Tsadmin", options: Any
) -> None:
    added = tsadmin("add", "--type=asarest", *options(), "tstest")
    assert added.status == 0
    for count, first in (("1", 2), ("2", 1), ("3", 0), ("9", 0)):
        shown = tsadmin("tail", "tstest", "--once", "--json", "-n", count).out.splitlines()
        assert [json.loads(line)["line"] for line in shown] == [
            line.decode().rstrip("\n") for line in LINES[first:]
        ]
        assert all(json.loads(line)["sender"] and json.loads(line)["received_at"] for line in shown)
    assert tsadmin("tail", "tstest", "--once", "-n", "0").out == ""


def test_a_user_without_rights_is_not_told_that_there_is_nothing(
    log: Path, tsadmin: "Tsadmin", root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, portal = Layout(root).device_log("tstest"), Layout(root).portal / "entries"
    portal.mkdir(parents=True)
    ordinary, listed = Path.stat, Path.iterdir

    def stat(self: Path, **more: Any) -> os.stat_result:
        if self.parent == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return ordinary(self, **more)

    def iterdir(self: Path) -> Any:
        if self == portal:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return listed(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", stat)
        patch.setattr(Path, "iterdir", iterdir)
        for words in (("spool", "list"), ("spool", "inspect", "tstest"), ("search", "tstest", "x")):
            done = tsadmin(*words)
            assert done.status == 1
            assert f"permission denied for {folder}; run tsadmin as root or as a member" in done.err
        done = tsadmin("portal", "list")
        assert done.status == 2
        assert "No entries yet" not in done.both
        assert "permission denied; run tsadmin as root or as a member" in done.err
    assert "tstest" in tsadmin("spool", "list").out
