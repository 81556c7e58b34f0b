"""
Backups of a real root: beside a running manager, restored elsewhere, and gone on with.
"""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.manager.manager_process import Manager, send_udp, wait_for
from tscm.backup.collect import Wish, make_backup
from tscm.backup.rules import rule_of
from tscm.base.secrets import Secret, load_key
from tscm.kinds.asa.settings import asa
from tscm.settings.files import read_device
from tscm.settings.layout import Layout

SETTINGS = """
[listen]
udp = ["127.0.0.1:0"]
tcp = ["127.0.0.1:0"]
[portal]
dns = ["127.0.0.1:0"]
logs = ["127.0.0.1:0"]
[spool]
min_free_mb = 0
"""
LINE = b"<166>Nov 30 2026 05:54:08: %%ASA-6-302013: Built outbound TCP connection %d"
PASSPHRASE = "correct horse battery"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Manager]:
    (tmp_path / "old").mkdir()
    one = Manager(tmp_path / "old", SETTINGS)
    one.write_device("fw", device="127.0.0.1", log_rotate_size=50)
    portal = one.layout.portal
    for folder in ("lists", "entries"):
        (portal / folder).mkdir(parents=True)
    (portal / "lists/block.example.txt").write_text("192.0.2.0/24\n")
    yield one
    one.stop()


def tsadmin(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(layout.root), *words],
        input=f"{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def send(manager: Manager, first: int, count: int) -> None:
    port = manager.port("udp")
    for at in range(first, first + count, 20):
        send_udp(port, *(LINE % number for number in range(at, min(at + 20, first + count))))
        time.sleep(0.001)


def restored(tmp_path: Path, archive: Path) -> Manager:
    layout = Layout(tmp_path / "new")
    done = tsadmin(layout, "restore", str(archive), "--passphrase_file", "-", "--yes")
    assert done.returncode == 0, done.stderr
    settings = layout.settings_file.read_text()
    return Manager(tmp_path / "new", settings)


def balanced(manager: Manager) -> Any:
    found = manager.ask("/v1/ledger")
    assert found["balanced"], json.dumps(found, indent=1)
    return found


def test_every_file_of_a_root_has_a_rule(old: Manager) -> None:
    old.start()
    send(old, 0, 400)
    old.when_lines("fw", 400)
    wait_for((old.layout.portal / "serials.json").exists, old.said)
    layout = old.layout
    for _ in range(2):
        paths = [
            str((Path(folder) / name).relative_to(layout.root))
            for top in ("etc", "var", "run")
            for folder, _, names in os.walk(layout.root / top)
            for name in names
        ]
        assert len(paths) > 10
        assert [path for path in paths if rule_of(path) is None] == []
        old.stop()


def test_a_backup_with_logs_made_while_lines_come_in(old: Manager, tmp_path: Path) -> None:
    old.start()
    send(old, 0, 500)
    old.when_lines("fw", 500)
    sender = threading.Thread(target=send, args=(old, 500, 2000))
    sender.start()
    archive = tmp_path / "b.tar.zst"
    done = tsadmin(old.layout, "backup", str(archive), "--logs", "--passphrase_file", "-")
    sender.join()
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr
    assert archive.stat().st_mode & 0o777 == 0o600
    before = old.lines("fw")
    old.stop()
    new = restored(tmp_path, archive)
    kept = new.lines("fw")
    assert len(kept) >= 500
    assert kept == before[: len(kept)]
    verified = tsadmin(new.layout, "spool", "verify", "fw")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    try:
        new.start()
        send(new, 9000, 10)
        assert len(new.when_lines("fw", len(kept) + 10)) == len(kept) + 10
        found = balanced(new)
        assert found["devices"]["fw"]["stored"] == len(kept) + 10
    finally:
        new.stop()


def test_a_backup_without_logs_goes_on_at_the_same_offsets(old: Manager, tmp_path: Path) -> None:
    old.start()
    send(old, 0, 700)
    old.when_lines("fw", 700)
    archive = tmp_path / "b.tar.zst"
    done = tsadmin(old.layout, "backup", str(archive), "--passphrase_file", "-")
    assert done.returncode == 0, done.stderr
    end = sum(len(line) + 1 for line in old.lines("fw"))
    old.stop(signal.SIGKILL)
    new = restored(tmp_path, archive)
    assert new.lines("fw") == []
    restored_device = asa(read_device(new.layout, "fw", load_key(new.layout.key)))
    assert restored_device.password is not None
    assert restored_device.password.reveal() == "secret"
    assert "nothing to repair" in tsadmin(new.layout, "spool", "repair", "fw").stdout
    try:
        new.start()
        send(new, 9000, 10)
        assert new.when_lines("fw", 10) == [LINE % number for number in range(9000, 9010)]
        found = balanced(new)
        assert found["devices"]["fw"]["stored"] == 710
        listed = json.loads(tsadmin(new.layout, "spool", "inspect", "fw", "--json").stdout)
        assert listed["end"] == end + sum(len(LINE % n) + 1 for n in range(9000, 9010)), listed
    finally:
        new.stop()


def test_serials_never_go_back(old: Manager, tmp_path: Path) -> None:
    old.start()
    wait_for((old.layout.portal / "serials.json").exists, old.said)
    archive = tmp_path / "b.tar.zst"
    assert tsadmin(old.layout, "backup", str(archive), "--passphrase_file", "-").returncode == 0
    listed = old.layout.portal / "lists/block.example.txt"
    listed.write_text("192.0.2.0/24\n198.51.100.0/24\n")
    first = json.loads((old.layout.portal / "serials.json").read_text())["block.example"][0]

    def serial(layout: Layout) -> int:
        table = json.loads((layout.portal / "serials.json").read_text())
        return int(table["block.example"][0])

    wait_for(lambda: serial(old.layout) > first, old.said)
    given_out = serial(old.layout)
    old.stop()
    new = restored(tmp_path, archive)
    assert serial(new.layout) >= given_out


