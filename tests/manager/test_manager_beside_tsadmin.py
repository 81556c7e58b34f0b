"""
A manager that starts while a `tsadmin` works on its root: lines come in at once, policies wait.
"""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.intake.certificates import Authority
from tests.kinds.asa.rest.test_rest_trickle import serving
from tests.manager.manager_process import Manager, send_udp, wait_for
from tscm.errors import ManagerRunning
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock, policies_held

NAME = "fw"
FEED = '[[policy.feeds]]\nname = "{name}.example"\nurl = "{url}"\n'
LISTEN = '[listen]\nudp = ["127.0.0.1:0"]\ntcp = ["127.0.0.1:0"]\n[policy]\nallow_special = true\n'


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    lists = tmp_path / "list.txt"
    lists.write_text("203.0.113.0/24\n")
    feeds = "".join(FEED.format(name=one, url=lists.as_uri()) for one in ("block", "allow"))
    made = Manager(tmp_path / "node", LISTEN + feeds)
    yield made
    made.stop()


def test_a_manager_collects_while_a_tsadmin_holds_the_policies(
    manager: Manager, tmp_path: Path
) -> None:
    asked, over = threading.Event(), threading.Event()
    server = Authority(tmp_path).issue("agent", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)

    def silent(one: socket.socket) -> None:
        # Silent behind the handshake: a request waits for minutes, a handshake for seconds alone.
        with context.wrap_socket(one, server_side=True) as tls:
            if tls.recv(65536):
                asked.set()
                over.wait(600)

    with serving(silent) as root:
        manager.write_device(NAME, rest_url=root, token_auth=False, allow_self_signed=True)
        alone = subprocess.Popen(
            [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), "update", NAME],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(asked.is_set, lambda: f"nothing was asked: {alone.poll()}")
            manager.start()
            send_udp(manager.port("udp"), b"<166>one", b"<166>two")
            manager.when_lines(NAME, 2)
            held = f"held by tsadmin, process {alone.pid}, which started before the manager"
            assert held in manager.ask("/v1/status")["database"]
            assert manager.said().count("until then lines are collected") == 1
            for method, path, body in (
                ("POST", f"/v1/devices/{NAME}/update", {"force": False}),
                ("PUT", f"/v1/devices/{NAME}", {"settings": {"syslog_sources": ["127.0.0.9"]}}),
                ("DELETE", f"/v1/devices/{NAME}", None),
            ):
                refused = manager.command(method, path, body)
                assert held in refused["error"]["sentence"], refused
            assert alone.poll() is None
        finally:
            os.kill(alone.pid, signal.SIGKILL)
            alone.wait()
            over.set()
            assert alone.stdout is not None
            alone.stdout.close()
        wait_for(lambda: manager.ask("/v1/status")["database"] is None, manager.said)
        changed = {"settings": {"syslog_sources": ["127.0.0.9"]}}
        assert "error" not in manager.command("PUT", f"/v1/devices/{NAME}", changed)
        assert "Traceback" not in manager.said()


def test_nobody_works_on_what_a_manager_has(manager: Manager) -> None:
    manager.start()
    layout = manager.layout
    with (
        pytest.raises(ManagerRunning, match=r"policy\.lock is held by the manager"),
        policies_held(layout, "tsadmin"),
    ):
        pass
    with pytest.raises(ManagerRunning, match="held by the manager"):
        RootLock(layout.lock, "tsadmin spool repair").acquire()


def test_a_repair_keeps_the_manager_away(manager: Manager) -> None:
    """It needs the logs to stand still; systemd starts the manager again, and holds its sockets."""
    from tests.manager.manager_process import start_and_fail

    with RootLock(manager.layout.lock, "tsadmin spool repair"):
        done = start_and_fail(manager.layout.root)
    assert done.returncode == 5
    assert "is held by tsadmin spool repair, process" in done.stderr


def test_a_lock_lies_where_nobody_deletes_it_between_two_starts(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.run not in layout.lock.parents
    assert layout.run not in layout.policy_lock.parents


def test_locks_are_given_back_with_the_process(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    script = (
        "import sys, time; from pathlib import Path; from tscm.settings.layout import Layout\n"
        "from tscm.settings.lock import RootLock\n"
        "RootLock(Layout(Path(sys.argv[1])).policy_lock, 'tsadmin').acquire()\n"
        "print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(ManagerRunning, match=f"tsadmin, process {holder.pid}"):
        RootLock(layout.policy_lock, "the manager").acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    deadline = time.monotonic() + 60
    while True:
        lock = RootLock(layout.policy_lock, "the manager")
        try:
            lock.acquire()
        except ManagerRunning:
            assert time.monotonic() < deadline
        else:
            lock.release()
            return
