"""
Alarms of a whole manager: found, sent by real mail, remembered over a restart, muted, tested.
"""

import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.channels.mail_server import MailServer
from tests.waiting import PATIENCE_SECONDS
from tscm.cli.manager_state import status_pairs
from tscm.demo.siem import Siem
from tscm.faces.backend import ManagerError
from tscm.faces.client import ManagerBackend
from tscm.manager import health
from tscm.manager.alarm_watch import read_certificates
from tscm.manager.service import NodeService
from tscm.metrics.families import families
from tscm.operations.arguments import LoginsFailed
from tscm.operations.states import manager_state
from tscm.operations.table.alarms import NOTE_LOGINS
from tscm.services.certificate import ensure_certificate
from tscm.settings.layout import Layout

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted


class Site:
    """A root with a mail server and a SIEM."""

    def __init__(self, folder: Path, mail: MailServer, siem: Siem) -> None:
        self.layout, self.mail, self.siem = Layout(folder), mail, siem
        self.layout.devices.mkdir(parents=True)
        self.layout.settings_file.write_text(
            f"""
[listen]
udp = ["127.0.0.1:0"]
tcp = []
[control]
audit_forward = ["tcp://127.0.0.1:{siem.port}"]
[alarms]
send = ["mail", "syslog"]
check_seconds = 5
group_seconds = 0
good_after_minutes = 0
[[alarms.rules]]
name = "disk"
enabled = false
[[alarms.rules]]
name = "settings"
after_minutes = 0
[mail]
server = "127.0.0.1:{mail.number}"
security = "none"
sender = "tscm@fw.example"
to = ["ops@example.net"]
"""
        )

    def break_device(self) -> None:
        self.layout.device_file("bad").write_text("nonsense = <script>\n")

    def start(self) -> NodeService:
        node = NodeService.from_files(self.layout, reactor)
        node.privilegedStartService()
        node.startService()
        node.alarms.settle_seconds = 0.0
        return node

    @property
    def subjects(self) -> list[str]:
        return [
            str(message_from_bytes(content, policy=default)["Subject"]).strip()
            for _, content in self.mail.mails
        ]

    async def until(self, ready: Callable[[], bool]) -> None:
        for _ in range(int(PATIENCE_SECONDS / 0.05)):
            if ready():
                return
            await deferLater(reactor, 0.05)
        raise AssertionError(self.subjects)

    async def tsadmin(self, *words: str, noun: str = "alarms") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tscm", "--root", str(self.layout.root), noun, *words]
        done: subprocess.CompletedProcess[str] = await deferToThread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=120
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done


@pytest_twisted.async_yield_fixture()
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    mail, siem = MailServer(reactor, tmp_path), Siem(reactor)
    siem.come_back()
    yield Site(tmp_path / "root", mail, siem)
    await siem.go_away()
    await mail.stop()


@pytest_twisted.ensureDeferred
async def test_an_alarm_is_told_once_over_a_restart_and_when_it_is_good_again(site: Site) -> None:
    site.break_device()
    node = site.start()
    try:
        node.alarms.look_soon()
        await site.until(lambda: len(site.subjects) == 1)
        await site.until(lambda: any(b"alarm@" in line for line in site.siem.lines))
    finally:
        await node.stopService()
    assert site.subjects[0].startswith("[tscm tscm] already open: settings/bad: bad: ")
    (line,) = (line for line in site.siem.lines if b"alarm@" in line)
    assert b'name="settings/bad" severity="failed"] already open: settings/bad' in line
    assert site.layout.alarms.stat().st_mode & 0o777 == 0o600

    node = site.start()
    try:
        node.alarms.look_soon()
        await site.until(lambda: node.alarms.book.looked_at >= node.started_at)
        assert [one.name for one in node.alarms.book.open] == ["settings/bad"]
        site.layout.device_file("bad").unlink()
        await site.until(lambda: len(site.subjects) == 2)
    finally:
        await node.stopService()
    assert site.subjects[1].startswith("[tscm tscm] good again: settings/bad")


