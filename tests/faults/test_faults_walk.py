"""
Every file that a manager leaves under its root, replaced in turn by what is no such file: a start, and every
command of root's that reads or writes files, end with a sentence or do without.

The files are those that are there, so a new one is tried by itself.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.probes import thorough
from tests.faults.walk import OWNER
from tests.intake.certificates import Authority
from tests.manager.manager_process import Manager, send_udp, wait_for
from tscm.base.secrets import Secret, load_key
from tscm.kinds.lists.consumers import CONSUMERS
from tscm.kinds.lists.render import Lists
from tscm.pairing import stages
from tscm.pairing.bonds import Bond, write_bond
from tscm.pairing.book import change_pairing
from tscm.policy.cidr import CidrSet
from tscm.services.entries import add_entry
from tscm.services.publication import publish
from tscm.settings.files import write_device
from tscm.settings.schema import read_table

KINDS = [
    "a pipe", "a folder", "a huge file", "a link to a device", "a link to a secret", "a link to nowhere",
    *(["a device"] if os.geteuid() == 0 else []),
]  # fmt: skip
START = [["START"]]
PARTS = 6
"""Of the files: a hundred starts, on a machine that does much besides, take longer than a test may."""
COMMANDS = [
    ["list"], ["show", "fw"], ["ledger"], ["report", "fw"], ["why", "192.0.2.1", "fw"], ["policy", "history", "fw"],
    ["search", "fw", "line"], ["spool", "list"], ["spool", "inspect", "fw"], ["spool", "verify"],
    ["spool", "export", "fw"], ["spool", "repair", "fw"], ["spool", "drop", "fw", "forward"], ["portal", "list"],
    ["audit"], ["configure", "fw", "--note", "x"], ["remove", "fw", "--yes"], ["lists"], ["lists", "show", "own"],
    ["lists", "add", "own", "192.0.2.8"], ["portal", "policies"], ["portal", "targets"], ["web", "users"], ["web", "setup"],
    ["web", "keys", "list"], ["backup", "--no_secrets", "/dev/null"], ["paired"], ["portal", "code", "edge"], ["check"],
    ["rename", "fw", "other"], ["unpair", "fw", "--yes"],
]  # fmt: skip
ENTRY = "0123456789ab"
BOND = Bond(
    entry=ENTRY,
    portal="https://127.0.0.1:9",
    fingerprint="0" * 64,
    device_id="tdid_fw",
    token=Secret("not a secret at all"),
)
LINE = b"<166>Jul 12 2026 08:11:50: %ASA-6-302013: a line"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where another user than the test's may go."""
    made = Path(tempfile.mkdtemp(prefix="tscm-walk-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


NEWER = [
    ["lists", "create", "own"], ["lists", "add", "own", "192.0.2.9"], ["lists", "create", "good"],
    ["portal", "policies", "set", "own", "--block", "list:own"], ["backup", "--no_secrets", "own/backup.tscm"],
]  # fmt: skip
"""What leaves something behind in the newer rooms."""


def tsadmin(root: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(root), *words],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def write_pulling(manager: Manager) -> None:
    """A firewall that pulls, and what is published for it."""
    given = {
        "type": "generic", "name": "edge", "device_id": "tdid_edge", "device": "127.0.0.6", "block_list": "block.example",
        "allow_list": "allow.example", "pull_secret": "s" * 40, "policy_updates": False,
    }  # fmt: skip
    settings, faults = read_table(CONSUMERS["generic"].settings, given)
    assert settings is not None, faults
    write_device(manager.layout, settings, load_key(manager.layout.key, create=True))
    lists = Lists.of(CidrSet.of_texts(["192.0.2.0/24"]), CidrSet.of_texts([]), "ThreatSTOP", 60)
    bodies = CONSUMERS["generic"].render(lists)
    publish(manager.layout.lists / "edge", bodies, generation=1, now=time.time())


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    """A root with all that a manager keeps: it ran, with every listener, and was stopped."""
    root = folder / "base"
    (root / "own").mkdir(parents=True)
    issued = Authority(root / "own").issue("own", "127.0.0.1")
    account = root / "own/account"
    account.write_text("prometheus:not a secret\n")
    account.chmod(0o600)
    (root / "own/list.txt").write_text("192.0.2.0/24\n")
    for name in ("mail.password", "webhook.secret", "sink.secret"):
        (root / "own" / name).write_text("not a secret either\n")
        (root / "own" / name).chmod(0o600)
    # The certificates are named by their place in the copies.
    there = folder / "work" / "root" / "own"
    listen = (
        '[listen]\nudp = ["127.0.0.1:0"]\ntcp = ["127.0.0.1:0"]\nmetrics = ["127.0.0.1:0"]\n'
        f'lists = ["127.0.0.1:0"]\ntls = ["127.0.0.1:0"]\ntls_certificate = "{{own}}/{issued.certificate_file.name}"\n'
        f'tls_key = "{{own}}/{issued.key_file.name}"\nmetrics_account_file = "{{own}}/account"\n'
        '[intake]\nunknown_senders = "quarantine"\n'
        '[portal]\ndns = ["127.0.0.1:0"]\nlogs = ["127.0.0.1:0"]\npairing = ["127.0.0.1:0"]\n'
        '[[sink]]\nname = "own"\ntype = "loki"\nurl = "http://127.0.0.1:9"\ntls = false\nsecret_file = "{own}/sink.secret"\n'
        '[web]\ninside = true\nlisten = ["127.0.0.1:0"]\n[backup]\nfolder = "{own}/backups"\n'
        '[alarms]\nsend = ["mail", "webhook"]\n[mail]\nserver = "127.0.0.1:9"\nsender = "a@b.example"\nto = ["a@b.example"]\n'
        'user = "u"\npassword_file = "{own}/mail.password"\n'
        '[webhook]\nurl = "https://127.0.0.1:9/"\nallow_private = true\nsecret_file = "{own}/webhook.secret"\n'
        '[[policy.feeds]]\nname = "own.example"\nurl = "file://{own}/list.txt"\nformat = "cidr"\n'
    )
    manager = Manager(root, listen.replace("{own}", str(root / "own")))
    entry = add_entry(
        manager.layout.portal, nickname="edge", address="127.0.0.1", block_list="b.example"
    )
    change_pairing(
        manager.layout.portal,
        entry.device_id,
        lambda one: stages.issued(one, stages.digest("a code"), time.time(), 86400),
    )
    lists = manager.layout.portal / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "b.example.txt").write_text("192.0.2.0/24\n")
    manager.write_device(
        "fw",
        block_list="own.example",
        syslog_forward=True,
        forward_address="127.0.0.1",
        forward_port=9,
        entry=ENTRY,
    )
    write_bond(manager.layout, BOND)
    write_pulling(manager)
    try:
        manager.start()
        for words in NEWER:
            tsadmin(root, *words)
        send_udp(manager.port("udp"), *[LINE] * 50)
        send_udp(manager.port("udp"), b"<166>whose?", source="127.0.0.9")
        manager.when_lines("fw", 50)
        manager.command("POST", "/v1/devices/fw/logs")
        send_udp(manager.port("udp"), *[LINE] * 50)
        manager.when_lines("fw", 100)
        wait_for((manager.layout.portal / "serials.json").exists, manager.said)
    finally:
        manager.stop()
    manager.log.unlink()
    for name in ("alarms.json", "reports.json"):  # written once something was told
        (manager.layout.state / name).write_text("{}")
    manager.layout.settings_file.write_text(listen.replace("{own}", str(there)))
    return root


def open_to_others(path: Path) -> bool:
    """Whether a manager that gave root up can still read the program there."""
    return all(one.stat().st_mode & 0o001 for one in path.parents)


def walked(base: Path, kind: str, words: list[list[str]], part: int = 0, of: int = 1) -> list[str]:
    """
    What goes wrong with one *part* of the files.

    Of root's the files belong to another, as is usual.  Not where a manager that gives root up has no Python then,
    or no libraries: tox keeps strangers out of its folder.
    """
    work = base.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    readable = all(map(open_to_others, (Path(os.__file__), Path(pytest.__file__), Path(__file__))))
    owner = OWNER if os.geteuid() == 0 and (words != START or readable) else os.geteuid()
    request = {
        "base": str(base), "work": str(work), "kind": kind, "words": words, "owner": owner, "part": part, "of": of,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.walk", json.dumps(request)],
        cwd=Path(__file__).parents[2],
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(one, marks=thorough) for one in KINDS[1:])]
)
def test_a_start_waits_for_no_file_and_follows_no_link_with_roots_rights(
    base: Path, kind: str, part: int
) -> None:
    assert walked(base, kind, START, part, PARTS) == []


@thorough
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", KINDS)
def test_so_does_every_command_of_roots(base: Path, kind: str, command: list[str]) -> None:
    assert walked(base, kind, [command]) == []


def test_a_command_of_roots_writes_through_no_link(base: Path) -> None:
    writing = [words for words in COMMANDS if words[:2] == ["spool", "repair"]]
    assert walked(base, "a link to a secret", writing) == []
