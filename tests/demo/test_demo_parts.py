"""
The demonstration's own SIEM, proxy and lists.
"""

import socket
import sys
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tscm.demo.lists import ALLOW_ENTRIES, BLOCK_ENTRIES, allow_entries, block_entries
from tscm.demo.proxy import ConnectProxy
from tscm.demo.run import ways_to_look
from tscm.demo.screen import Screen
from tscm.demo.siem import Siem
from tscm.demo.ways import ssh_lacks, ways
from tscm.policy.cidr import CidrSet, Entries
from tscm.settings.layout import Layout


def test_the_lists_are_the_same_every_time_and_do_not_merge() -> None:
    for entries, count in ((block_entries(), BLOCK_ENTRIES), (allow_entries(), ALLOW_ENTRIES)):
        assert len(entries) == count
        assert len(CidrSet.of(Entries.of(entries))) == count
    assert block_entries() == block_entries()


def test_a_figure_that_differs_is_told_and_remembered() -> None:
    said: list[str] = []
    screen = Screen(said.append)
    assert screen.check("lines", ("sent", 1), ("stored", 1))
    assert screen.balanced
    assert not screen.check("lines", ("sent", 1_000), ("stored", 1))
    assert not screen.balanced
    assert "NOT" in said[-1]
    assert "1,000 sent" in said[-1]


def test_what_to_type_after_keep_finds_tsadmin(tmp_path: Path) -> None:
    words = list(ways_to_look(Layout(tmp_path), "fw-udp"))
    assert words[0] == f"export TSCM_ROOT={tmp_path}"
    assert f'export PATH="{Path(sys.executable).parent}:$PATH"' in words
    assert "tsadmin show fw-udp" in words


def test_nothing_held_against_anything_is_no_balance() -> None:
    assert not Screen(lambda _: None).balanced


@pytest_twisted.ensureDeferred
async def test_the_siem_keeps_whole_lines_and_comes_back_on_its_port() -> None:
    siem = Siem(reactor)
    siem.come_back()
    port = siem.port

    def send(text: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as out:
            out.sendall(text)

    await deferToThread(send, b"one\ntwo\nhalf")
    for _ in range(100):
        if len(siem.lines) == 2 and not siem.connections:
            break
        await deferLater(reactor, 0.02)
    await siem.go_away()
    siem.come_back()
    assert siem.port == port
    await deferToThread(send, b"three\n")
    for _ in range(100):
        if len(siem.lines) == 3:
            break
        await deferLater(reactor, 0.02)
    await siem.go_away()
    assert siem.lines == [b"one", b"two", b"three"]


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as out:
        out.sendall(request)
        return out.recv(4096)


@pytest_twisted.ensureDeferred
async def test_the_proxy_wants_connect_and_its_password() -> None:
    proxy = ConnectProxy(reactor, "demo", "secret word")
    proxy.start()
    siem = Siem(reactor)
    siem.come_back()
    right = b"Proxy-Authorization: Basic " + proxy.credentials + b"\r\n"
    target = b"127.0.0.1:%d" % siem.port
    try:
        for head, answer in (
            (b"CONNECT " + target + b" HTTP/1.1\r\n\r\n", b" 407 "),
            (b"CONNECT " + target + b" HTTP/1.1\r\n" + right.lower() + b"\r\n", b" 407 "),
            (b"GET http://x/ HTTP/1.1\r\n" + right + b"\r\n", b" 405 "),
            (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n" + right + b"\r\n", b" 502 "),
            (b"CONNECT " + target + b" HTTP/1.1\r\n" + right + b"\r\n", b" 200 "),
        ):
            assert answer in await deferToThread(ask, proxy.port, head)
        assert (proxy.tunnels, proxy.refused) == (1, 2)
    finally:
        await proxy.stop()
        await siem.go_away()
        for _ in range(100):
            if not siem.connections:
                break
            await deferLater(reactor, 0.02)


def test_without_what_ssh_needs_the_demonstration_says_so_and_goes_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [one.type for one in ways()] == ["asarest", "asarest", "asa", "asahttp"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt-get install openssh-client" in str(ssh_lacks())
    assert [one.type for one in ways()] == ["asarest", "asarest", "asahttp"]