@pytest_twisted.ensureDeferred
async def test_the_command_lists_mutes_and_tests(site: Site) -> None:
    node = site.start()
    try:
        node.alarms.look_soon()
        await site.until(lambda: node.alarms.book.looked_at > 0)
        sent = await site.tsadmin("--test", "mail")
        assert sent.returncode == 0
        assert "sent by mail: 250 " in sent.stdout
        assert site.subjects == [
            "[tscm tscm] test: test: a test message, sent with `tsadmin alarms --test`"
        ]
        failed = await site.tsadmin("--test", "webhook")
        assert failed.returncode != 0
        assert "[webhook] url is not set" in failed.stderr
        muted = await site.tsadmin("mute", "all/bad", "--until", "2h", "--reason", "CR-7")
        assert "all/bad is muted until 20" in muted.stdout
        site.break_device()
        await site.until(lambda: bool(node.alarms.book.open))
        listed = await site.tsadmin("--json")
        assert listed.returncode == 0  # what is muted does not count
        found: dict[str, Any] = json.loads(listed.stdout)
        (one,) = found["open"]
        assert (one["named"], one["told_as"]) == ("settings/bad", "")
        assert "CR-7" in one["muted"]
        assert len(site.subjects) == 1
        ended = await site.tsadmin("unmute", "all/bad")
        assert "no longer muted" in ended.stdout
        await site.until(lambda: len(site.subjects) == 2)
        shown = await site.tsadmin()
        assert shown.returncode == 2
        assert "settings/bad" in shown.stdout
        with node.store.transaction() as cursor:
            rows = cursor.execute("SELECT operation, outcome, arguments FROM audit").fetchall()
        assert [(name, outcome) for name, outcome, _ in rows] == [
            ("test_alarm", "done"),
            ("test_alarm", "failed"),
            ("mute_alarm", "done"),
            ("unmute_alarm", "done"),
        ]
        assert "CR-7" in rows[2][2]
    finally:
        await node.stopService()


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    bodies: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.bodies.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/in"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest_twisted.ensureDeferred
async def test_webhook_and_heartbeat_and_what_state_and_metrics_say(site: Site, hook: str) -> None:
    settings = site.layout.settings_file.read_text().replace(
        'send = ["mail", "syslog"]', 'send = ["webhook"]'
    )
    more = f'[webhook]\nurl = "{hook}"\nallow_private = true\n[heartbeat]\nurl = "{hook}"\n'
    site.layout.settings_file.write_text(settings + more)
    site.break_device()
    node = site.start()
    try:
        node.alarms.look_soon()
        await site.until(lambda: len(Hook.bodies) == 1)
        (told,) = Hook.bodies[0]["alarms"]
        assert (told["event"], told["name"]) == ("already open", "settings/bad")
        assert node.alarms.heartbeat is not None
        node.alarms.heartbeat.beat_soon()
        await site.until(lambda: node.alarms.figures().heartbeat_at is not None)
        assert Hook.bodies[1]["open_alarms"] == {"warning": 0, "failed": 1}
        await site.until(lambda: node.alarms.figures().channels["webhook"].sent == 1)
        state = manager_state(node.parts)
        assert state.alarms.open == {"warning": 0, "failed": 1}
        assert ("alarms", "1 failed; list them with `tsadmin alarms`") in list(status_pairs(state))
        text = "".join(one.text() for one in families(await health.figures(node.parts)))
        assert 'tscm_alarms_open{severity="failed"} 1.0' in text
        assert 'tscm_alarm_messages_total{channel="webhook",outcome="sent"} 1.0' in text
        assert "tscm_heartbeat_timestamp_seconds " in text
        assert await health.noted(node.parts) == []
        page = ManagerBackend(site.layout.control_socket)
        failed = LoginsFailed(count=21, user="anna\x1b", address="192.0.2.7")
        noted = await deferToThread(page.call, NOTE_LOGINS, failed)
        assert noted.count == 21
        node.alarms.look_soon()
        await site.until(lambda: len(node.alarms.book.open) == 2)
        (one,) = (one for one in node.alarms.book.open if one.name == "login_failures")
        assert "21 logins to the page failed" in one.sentence
        assert "\x1b" not in one.sentence
        with pytest.raises(ManagerError, match="count is 0; allowed: 1 to"):
            await deferToThread(page.call, NOTE_LOGINS, LoginsFailed(count=0))
    finally:
        await node.stopService()


@pytest_twisted.ensureDeferred
async def test_a_scheduled_report_is_listed_and_sent_now(site: Site) -> None:
    with site.layout.settings_file.open("a") as file:
        file.write(
            '[[reports.schedules]]\nname = "week"\nevery = "weekly"\nto = ["boss@example.net"]\n'
        )
    node = site.start()
    try:
        sent = await site.tsadmin("send", "week", noun="reports")
        assert sent.returncode == 0, sent.stderr
        assert "week was sent: 250 " in sent.stdout
        assert site.subjects == ["[tscm tscm] week: 0 hits in 0 lines"]
        listed = await site.tsadmin("--json", noun="reports")
        (one,) = json.loads(listed.stdout)
        assert (one["name"], one["to"], one["error"]) == ("week", ["boss@example.net"], None)
        assert one["next_at"] > node.started_at
        unknown = await site.tsadmin("send", "other", noun="reports")
        assert unknown.returncode == 2
        assert "there is no report 'other'" in unknown.stderr
    finally:
        await node.stopService()


@pytest_twisted.ensureDeferred
async def test_a_damaged_file_of_alarms_is_moved_away_and_alarms_go_on(site: Site) -> None:
    site.layout.alarms.parent.mkdir(parents=True)
    site.layout.alarms.write_text('{"format": 1, "alarms": [[[')
    site.break_device()
    node = site.start()
    try:
        node.alarms.look_soon()
        await site.until(lambda: len(site.subjects) == 1)
    finally:
        await node.stopService()
    assert site.subjects[0].startswith("[tscm tscm] already open: ")
    assert json.loads(site.layout.alarms.read_text())["format"] == 1
    assert site.layout.alarms.with_name("alarms.json.damaged").exists()


def test_certificates_are_read_and_a_fault_is_told(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path, [], 1_800_000_000.0)
    files = {"good": certificate, "key": key, "none": tmp_path / "none"}
    good, junk, absent = read_certificates(files)
    assert good.expires_at > 1_800_000_000.0 + 3000 * 86400
    assert "holds no certificate" in junk.fault
    assert absent.fault == "No such file or directory"
