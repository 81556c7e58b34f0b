"""
What the lists did, as `tsadmin` tells it of a running manager: report, tail, search.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.manager_process import Manager, send_udp, wait_for
from tscm.policy.cidr import Entries
from tscm.store.database import Store
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies


def denied(
    address: str, inside: str = "10.0.0.1", port: int = 443, acl: str = "g", tail: str = ""
) -> bytes:
    return (
        f"<166>%ASA-6-106100: access-list {acl} denied tcp outside/{address}(4001) ->"
        f" inside/{inside}({port}) hit-cnt 1 first hit [0x1, 0x0]{tail}"
    ).encode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    one.write_device("fw", log_rotate_size=50)
    store = Store(one.layout.database)
    store.open()
    Policies(store).save_generation(
        "fw",
        Generation(
            applied_at=time.time() - 3600,
            block_entries=1,
            allow_entries=0,
            block=pack(Entries.of(["203.0.113.0/24"])),
            allow=pack(Entries.of([])),
        ),
    )
    store.close()
    one.start()
    yield one
    one.stop()


def tsadmin(
    manager: Manager, *words: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), *words],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def counted(manager: Manager) -> int:
    found = manager.command("POST", "/v1/devices/fw/report", {})
    return int(found["result"]["hits"])


def test_a_policy_line_that_cannot_be_read_is_told_everywhere(manager: Manager) -> None:
    send_udp(
        manager.port("udp"),
        denied("203.0.113.7"),
        b"<166>%ASA-6-106100: access-list g denied by decree of the king",
    )
    wait_for(lambda: counted(manager) == 1, manager.said)
    wait_for(
        lambda: manager.ask("/v1/devices/fw")["state"]["events"]["counted"]["unread"] == 1,
        manager.said,
    )
    row = manager.ask("/v1/ledger?device=fw")
    reader = row["devices"]["fw"]["readers"]["events"]
    assert (reader["sent"], reader["not_selected"], reader["unread"]) == (1, 1, 1)
    assert row["balanced"]
    for command in (["report", "fw"], ["show", "fw"], ["ledger"]):
        told = tsadmin(manager, *command)
        assert "1 line" in told.stdout + told.stderr, told
        assert "in no report" in " ".join((told.stdout + told.stderr).split()), told


def test_a_report_tells_who_was_blocked(manager: Manager) -> None:
    send_udp(
        manager.port("udp"),
        *[denied("203.0.113.7")] * 3,
        denied("203.0.113.9", port=22),
        denied("8.8.8.8"),
        b"<166>%ASA-6-302013: Built outbound TCP connection 1",
    )
    wait_for(lambda: counted(manager) == 4, manager.said)

    done = tsadmin(manager, "report", "fw", "--by", "outside", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(row["outside"], row["hits"]) for row in told["rows"]] == [
        ("203.0.113.7", 3),
        ("203.0.113.9", 1),
    ]
    done = tsadmin(manager, "report", "fw", "--by", "port", "--not_port", "443", "--csv")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["port", "hits", "lines"],
        ["22", "1", "1"],
    ]
    done = tsadmin(manager, "report", "fw", "--since", "1h")
    assert "203.0.113.0/24" in done.stdout
    assert "4 hits in 4 lines" in done.stdout
    assert "in whole hours" in done.stdout
    send_udp(
        manager.port("udp"), b"<161>%ASA-1-106101: Number of cached deny-flows has reached limit"
    )
    manager.when_lines("fw", 7)

    def warned() -> bool:
        return "1 time that" in tsadmin(manager, "report", "fw", "--csv").stderr

    wait_for(warned, manager.said)
    done = tsadmin(manager, "report", "fw", "--json", "--csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "use only one of --json and --csv" in done.stderr
    done = tsadmin(manager, "report", "fw", "--by", "colour")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    assert ledger["devices"]["fw"]["readers"]["events"]["sent"] == 4
    done = tsadmin(manager, "events", "rebuild", "fw")
    assert "fw: 7 lines recounted, 1 hour replaced" in done.stdout
    assert counted(manager) == 4

    manager.stop()
    alone = tsadmin(manager, "report", "fw", "--json")
    assert json.loads(alone.stdout)["hits"] == 4


def test_lines_are_found_in_old_and_new_segments(manager: Manager) -> None:
    udp = manager.port("udp")
    for n in range(6):
        send_udp(udp, *(b"<166>filler %d %d " % (n, k) + b"." * 1000 for k in range(20)))
        send_udp(udp, b"<166>Needle %d [\x1b[31m]" % n)
        manager.when_lines("fw", 21 * (n + 1))
    done = tsadmin(manager, "search", "fw", "Needle")
    assert [line.partition(" [")[0] for line in done.stdout.splitlines()] == [
        f"<166>Needle {n}" for n in range(6)
    ]
    assert "\x1b" not in done.stdout
    done = tsadmin(manager, "search", "fw", r"^<166>needle [2-4] ", "--regex", "-i", "--count")
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert tsadmin(manager, "search", "fw", "Needle", "--max", "2", "--count").stdout == "2\n"
    assert tsadmin(manager, "search", "fw", "no such text").returncode == 1
    # Lines that the index does not tell of yet, for a second at most, have no time that leaves them out.
    wait_for(
        lambda: tsadmin(manager, "search", "fw", "Needle", "--until", "1h").returncode == 1,
        manager.said,
    )
    wrong = tsadmin(manager, "search", "fw", "(", "--regex")
    assert wrong.returncode == 2
    assert "not a valid regular expression" in wrong.stderr
    unknown = tsadmin(manager, "search", "nobody", "x")
    assert unknown.returncode == 1
    assert "no log of 'nobody'" in unknown.stderr


def test_tail_follows_over_a_rotation_and_shows_the_entry(manager: Manager) -> None:
    udp = manager.port("udp")
    send_udp(udp, b"<166>first", denied("203.0.113.99"))
    manager.when_lines("fw", 2)
    words = [sys.executable, "-u", "-m", "tscm", "--root", str(manager.layout.root), "tail", "fw"]
    out = manager.layout.root / "plain"
    hits = manager.layout.root / "hits"
    with (
        out.open("wb") as plain_out,
        hits.open("wb") as hits_out,
        subprocess.Popen(words, stdout=plain_out) as plain,
        subprocess.Popen([*words, "--hits"], stdout=hits_out) as hit,
    ):
        try:
            wait_for(lambda: out.read_bytes().count(b"\n") == 2, manager.said)
            wait_for(lambda: hits.read_bytes().count(b"\n") == 1, manager.said)
            sent = 2
            for n in range(4):
                send_udp(udp, *(b"<166>%d %d " % (n, k) + b"." * 1000 for k in range(20)))
                send_udp(udp, denied(f"203.0.113.{n}", acl="<script>\x1b]0;x\x07"))
                sent += 21
                manager.when_lines("fw", sent)
                wait_for(lambda: out.read_bytes().count(b"\n") == sent, manager.said)  # noqa: B023
            wait_for(lambda: hits.read_bytes().count(b"\n") == 5, manager.said)
        finally:
            plain.terminate()
            hit.terminate()
    assert len(list(manager.layout.device_log("fw").glob("syslog.*"))) >= 1
    told = hits.read_text().splitlines()
    assert " blocked inbound tcp 203.0.113.3 -> 10.0.0.1:443  by block.example " in told[4]
    for line in (*told, *out.read_text().splitlines()):  # the time of receipt, and who sent it
        assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d 127\.0\.0\.\d+ ", line), line
    assert "203.0.113.0/24" in told[0]
    assert b"\x1b" not in out.read_bytes() + hits.read_bytes()
    assert [line for line in out.read_text().splitlines() if line.endswith("first")]


def test_no_byte_of_a_message_reaches_an_output_of_a_poor_locale(manager: Manager) -> None:
    send_udp(
        manager.port("udp"),
        denied("203.0.113.7", inside="\u00db31m"),  # its second octet is an escape in Latin-1
        b"<166>needle \xc3\x9b31m \x9b31m \xff",
    )
    wait_for(lambda: counted(manager) == 1, manager.said)
    poor = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "",  # what runs the tests may have asked for another
    }
    for words in (("tail", "fw", "--once"), ("tail", "fw", "--once", "--hits"), ("search", "fw", "31m"),
                  ("report", "fw", "--by", "inside"), ("report", "fw", "--by", "inside", "--csv"),
                  ("report", "fw", "--by", "inside", "--json")):  # fmt: skip
        done = tsadmin(manager, *words, environment=poor)
        assert done.returncode == 0, done.stderr
        assert "31m" in done.stdout
        assert done.stdout.isascii()


def test_text_of_a_sender_is_text_in_every_form(manager: Manager) -> None:
    send_udp(
        manager.port("udp"),
        denied("203.0.113.7", inside="=cmd|'x'!A0"),
        denied("203.0.113.8", inside="[red]x[/red]\u202e"),
        denied("203.0.113.9", inside="h" * 300),
    )
    wait_for(lambda: counted(manager) == 3, manager.said)
    table = tsadmin(manager, "report", "fw", "--by", "inside")
    assert "[red]x[/red]\\u202e" in table.stdout
    assert "\u202e" not in table.stdout
    rows = list(
        csv.reader(io.StringIO(tsadmin(manager, "report", "fw", "--by", "inside", "--csv").stdout))
    )
    assert [row[0] for row in rows if "cmd" in row[0]] == ["'=cmd|'x'!A0"]
    told = json.loads(tsadmin(manager, "report", "fw", "--by", "inside", "--json").stdout)
    assert "h" * 300 in {row["inside"] for row in told["rows"]}