def test_a_second_restore_is_refused_and_replaces_when_told(old: Manager, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.zst"
    assert tsadmin(old.layout, "backup", str(archive), "--passphrase_file", "-").returncode == 0
    changed = old.layout.devices / "fw.toml"
    mine = changed.read_text() + "\n# mine\n"
    changed.write_text(mine)
    words = ("restore", str(archive), "--passphrase_file", "-", "--yes")
    refused = tsadmin(old.layout, *words)
    assert refused.returncode != 0
    assert "--replace" in refused.stderr
    assert changed.read_text() == mine
    done = tsadmin(old.layout, *words, "--replace")
    assert done.returncode == 0, done.stderr
    assert "# mine" not in changed.read_text()
    (kept,) = (old.layout.root / "etc/tscm").glob("before-restore-*")
    assert (kept / "devices/fw.toml").read_text() == mine
    assert not list(old.layout.root.rglob(".restore-new"))


def test_a_restore_is_refused_while_the_manager_runs(old: Manager, tmp_path: Path) -> None:
    old.start()
    archive = tmp_path / "b.tar.zst"
    assert tsadmin(old.layout, "backup", str(archive), "--passphrase_file", "-").returncode == 0
    words = ("restore", str(archive), "--passphrase_file", "-", "--yes", "--replace")
    refused = tsadmin(old.layout, *words)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert old.ask("/v1/status")


def test_an_error_in_the_exchange_leaves_everything_as_it_was(
    old: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tscm.backup import restore as room

    layout, archive = old.layout, tmp_path / "b.tar.zst"
    with archive.open("wb") as out:
        make_backup(layout, out, Wish(), now=1.0, version="1", host="h", say=lambda _: None)
    before = {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}
    done = 0
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        nonlocal done
        if ".restore-new" in str(path):
            done += 1
            if done == 3:
                raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    data = io.BytesIO(archive.read_bytes())
    checked = room.check_archive("b", data, None)
    with pytest.raises(OSError, match="No space"):
        room.restore(layout, "b", data, checked, now=2.0, replace=True, as_new=False)
    after = {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}
    assert after == before


def test_without_secrets_no_key_is_in_the_archive(old: Manager, tmp_path: Path) -> None:
    private = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"
    (old.layout.root / "etc/tscm/own.pem").write_text(private)
    out = io.BytesIO()
    made = make_backup(old.layout, out, Wish(), now=1.0, version="1", host="h", say=lambda _: None)
    assert made.secrets_left_out >= 2
    assert not made.key
    archive = tmp_path / "b.tar.zst"
    archive.write_bytes(out.getvalue())
    listed = subprocess.run(
        ["tar", "--zstd", "-tf", str(archive)], capture_output=True, text=True, check=True
    ).stdout
    assert "own.pem" not in listed
    assert "var/lib/tscm/key" not in listed
    assert "devices/fw.toml" in listed


def test_what_only_the_manager_may_read_is_in_no_archive_in_the_clear(
    old: Manager, tmp_path: Path
) -> None:
    settings = old.layout.root / "etc/tscm"
    for name in ("backup.passphrase", "oidc.secret"):
        (settings / name).write_text(f"{PASSPHRASE} {name}\n")
        (settings / name).chmod(0o600)
    (settings / "own.txt").write_text("192.0.2.0/24\n")
    (settings / "own.txt").chmod(0o640)
    for passphrase in (None, Secret(PASSPHRASE)):
        out = io.BytesIO()
        wish = Wish(passphrase=passphrase)
        make_backup(old.layout, out, wish, now=1.0, version="1", host="h", say=lambda _: None)
        archive = tmp_path / "b.tar.zst"
        archive.write_bytes(out.getvalue())
        unpacked = subprocess.run(
            ["tar", "--zstd", "-xOf", str(archive)], capture_output=True, check=True
        ).stdout
        assert PASSPHRASE.encode() not in unpacked
        assert b"192.0.2.0/24" in unpacked
    new = restored(tmp_path, archive).layout.root / "etc/tscm"
    for name in ("backup.passphrase", "oidc.secret"):
        assert (new / name).read_text() == f"{PASSPHRASE} {name}\n"
        assert (new / name).stat().st_mode & 0o777 == 0o600


def test_foreign_files_are_named_and_not_copied(old: Manager) -> None:
    (old.layout.state / "notes.txt").write_text("mine")
    (old.layout.root / "etc/tscm/link").symlink_to("/etc/passwd")
    os.mkfifo(old.layout.root / "etc/tscm/pipe")
    made = make_backup(
        old.layout, io.BytesIO(), Wish(), now=1.0, version="1", host="h", say=lambda _: None
    )
    assert set(made.foreign) == {"var/lib/tscm/notes.txt", "etc/tscm/link", "etc/tscm/pipe"}


def test_a_full_disk_leaves_no_half_of_a_backup(old: Manager) -> None:
    done = tsadmin(old.layout, "backup", "/dev/full/x", "--no_secrets")
    assert done.returncode == 1
    assert "no backup was made" in done.stderr


def test_a_file_that_is_there_is_not_overwritten(old: Manager, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    done = tsadmin(old.layout, "backup", str(tmp_path / "b"), "--no_secrets")
    assert done.returncode == 1
    assert "the file exists" in done.stderr
    assert (tmp_path / "b").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".b")] == []
