"""
The embedded log service under a stranger's hand, and on a disk that runs short, with real sockets and files.
"""

import json
import os
import select
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.fault_world import LISTEN, World
from tests.faults.probes import done, need_mounts, thorough
from tests.faults.test_faults_upload import hits
from tests.manager.manager_process import Manager, wait_for
from tests.ports import held_port
from tests.services.test_services_decoding import run, window
from tscm import upload_format
from tscm.services.entries import PortalEntry, add_entry
from tscm.services.upload_retention import DELETE_MB, REFUSE_MB

REGISTERED, STRANGER = "127.0.0.1", "127.0.0.9"
LINES = b"one\ntwo\n"
NAME = "fw-one"
FREE_MB = 64
REFUSE, DELETE = FREE_MB + REFUSE_MB, FREE_MB + DELETE_MB


class LogSide:
    """The log service of a running manager, and a device with an entry of its own."""

    def __init__(self, manager: Manager, port: int) -> None:
        self.manager = manager
        self.port = port
        self.entry: PortalEntry = add_entry(
            manager.layout.portal, nickname="edge", address=REGISTERED
        )

    def post(
        self, batch: str, content: bytes = LINES, encoding: str = "", *, lines: int = 2
    ) -> httpx.Response:
        """An upload from the registered address."""
        assert self.entry.device_key is not None
        context = ssl.create_default_context(
            cafile=str(self.manager.layout.portal / "log-service.crt")
        )
        transport = httpx.HTTPTransport(local_address=REGISTERED, verify=context)
        headers = upload_format.request_headers(
            device_id=self.entry.device_id,
            batch=batch,
            start=0,
            end=8,
            lines=lines,
            content=content,
            encoding=encoding,
        )
        with httpx.Client(transport=transport, trust_env=False, timeout=60) as client:
            return client.post(
                f"https://127.0.0.1:{self.port}{upload_format.PATH}",
                content=content,
                headers=headers,
                auth=(self.entry.device_id, self.entry.device_key.reveal()),
            )

    def kept(self) -> list[str]:
        """Batches on the disk, of all devices."""
        return sorted(
            path.name.partition("~")[0] for path in self.manager.layout.portal.glob("uploads/*/*~*")
        )


@pytest.fixture
def side(tmp_path: Path) -> Iterator[LogSide]:
    port = held_port()
    manager = Manager(
        tmp_path / "node",
        LISTEN
        + f"[spool]\nmin_free_mb = {FREE_MB}\n"
        + f'[portal]\nlogs = ["127.0.0.1:{port}"]\n[upload]\nurl = "https://127.0.0.1:{port}"\n',
    )
    yield LogSide(manager, port)
    manager.stop(signal.SIGKILL)
    assert "Traceback" not in manager.said()


def is_closed(one: socket.socket) -> bool:
    """Whether the other end has hung up."""
    if not select.select([one], [], [], 0)[0]:
        return False
    try:
        return one.recv(1) == b""
    except OSError:
        return True


@pytest.mark.parametrize("whose", [STRANGER, REGISTERED], ids=["stranger", "registered"])
def test_bare_connections_of_one_address_leave_room_for_who_is_registered(
    side: LogSide, whose: str
) -> None:
    """From another address, and from that of the device itself, as behind a translated one."""
    side.manager.start()
    bare = [
        socket.create_connection(("127.0.0.1", side.port), 60, source_address=(whose, 0))
        for _ in range(256)
    ]
    try:
        most = 8 if whose == STRANGER else 64
        wait_for(lambda: sum(map(is_closed, bare)) >= 256 - most, side.manager.said)
        assert side.post("b1").status_code == 201
    finally:
        for one in bare:
            one.close()
    assert side.kept() == ["b1"]


def test_a_zstd_window_beyond_the_bound_is_refused_and_leaves_nothing(side: LogSide) -> None:
    side.manager.start()
    content = run(b"\n", 5, last=True)
    answer = side.post("large", window(27) + content, "zstd", lines=5)
    assert answer.status_code == 415
    assert "a window over 8,388,608 bytes" in answer.json()["error"]
    assert side.post("good", window(23) + content, "zstd", lines=5).status_code == 201
    assert side.kept() == ["good"]


@pytest.fixture
def disk(side: LogSide) -> Iterator[Path]:
    """All that the manager keeps lies on a volume whose room can be changed under it."""
    need_mounts()
    place = side.manager.layout.root / "var"
    before = side.manager.layout.root / "before"
    place.mkdir(exist_ok=True)
    place.rename(before)
    place.mkdir()
    assert done("mount", "-t", "tmpfs", "-o", "size=2000m", "tmpfs", str(place)) == ""
    assert done("cp", "-a", f"{before}/.", str(place)) == ""
    yield place
    side.manager.stop(signal.SIGKILL)
    done("umount", "-l", str(place))


def leave(place: Path, megabytes: int) -> None:
    """Let so much be free."""
    found = os.statvfs(place)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    size = used + (megabytes << 20)
    assert done("mount", "-o", f"remount,size={size}", str(place)) == ""


def doctor(manager: Manager) -> dict[str, dict[str, str]]:
    """What it finds, by link."""
    found = manager.command("POST", "/v1/doctor")["result"]
    return {one["link"]: one for one in found["findings"]}


@thorough
def test_copies_are_refused_and_go_before_any_original_where_the_disk_runs_short(
    side: LogSide, disk: Path
) -> None:
    manager = side.manager
    world = World(manager)
    world.add(NAME, None, device_id=side.entry.device_id)
    manager.start()
    lines = hits(50, 0)
    with world.connect(NAME) as out:
        out.sendall(b"".join(one + b"\n" for one in lines))
    manager.when_lines(NAME, len(lines))
    assert "result" in manager.command("POST", f"/v1/devices/{NAME}/logs")
    assert side.post("old").status_code == 201
    assert len(side.kept()) == 2
    assert doctor(manager)["uploads kept"]["verdict"] == "ok"

    leave(disk, (REFUSE + DELETE) // 2)
    answer = side.post("new")
    assert answer.status_code == 507
    assert answer.headers["Retry-After"]
    found = doctor(manager)["uploads kept"]
    assert found["verdict"] == "failed"
    assert f"below {REFUSE} MB it accepts none" in found["sentence"]
    assert len(side.kept()) == 2

    more = hits(50, 50)
    with world.connect(NAME) as out:
        out.sendall(b"".join(one + b"\n" for one in more))
    manager.when_lines(NAME, 100)
    refused = manager.command("POST", f"/v1/devices/{NAME}/logs")
    assert "507" in json.dumps(refused)

    leave(disk, (DELETE + FREE_MB) // 2)
    wait_for(lambda: side.kept() == [], manager.said)
    assert manager.lines(NAME) == lines + more, "no original is gone"

    leave(disk, 2000)
    wait_for(lambda: side.post("new").status_code == 201, manager.said)
    assert side.post("old").status_code == 200, "what was deleted is still known"
    assert "result" in manager.command("POST", f"/v1/devices/{NAME}/logs")
    assert manager.lines(NAME) == lines + more
    assert world.ledger()["balanced"]
    assert doctor(manager)["uploads kept"]["verdict"] == "ok"
