"""
Managers and the servers of NATS JetStream as they are packaged: kills, silence, accounts, bounds.
"""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import nats
import nats.errors
import nats.js.errors
import pytest

from tests.cluster.nats_servers import NatsSite, nats_site
from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS
from tscm.base.host_port import HostPort
from tscm.cluster.answers import Found, Held, OutOfStep, Stored
from tscm.cluster.connection import Connection
from tscm.cluster.message import Last, headers_of, pack, read_stretch, stretch_of, unpack
from tscm.cluster.setup import authorization, stream_settings
from tscm.cluster.subjects import LogId
from tscm.model import Block
from tscm.settings.cluster import ClusterSettings
from tscm.settings.layout import Layout

T = TypeVar("T")
CLUSTER = """
[cluster]
servers = {servers}
tls = false
stream_gb = 0.05
"""


def tsadmin(root: Path, *words: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(root), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


async def _leader(places: list[str]) -> str:
    client = await nats.connect([f"nats://{one}" for one in places])
    try:
        cluster = (await client.jetstream().stream_info("LINES")).cluster
        assert cluster is not None
        assert cluster.leader
        return cluster.leader
    finally:
        await client.close()


async def _read(places: list[str]) -> dict[str, list[bytes]]:
    """All lines of the stream by device, as whoever reads it finds them."""
    client = await nats.connect([f"nats://{one}" for one in places])
    try:
        stream = client.jetstream()
        state = (await stream.stream_info("LINES")).state
        found: dict[str, list[bytes]] = {}
        ends: dict[str, int] = {}
        for sequence in range(state.first_seq, state.last_seq + 1):
            message = await stream.get_msg("LINES", seq=sequence)
            subject = str(message.subject)
            stretch = read_stretch(message.headers or {})
            assert stretch.start == ends.get(subject, 0)
            ends[subject] = stretch.end
            block, _ = unpack(message.data or b"", "fw", stretch)
            found.setdefault(subject.split(".")[4], []).extend(block.data.split(b"\n")[:-1])
        return found
    finally:
        await client.close()


def told(ask: Callable[[list[str]], Coroutine[Any, Any, T]], places: list[str]) -> T:
    """What the servers tell, once they have a leader again."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return asyncio.run(ask(places))
        except (nats.errors.Error, nats.js.errors.Error, AssertionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[NatsSite]:
    one = nats_site(tmp_path / "nats", 3)
    yield one
    one.stop()


@pytest.fixture
def manager(tmp_path: Path, site: NatsSite) -> Iterator[Manager]:
    table = CLUSTER.format(servers=json.dumps(site.places))
    one = Manager(tmp_path / "node", f'node_id = "m1"\n{SETTINGS}{table}')
    yield one
    one.stop()


def test_every_line_is_in_the_stream_once_over_kills_and_silence(
    site: NatsSite, manager: Manager
) -> None:
    root = manager.layout.root
    manager.write_device("fw")
    manager.write_device("other", device="127.0.0.3")
    manager.start()
    sent = 0

    def send(count: int) -> None:
        nonlocal sent
        lines = [b"<166>%%ASA-6-302013: Built %d" % at for at in range(sent, sent + count)]
        send_udp(manager.port("udp"), *lines)
        sent += count
        manager.when_lines("fw", sent)

    def drained() -> bool:
        devices = manager.ask("/v1/ledger")["devices"]
        return all(one["readers"]["cluster"]["waiting"] == 0 for one in devices.values())

    send(100)  # there are no servers yet: the log is the queue
    wait_for(lambda: "are kept on disk" in manager.said(), manager.said)
    site.start()
    wait_for(lambda: tsadmin(root, "cluster", "init")[0] == 0, manager.said)
    wait_for(drained, manager.said)

    first = site.named(told(_leader, site.places))
    first.stop()
    send(100)
    manager.stop(signal.SIGKILL)
    manager.start()
    send(100)
    wait_for(drained, manager.said)

    site.start()
    second = site.named(told(_leader, site.places))
    second.suspend()  # its connections stay open, and say nothing
    send_udp(manager.port("udp"), b"<166>of the other", source="127.0.0.3")
    manager.when_lines("other", 1)
    send(100)
    wait_for(drained, manager.said)
    second.send(signal.SIGCONT)

    found = told(_read, site.places)
    assert found == {"fw": manager.lines("fw"), "other": [b"<166>of the other"]}
    assert len(found["fw"]) == sent
    assert manager.ask("/v1/ledger")["balanced"] is True
    status, shown = tsadmin(root, "cluster", "show")
    assert status in (0, 1), shown  # the one that was stopped may still be behind
    assert "of 2 logs" in shown


# -- one connection ---------------------------------------------------------------

LOG = LogId("m1", "fw", "00c0ffee")


def block(number: int) -> Block:
    data = b"<166>%06d\n" % number
    start = number * len(data)
    return Block(device="fw", start=start, end=start + len(data), data=data, lines=1, escaped=False)


def asked(
    tmp_path: Path, cluster: ClusterSettings, ask: Callable[[Connection], Coroutine[Any, Any, Any]]
) -> Any:
    async def run() -> Any:
        connection = Connection(cluster, Layout(tmp_path / "root"), "_INBOX.m1")
        try:
            return await ask(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


async def publish(connection: Connection, number: int, expected: int, log: LogId = LOG) -> Any:
    one = block(number)
    headers = headers_of(log, stretch_of(one, number), expected)
    return await connection.publish(log.subject, pack(one, []), headers)


async def create(connection: Connection, cluster: ClusterSettings) -> None:
    answer = await connection.api("CREATE", json.dumps(stream_settings(cluster)).encode())
    assert isinstance(answer, bytes), answer
    assert b"error" not in answer, answer


def settings(places: list[str], **more: Any) -> ClusterSettings:
    servers = tuple(HostPort("127.0.0.1", int(one.rpartition(":")[2])) for one in places)
    return ClusterSettings(
        servers=servers, **{"tls": False, "replicas": 1, "stream_gb": 0.01, **more}
    )


PATIENCE = ("CONNECT_SECONDS", "ANSWER_SECONDS", "ASK_SECONDS", "_API_SECONDS")


@pytest.fixture
def wait_for_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how long answers are waited for: long, where one comes that a busy host gives late."""

    def wait(seconds: float) -> None:
        for name in PATIENCE:
            monkeypatch.setattr(f"tscm.cluster.connection.{name}", seconds)

    wait(PATIENCE_SECONDS)
    return wait


def test_a_block_is_stored_behind_the_one_before_it_and_nowhere_else(
    tmp_path: Path, wait_for_answers: Callable[[float], None]
) -> None:
    site = nats_site(tmp_path / "nats", 1)
    site.start()
    cluster = settings(site.places)

    async def ask(connection: Connection) -> None:
        assert isinstance(await publish(connection, 0, 0), Held)  # there is no stream
        await create(connection, cluster)
        assert await connection.last(LOG.subject) == Found(None)
        assert await publish(connection, 0, 0) == Stored(1)
        assert await publish(connection, 0, 0) == OutOfStep()  # known by its id
        assert await publish(connection, 1, 0) == OutOfStep()
        assert await publish(connection, 1, 1) == Stored(2)
        wanted = Last(sequence=2, stretch=stretch_of(block(1), 1))
        assert await connection.last(LOG.subject) == Found(wanted)
        site.servers[0].suspend()
        wait_for_answers(2.0)
        try:
            held = await publish(connection, 2, 2)
        finally:
            site.servers[0].send(signal.SIGCONT)
        wait_for_answers(PATIENCE_SECONDS)
        assert held.sentence == "gave no answer within 2 s"
        assert isinstance(await connection.last(LOG.subject), Found)

    try:
        asked(tmp_path, cluster, ask)
    finally:
        site.stop()


@pytest.mark.usefixtures("wait_for_answers")
def test_a_full_stream_and_a_large_block_hold_with_what_to_do(tmp_path: Path) -> None:
    site = nats_site(tmp_path / "nats", 1, "max_payload: 100000")
    site.start()
    cluster = settings(site.places)

    async def ask(connection: Connection) -> None:
        await create(connection, cluster)
        import os

        at, held = 0, None
        for number in range(400):  # 10 MB in all
            payload = os.urandom(90_000)
            headers = headers_of(LOG, stretch_of(block(number), number), at)
            answer = await connection.publish(LOG.subject, payload, headers)
            if isinstance(answer, Held):
                held = answer
                break
            assert isinstance(answer, Stored)
            at = answer.sequence
        assert held is not None
        assert "raise [cluster] stream_gb" in held.sentence
        headers = headers_of(LOG, stretch_of(block(0), 0), at)
        answer = await connection.publish(LOG.subject, bytes(200_000), headers)
        assert isinstance(answer, Held)
        assert "raise max_payload" in answer.sentence

    try:
        asked(tmp_path, cluster, ask)
    finally:
        site.stop()


def test_a_manager_may_publish_its_own_logs_and_nothing_else(
    tmp_path: Path, wait_for_answers: Callable[[float], None]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of-m1\n")
    secret.chmod(0o600)
    (tmp_path / "root" / "etc" / "tscm").mkdir(parents=True)
    plain = settings([], user="m1", secret_file=str(secret))
    users = authorization(plain, "m1", "_INBOX.m1")
    users = users.replace("CHANGE THIS", "of-admin", 1).replace("CHANGE THIS", "of-m1", 1)
    site = nats_site(tmp_path / "nats", 1, users)
    site.start()
    admin = tmp_path / "admin"
    admin.write_text("of-admin\n")
    admin.chmod(0o600)

    async def make(connection: Connection) -> None:
        await create(connection, settings(site.places))

    async def ask(connection: Connection) -> None:
        assert await publish(connection, 0, 0) == Stored(1)
        assert isinstance(await connection.last(LOG.subject), Found)
        wait_for_answers(2.0)  # of what is refused the server says nothing to the request itself
        foreign = LogId("m2", "fw", "00c0ffee")
        held = await publish(connection, 0, 0, foreign)
        assert "refuses this manager: " in held.sentence
        assert "permissions violation" in held.sentence.lower()
        assert isinstance(await connection.last(foreign.subject), Held)
        assert isinstance(await connection.api("DELETE"), Held)

    try:
        asked(tmp_path, settings(site.places, user="admin", secret_file=str(admin)), make)
        asked(tmp_path, settings(site.places, user="m1", secret_file=str(secret)), ask)
        wait_for_answers(PATIENCE_SECONDS)
        wrong = settings(site.places, user="m2", secret_file=str(secret))
        held = asked(tmp_path, wrong, lambda it: it.last(LOG.subject))
        # The server resets the connection behind its reason, which may be lost by that.
        assert "cannot be reached: 127.0.0.1:" in held.sentence
        assert "of-m1" not in held.sentence
    finally:
        site.stop()


def test_a_server_that_offers_no_tls_is_told_no_password(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of-m1\n")
    secret.chmod(0o600)
    (tmp_path / "root" / "etc" / "tscm").mkdir(parents=True)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(60)
                peer.sendall(
                    b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"headers":true}\r\n'
                )
                while data := peer.recv(4096):
                    heard.append(data)
                    peer.sendall(b"PONG\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        cluster = settings([place], tls=True, user="m1", secret_file=str(secret))
        held = asked(tmp_path, cluster, lambda it: it.last(LOG.subject))
        thread.join(60)

    assert "offers no TLS" in held.sentence
    assert b"of-m1" not in b"".join(heard)
    assert heard == []


def test_a_server_that_is_not_there_or_says_nothing_is_told(tmp_path: Path) -> None:
    async def all_at_once(connection: Connection) -> list[Any]:
        return list(await asyncio.gather(*(connection.last(LOG.subject) for _ in range(8))))

    absent = settings([f"127.0.0.1:{held_port()}"])
    held = asked(tmp_path, absent, lambda it: it.last(LOG.subject))
    assert "cannot be reached: 127.0.0.1:" in held.sentence

    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = settings([f"127.0.0.1:{listener.getsockname()[1]}"])
        several = asked(tmp_path, silent, all_at_once)
        listener.settimeout(0.2)
        with listener.accept()[0], pytest.raises(TimeoutError):
            listener.accept()  # hundreds of logs do not wait one behind the other
    assert all("cannot be reached" in one.sentence for one in several)


def test_a_server_that_reads_nothing_costs_no_connection(tmp_path: Path) -> None:
    """What it did not take is not kept for it: it gets the connection's end, and no more of the block."""
    payload = b"x" * (8 << 20)
    got: list[int] = []
    gave_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(60)
                peer.sendall(
                    b'INFO {"server_id":"x","version":"2.9.10","max_payload":16777216,"headers":true}\r\n'
                )
                said = b""
                while b"PING" not in said:
                    said += peer.recv(4096)
                peer.sendall(b"PONG\r\n")
                gave_up.wait(60)
                with suppress(ConnectionResetError):
                    while data := peer.recv(1 << 20):
                        got.append(len(data))

        thread = threading.Thread(target=answer)
        thread.start()

        async def ask(connection: Connection) -> Any:
            held = await connection.publish(LOG.subject, payload, {})
            gave_up.set()
            await asyncio.to_thread(thread.join, 60)
            return held

        held = asked(tmp_path, settings([f"127.0.0.1:{listener.getsockname()[1]}"]), ask)

    assert held.sentence == "gave no answer within 2 s"
    assert not thread.is_alive()
    assert sum(got) < len(payload)
