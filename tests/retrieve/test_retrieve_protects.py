"""
Whatever goes wrong on the way of a list: the firewall keeps what it holds, and the next good run converges.

Whole updates over real sockets, the list from a scripted server or a feed, the firewall the simulator's.
"""

import base64
import gzip
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.kinds.asa.rest.asa_device import in_thread
from tests.retrieve.https_server import https
from tests.retrieve.scripted import Talk, reply, send, server
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.retrieve.sources import fetch_list
from tscm.settings.feed import Feed
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.update.figures import Result

OLD = addresses(100)
NEW = [*OLD[3:], *addresses(5, 700)]
PERMITTED = addresses(4, 900)
KEY = dns.tsig.Key("list-key", b"0123456789abcdef0123456789abcdef", dns.tsig.HMAC_SHA256)
WRONG = dns.tsig.Key("list-key", b"another key of the same length..", dns.tsig.HMAC_SHA256)


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(username="admin", password="secret"))
    service.startService()
    yield service
    await service.stopService()


def rrset(name: str, kind: str, *texts: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", 60, "IN", kind, *texts)


def soa(name: str, serial: int) -> dns.rrset.RRset:
    return rrset(name, "SOA", f"ns.{name}. h.{name}. {serial} 3600 600 86400 300")


def asked_for(query: dns.message.Message) -> tuple[str, int]:
    question = query.question[0]
    return question.name.to_text(omit_final_dot=True), question.rdtype


def zones(serial: int, block: Sequence[str], key: dns.tsig.Key | None = None) -> Talk:
    """Both lists as zones, each answer signed with *key* if there is one."""
    content = {BLOCK: block, ALLOW: PERMITTED}

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        name, kind = asked_for(query)
        begin = soa(name, serial)
        found = [begin]
        if kind in (dns.rdatatype.AXFR, dns.rdatatype.IXFR):
            hosts = [text.removesuffix("/32") for text in content[name]]
            found += [rrset(name, "A", *hosts)] if hosts else []
            found.append(begin)
        elif kind != dns.rdatatype.SOA:
            found = []
        response = dns.message.make_response(query)
        response.answer.extend(found)
        response.tsig = None
        if key is not None:
            response.use_tsig(key)
        send(one, response.to_wire(max_size=65535, want_shuffle=False))

    return talk


def says(rcode: int) -> Talk:
    return lambda one, query: send(one, reply(query, rcode=rcode))


def cut_short(one: socket.socket, query: dns.message.Message) -> None:
    """TC at every question but the serial, and no transfer."""
    name, kind = asked_for(query)
    if kind == dns.rdatatype.SOA:
        send(one, reply(query, [soa(name, 6)]))
    elif kind in (dns.rdatatype.AXFR, dns.rdatatype.IXFR):
        send(one, reply(query, rcode=5))
    else:
        send(one, reply(query, flags=dns.flags.TC))


def reset(one: socket.socket, _query: dns.message.Message) -> None:
    """What a DNS ALG does to TCP."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def transfer_spoilt(spoil: Callable[[bytes], bytes]) -> Talk:
    """A newer serial, and a transfer whose bytes went through *spoil*."""

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        name, kind = asked_for(query)
        begin = soa(name, 6)
        if kind == dns.rdatatype.SOA:
            send(one, reply(query, [begin]))
            return
        found = [begin, rrset(name, "A", *(text.removesuffix("/32") for text in NEW)), begin]
        wire = reply(query, found)
        with suppress(OSError):
            one.sendall(spoil(struct.pack(">H", len(wire)) + wire))
        one.close()

    return talk


def with_loop(whole: bytes) -> bytes:
    """The first record's owner leads to itself."""
    at = whole.index(b"\xc0\x0c", 14)
    return whole[:at] + struct.pack(">H", 0xC000 | at - 2) + whole[at + 2 :]


def node(port: int) -> NodeSettings:
    return NodeSettings(
        policy=PolicySettings(
            allow_special=True,
            servers=(HostPort("127.0.0.1", port),),
            max_growth_percent=300,
            timeout_seconds=5,
        )
    )


FAULTS: dict[str, tuple[Talk, str]] = {
    "empty": (zones(6, []), "is empty and had 100 entries"),
    "shrunk": (zones(6, OLD[:49]), "shrank from 100 to 49 entries"),
    "grown": (zones(6, addresses(401)), "grew from 100 to 401 entries"),
    "serial backwards": (zones(4, NEW), "went back from 5 to 4"),
    "REFUSED": (says(5), "REFUSED"),
    "NXDOMAIN": (says(3), "NXDOMAIN"),
    "SERVFAIL": (says(2), "SERVFAIL"),
    "TC": (cut_short, "not fit into one answer"),
    "ALG": (reset, "a DNS ALG interferes, enter"),
    "cut in the length": (transfer_spoilt(lambda whole: whole[:1]), "closed the connection"),
    "cut in the head": (transfer_spoilt(lambda whole: whole[:9]), "closed the connection"),
    "cut before the end": (transfer_spoilt(lambda whole: whole[:-1]), "closed the connection"),
    "compression loop": (transfer_spoilt(with_loop), "does not point backwards"),
}


@pytest.mark.parametrize(("talk", "cause"), FAULTS.values(), ids=FAULTS.keys())
@pytest_twisted.ensureDeferred
async def test_a_list_that_fails_leaves_the_firewall_protected(
    asa: SimulatedAsa, talk: Talk, cause: str
) -> None:
    await _endures(World(asa), zones(5, OLD), talk, zones(7, NEW), cause)


@pytest.mark.parametrize("key", [None, WRONG], ids=["unsigned", "wrong key"])
@pytest_twisted.ensureDeferred
async def test_a_list_that_is_not_proven_leaves_the_firewall_protected(
    asa: SimulatedAsa, key: dns.tsig.Key | None
) -> None:
    changes = {"tsig_name": "list-key", "tsig_key": Secret(base64.b64encode(KEY.secret).decode())}
    world = World(asa, changes=changes)
    await _endures(world, zones(5, OLD, KEY), zones(6, NEW, key), zones(7, NEW, KEY), "sign")


async def _endures(world: World, first: Talk, bad: Talk, good: Talk, cause: str) -> None:
    """The same port gives *first*, then *bad*, then *good*."""
    now = first

    def answer(one: socket.socket, query: dns.message.Message) -> None:
        now(one, query)

    with server(answer, {KEY.name: KEY}) as port:
        world.node = node(port)
        await _holds(world)
        now = bad
        await _keeps(world, cause)
        now = good
        await _converges(world)


async def _holds(world: World) -> None:
    world.lists = {BLOCK: (0, list(OLD)), ALLOW: (0, list(PERMITTED))}
    outcome = await in_thread(world.run, fetch=fetch_list)
    assert outcome.good, outcome.error
    assert world.converged()


async def _keeps(world: World, cause: str) -> None:
    writes = world.asa.counts.writes
    outcome = await in_thread(world.run, fetch=fetch_list)
    assert outcome.result in {Result.FAILED, Result.REFUSED}
    assert cause in str(outcome.error)
    assert world.converged(), "as it was before"
    assert world.asa.counts.writes == writes


async def _converges(world: World) -> None:
    world.lists[BLOCK] = (0, list(NEW))
    outcome = await in_thread(world.run, fetch=fetch_list)
    assert outcome.good, outcome.error
    assert world.converged()


FEEDS: dict[str, tuple[bytes, str]] = {
    "a page": (b"<!DOCTYPE html><p>20.0.0.2", "HTML page"),
    "another page": (b"<!-- moved -->\n20.0.0.2\n", "HTML page"),
    "a bomb": (gzip.compress(b"20.0.0.2\n" * (8 << 20)), "larger than 67,108,864 bytes"),
    "half a gzip": (gzip.compress("\n".join(NEW).encode())[:-9], "not complete gzip"),
    "nothing": (b"", "is empty and had 100 entries"),
    "little": ("\n".join(OLD[:49]).encode(), "shrank from 100 to 49"),
    "much": ("\n".join(addresses(401)).encode(), "grew from 100 to 401"),
}


@pytest.mark.parametrize(("content", "cause"), FEEDS.values(), ids=FEEDS.keys())
@pytest_twisted.ensureDeferred
async def test_a_feed_that_is_no_list_leaves_the_firewall_protected(
    asa: SimulatedAsa, tmp_path: Path, content: bytes, cause: str
) -> None:
    block, allow = tmp_path / "block", tmp_path / "allow"
    allow.write_text("\n".join(PERMITTED))
    policy: dict[str, Any] = {"allow_special": True, "max_growth_percent": 300}
    feeds = (Feed(name=BLOCK, url=block.as_uri()), Feed(name=ALLOW, url=allow.as_uri()))
    world = World(asa, node=NodeSettings(policy=PolicySettings(feeds=feeds, **policy)))

    block.write_text("\n".join(OLD))
    await _holds(world)
    block.write_bytes(content)
    await _keeps(world, cause)
    block.write_text("\n".join(NEW))
    await _converges(world)


@pytest_twisted.ensureDeferred
async def test_a_feed_without_end_leaves_the_firewall_protected(
    asa: SimulatedAsa, tmp_path: Path
) -> None:
    lines = ["\n".join(OLD).encode()]
    forever = [False]

    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        with suppress(OSError):
            while True:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(lines[0]), lines[0]))
                if not forever[0]:
                    break
            request.wfile.write(b"0\r\n\r\n")

    allow = tmp_path / "allow"
    allow.write_text("\n".join(PERMITTED))
    with https(tmp_path, respond) as url:
        ca_file = str(tmp_path / "log-service.crt")
        feeds = (
            Feed(name=BLOCK, url=url, ca_file=ca_file),
            Feed(name=ALLOW, url=allow.as_uri()),
        )
        world = World(asa, node=NodeSettings(policy=PolicySettings(feeds=feeds)))
        await _holds(world)
        lines[0], forever[0] = b"20.0.0.2\n" * 50_000, True
        await _keeps(world, "larger than 67,108,864 bytes")
        lines[0], forever[0] = "\n".join(NEW).encode(), False
        await _converges(world)
