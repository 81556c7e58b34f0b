"""
A proxy and a log service that fail in every way: each is told in words, and no line counts twice.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.faults.fault_world import LISTEN, World
from tests.faults.probes import thorough
from tests.manager.manager_process import Manager, wait_for
from tests.services import services_process
from tests.soak.oracle import Evidence, judge
from tests.soak.players import Siem
from tests.soak.test_soak import uploaded
from tscm.services.entries import add_entry
from tscm.services.uploads import uploads_folder

NAME = "fw-one"
LINES = 1500


@define(eq=False)
class Proxy:
    """
    The misbehaving proxy and what it is told to do.
    """

    modes: Path
    process: "subprocess.Popen[bytes]"
    port: int

    def do(self, mode: str) -> None:
        self.modes.write_text(mode)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    place, modes = tmp_path / "proxy.port", tmp_path / "proxy.mode"
    modes.write_text("pass")
    script = Path(__file__).with_name("proxy_process.py")
    process = subprocess.Popen([sys.executable, str(script), str(place), str(modes)])
    wait_for(lambda: place.exists() and bool(place.read_text()), lambda: "no proxy")
    yield Proxy(modes, process, int(place.read_text()))
    process.kill()
    process.wait()


def hits(count: int, first: int) -> list[bytes]:
    """Policy lines that do not compress to nothing."""
    import hashlib

    return [
        b"<166>Nov 23 2026 10:00:00 fw-one : %%ASA-6-106100: access-list g denied tcp "
        b"outside/203.0.113.%d(%d) -> inside/10.0.0.1(443) hit-cnt 1 first hit [0x%s, 0x0]"
        % (n % 250, n % 60000, hashlib.sha256(b"%d" % n).hexdigest().encode())
        for n in range(first, first + count)
    ]


@thorough
def test_every_way_in_which_a_proxy_fails_is_told_and_no_line_is_lost_or_counted_twice(
    tmp_path: Path, proxy: Proxy
) -> None:
    root = tmp_path / "portal"
    root.mkdir()
    portal = root / "var/lib/tscm/portal"
    entry = add_entry(portal, nickname=NAME, address="127.0.0.1")
    logs, ready = services_process.start(root, "--logs", "127.0.0.1:0")
    manager = Manager(
        tmp_path / "node",
        LISTEN
        + f'[upload]\nurl = "https://{ready["logs"][0]}"\nca_file = "{ready["certificate"]}"\n'
        "timeout_seconds = 2\n",
    )
    world = World(manager)
    key = entry.device_key
    assert key is not None
    world.add(
        NAME,
        None,
        device_id=entry.device_id,
        upload_key=key,
        log_proxy=f"http://127.0.0.1:{proxy.port}",
    )

    def tried() -> Any:
        return manager.command("POST", f"/v1/devices/{NAME}/logs")

    def stored() -> list[bytes]:
        return uploaded(uploads_folder(portal, entry.device_id))

    issued: list[bytes] = []
    try:
        manager.start()
        for mode, words in (
            ("hang", ("returned no valid response from the server;",)),
            # The kernels may have taken the whole of a small batch before the cut is noticed.
            ("cut", ("closed while the batch was being sent", "may have stored it")),
            ("407", ("requires a valid user and password (407)",)),
            ("403", ("forbids CONNECT to the log service (403)",)),
            ("502", ("cannot reach the log service (502)",)),
            ("swallow", ("may have stored it",)),
        ):
            proxy.do(mode)
            more = hits(LINES, len(issued))
            issued += more
            with world.connect(NAME) as out:
                out.sendall(b"".join(one + b"\n" for one in more))
            manager.when_lines(NAME, len(issued))
            failed = tried()
            sentence = failed["error"]["sentence"]
            assert any(one in sentence for one in words), (mode, sentence)
            upload = manager.ask(f"/v1/devices/{NAME}")["state"]["upload"]
            assert any(one in upload["last_error"] for one in words), (mode, upload)
            assert world.ledger()["balanced"]
            if mode == "swallow":  # over a kill, too, the batch keeps its key
                manager.stop(signal.SIGKILL)
                manager.start()
            proxy.do("pass")
            wait_for(lambda: "error" not in tried(), manager.said)
            assert stored() == issued, mode
        found = world.ledger()
        assert found["balanced"], found
        assert found["devices"][NAME]["readers"]["upload"]["sent"] == len(issued)
        assert "Traceback" not in manager.said()
    finally:
        manager.stop()
        services_process.stop(logs)


@thorough
def test_whatever_a_log_service_answers_for_a_while_every_line_is_stored_once(
    tmp_path: Path, proxy: Proxy
) -> None:
    portal, modes = tmp_path / "portal", tmp_path / "service.mode"
    entry = add_entry(portal, nickname=NAME, address="127.0.0.1")
    modes.write_text("pass")
    script = Path(__file__).with_name("log_service_process.py")
    logs = subprocess.Popen(
        [sys.executable, str(script), str(portal), str(modes)], stdout=subprocess.PIPE
    )
    assert logs.stdout is not None
    ready = json.loads(logs.stdout.readline())
    siem = Siem()
    siem.come()
    manager = Manager(
        tmp_path / "node",
        LISTEN + f'[upload]\nurl = "https://{ready["logs"]}"\nca_file = "{ready["certificate"]}"\n'
        "timeout_seconds = 5\n",
    )
    world = World(manager)
    assert entry.device_key is not None
    world.add(
        NAME,
        siem.port,
        device_id=entry.device_id,
        upload_key=entry.device_key,
        log_proxy=f"http://127.0.0.1:{proxy.port}",
    )

    def upload() -> Any:
        return manager.ask(f"/v1/devices/{NAME}")["state"]["upload"]

    def tried() -> Any:
        return manager.command("POST", f"/v1/devices/{NAME}/logs")

    def issue() -> None:
        more = hits(LINES, len(world.issued[NAME]))
        world.issued[NAME] += more
        with world.connect(NAME) as out:
            out.sendall(b"".join(one + b"\n" for one in more))
        manager.when_lines(NAME, len(world.issued[NAME]))

    def stored() -> list[bytes]:
        return uploaded(uploads_folder(portal, entry.device_id))

    try:
        manager.start()
        for mode, words in (
            ("429", "told to refuse (429)"),
            ("500", "told to refuse (500)"),
            ("503", "told to refuse (503)"),
        ):
            modes.write_text(mode)
            issue()
            assert words in tried()["error"]["sentence"]
            failing = upload()
            assert words in failing["sentence"]
            assert "lines are kept on disk" in failing["sentence"]
            if mode != "500":  # it asked for five seconds
                assert failing["retry_at"] > failing["last_error_at"] + 4.99
            assert world.ledger()["balanced"]
            before = stored()
            assert len(before) == len(world.issued[NAME]) - LINES
            if mode == "503":  # over a kill, too, the batch waits
                manager.stop(signal.SIGKILL)
                manager.start()
            modes.write_text("pass")
            # By its own schedule, without being asked.
            world.until(lambda: stored() == world.issued[NAME])
        # A quarter of what a whole batch of these lines is when it is packed.
        files = len(list(uploads_folder(portal, entry.device_id).glob("*.log*")))
        modes.write_text("413 25000")
        issue()
        world.until(lambda: "error" not in tried())
        assert stored() == world.issued[NAME]
        assert len(list(uploads_folder(portal, entry.device_id).glob("*.log*"))) > files + 3
        world.settle()
        world.until(lambda: len(siem.lines) >= len(world.issued[NAME]))
        issued = frozenset(world.issued[NAME])
        seen = Evidence(
            issued=issued,
            stored=tuple(manager.lines(NAME)),
            forwarded=tuple(siem.lines),
            uploaded=tuple(stored()),
            policy=issued,
            broken_out=siem.broken + 1,  # the kill
        )
        assert judge(seen).faults == ()
        found = world.ledger()
        assert found["balanced"]
        assert found["devices"][NAME]["readers"]["upload"]["sent"] == len(issued)
        assert found["devices"][NAME]["readers"]["upload"]["waiting"] == 0
        assert not manager.command("GET", f"/v1/devices/{NAME}/aside")["result"]["batches"]
        assert "Traceback" not in manager.said()
    finally:
        siem.away()
        manager.stop()
        logs.kill()
        logs.wait()
        logs.stdout.close()
