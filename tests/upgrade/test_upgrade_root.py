"""
Roots that earlier versions left in the middle of their work: nothing is asked, lost, sent twice or begun anew.

`make_root.py` makes them; what the old version told of its root lies beside it in the archive.
"""

import http.client
import json
import os
import ssl
import subprocess
import sys
import tarfile
import tomllib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from attrs import define

from tests.manager.manager_process import TWISTD, Manager, wait_for
from tests.ports import FIXED, fixed_ports_held
from tests.upgrade.make_root import FIREWALL, REST, SECOND, SIEM, Taker, line, send

ROOTS = sorted(Path(__file__).parent.glob("*.tar.xz"))
OLD, WAITING, NEW = 3000, 1000, 50
FIRST_NEW = 3100
"""Number of the first new line: its addresses are on the last list as well."""
assert {SIEM[1], SECOND[1], REST[1]} <= FIXED


@define(eq=False)
class Old:
    """The root of an earlier version, and this version's manager on it."""

    root: Path
    told: dict[str, Any]
    manager: Manager
    siem: Taker
    second: Taker
    firewall: "subprocess.Popen[bytes]"

    def tsadmin(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tscm", *words],
            env={**os.environ, "TSCM_ROOT": str(self.root), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *words: str) -> Any:
        done = self.tsadmin(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def settle(self, stored: int) -> dict[str, Any]:
        """The ledger, once nothing waits."""

        def settled() -> bool:
            device = self.json("ledger")["devices"]["office"]
            waits = [reader["waiting"] for reader in device["readers"].values()]
            return device["stored"] == stored and not any(waits)

        wait_for(settled, lambda: json.dumps(self.json("ledger")) + self.manager.said())
        found: dict[str, Any] = self.json("ledger")
        return found


def rest(method: str, path: str, body: Any = None) -> Any:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = http.client.HTTPSConnection(*REST, context=context, timeout=60)
    word = b64encode(b"admin:secret").decode()
    headers = {
        "Authorization": f"Basic {word}",
        "User-Agent": "REST API Agent",
        "Content-Type": "application/json",
    }
    asked.request(method, path, None if body is None else json.dumps(body), headers)
    answer = asked.getresponse()
    data = answer.read()
    assert answer.status < 300, data
    return json.loads(data) if data else None


def uploaded(root: Path) -> list[bytes]:
    """All lines that the log service has, in whatever number of uploads."""
    lines: list[bytes] = []
    for path in (root / "var/lib/tscm/portal/uploads").rglob("*"):
        if not path.is_file() or "~" not in path.name:
            continue
        data = path.read_bytes()
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            data = zstandard.ZstdDecompressor().stream_reader(data).read()
        lines += data.splitlines()
    return lines


@pytest.fixture
def ports() -> Iterator[None]:
    with fixed_ports_held():
        yield


@pytest.fixture(params=ROOTS, ids=lambda path: path.name.partition(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path, ports: None) -> Iterator[Old]:
    del ports
    root = tmp_path / "root"
    with tarfile.open(request.param) as archive:
        archive.extractall(root)
    settings = root / "etc/tscm/tscm.toml"
    kept = settings.read_text().replace("ROOT", str(root))
    password = tmp_path / "password"
    password.write_text("secret")
    log = (tmp_path / "asa.log").open("ab")
    with log:
        firewall = subprocess.Popen(
            [
                *(*TWISTD, "tscm-asa", "--https", f"{REST[0]}:{REST[1]}", "--username", "admin"),
                *("--password-file", str(password), "--ready", str(tmp_path / "ready")),
            ],
            stdout=log,
            stderr=log,
            cwd=tmp_path,
        )
    siem, second = Taker(SIEM), Taker(SECOND)
    manager = Manager(root, kept)
    told = json.loads((root / "told.json").read_text())
    try:
        wait_for((tmp_path / "ready").exists, (tmp_path / "asa.log").read_text)
        yield Old(root, told, manager, siem, second, firewall)
    finally:
        manager.stop()
        firewall.terminate()
        firewall.wait(60)
        siem.end()
        second.end()


def put_back(told: dict[str, Any]) -> None:
    """The groups that the old version made, on a firewall that has none: children first."""
    path = "/api/objects/networkobjectgroups"
    for group in sorted(told["groups"], key=lambda one: "refLink" in one["members"][0]):
        rest("POST", path, {key: value for key, value in group.items() if key != "selfLink"})


def test_what_waits_goes_out_once_and_nothing_begins_anew(old: Old) -> None:
    told = old.told["ledger"]["devices"]["office"]
    assert told["stored"] == OLD
    assert told["readers"]["forward"]["waiting"] == WAITING
    before = sorted(uploaded(old.root))
    old.manager.start()
    old.settle(OLD)
    send(FIREWALL, FIRST_NEW, NEW)
    wait_for(
        lambda: old.json("ledger")["devices"]["office"]["stored"] == OLD + NEW, old.manager.said
    )
    assert old.tsadmin("logs", "office").returncode == 0
    ledger = old.settle(OLD + NEW)

    issued = [line(number) for number in (*range(OLD), *range(FIRST_NEW, FIRST_NEW + NEW))]
    assert old.siem.lines == issued[OLD - WAITING :]
    texts = [one[one.index(b"%ASA") :] for one in issued[OLD - WAITING :]]
    assert [one[one.index(b"%ASA") :] for one in old.second.lines] == texts
    assert len(before) == OLD // 10 - WAITING // 10
    assert sorted(uploaded(old.root)) == sorted(issued[::10])

    assert ledger["balanced"], ledger
    assert ledger["book"]["began_at"] == old.told["ledger"]["book"]["began_at"]
    assert ledger["book"]["received"] == OLD + NEW
    assert "Traceback" not in old.manager.said(), old.manager.said()
    report = old.json("report", "office", "--since", "3000d", "--by", "entry")
    assert report["hits"] == (OLD + NEW) // 10


def test_the_firewall_stays_ours_and_the_history_goes_on(old: Old) -> None:
    put_back(old.told)
    old.manager.start()
    kept = old.json("policy", "history", "office")["generations"]
    told = old.told["history"]["generations"]
    assert [{**one, **before} for one, before in zip(kept, told, strict=True)] == kept
    assert old.tsadmin("policy", "resume", "office").returncode == 0
    # Each start of the simulated firewall makes a certificate of its own; nothing else needs a word.
    shown = json.loads((old.root.parent / "ready").read_text())["fingerprint"]
    done = old.tsadmin("update", "office", "--accept_certificate", shown)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 entries added and 0 removed" in done.stdout
    groups = {one["name"]: one for one in rest("GET", "/api/objects/networkobjectgroups")["items"]}
    assert groups.keys() == {one["name"] for one in old.told["groups"]}
    for one in old.told["groups"]:
        assert groups[one["name"]]["members"] == one["members"]
    numbers = [one["number"] for one in old.json("policy", "history", "office")["generations"]]
    assert numbers == [one["number"] for one in old.told["history"]["generations"]]
    found = old.tsadmin("why", "45.155.9.9", "office")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "since" in found.stdout


def test_files_of_the_old_shapes_are_read_and_rewritten(old: Old) -> None:
    old.manager.start()
    assert old.tsadmin("list").stdout == old.told["list"]
    lab = old.root / "etc/tscm/devices/lab.toml"
    shown = old.json("show", "lab")
    assert shown["settings"]["syslog_sources"] == ["127.83.0.8", "127.83.0.9"]
    done = old.tsadmin("configure", "lab", "--log_rotate_size=200")
    assert done.returncode == 0, done.stdout + done.stderr
    again = lab.read_text()
    assert "# A file that somebody wrote with an editor" in again
    assert "log_rotate_size = 200" in again
    ledger = old.json("ledger")["devices"]["lab"]["readers"]
    assert ledger.keys() == old.told["ledger"]["devices"]["lab"]["readers"].keys()
    assert not [name for name, reader in ledger.items() if reader["orphan"]]


def test_targets_of_forwarding_get_tables_and_keep_their_readers(old: Old) -> None:
    before = old.told["ledger"]["devices"]["office"]["readers"]
    assert len(before) == 4
    done = old.tsadmin("configure", "office", "--log_rotate_size=200")
    assert done.returncode == 0, done.stdout + done.stderr
    path = old.root / "etc/tscm/devices/office.toml"
    table = tomllib.loads(path.read_text())
    assert {one["reader"] for one in table["forward"]} < before.keys()
    assert (table["asa"]["prefix"], table["asarest"]["token_auth"]) == ("ThreatSTOP", True)
    old.manager.start()
    ledger = old.settle(OLD)
    readers = ledger["devices"]["office"]["readers"]
    assert readers.keys() == before.keys()
    assert not [name for name, reader in readers.items() if reader["orphan"]]
    issued = [line(number) for number in range(OLD - WAITING, OLD)]
    assert old.siem.lines == issued
    assert len(old.second.lines) == WAITING
    assert ledger["balanced"], ledger
