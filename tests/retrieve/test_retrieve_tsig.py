"""
Transfers that a shared key protects.
"""

import base64
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.rdatatype
import dns.tsig
import pytest

from tests.retrieve.name_servers import bind, knot, nsd, zone_text
from tests.retrieve.scripted import Talk, recv_exactly, reply, rrset, send, server, soa
from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.errors import ListUnavailable
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.stream import Limits
from tscm.retrieve.tsig import TsigKey

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = base64.b64encode(b"another key of the same length..").decode()
ZONES = {
    "many.example": zone_text(
        "many.example", 7, "".join(f"h{n} A 11.0.{n >> 8}.{n & 255}\n" for n in range(9000))
    ),
}


def fetch(name: str, port: int, key: TsigKey | None) -> PolicyList | None:
    source = ListSource(
        name=name, servers=(HostPort("127.0.0.1", port),), tsig=key, limits=Limits(idle_seconds=10)
    )
    return fetch_list(source, None, 0)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with knot(tmp_path_factory.mktemp("tsig"), ZONES, key=SECRET) as where:
        yield where


@pytest.mark.peer("knotd")
def test_a_signed_transfer_in_many_messages_is_taken(port: int) -> None:
    found = fetch("many.example", port, TsigKey("list-key", Secret(SECRET)))
    assert found is not None
    assert len(found.entries) == 9000


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(knot, id="knot", marks=pytest.mark.peer("knotd")),
        pytest.param(nsd, id="nsd", marks=pytest.mark.peer("nsd")),
        pytest.param(bind, id="bind", marks=pytest.mark.peer("named")),
    ],
)
def test_each_server_signs_so_that_a_hundred_thousand_entries_come_whole(
    serve: Callable[..., AbstractContextManager[int]], tmp_path: Path
) -> None:
    """Some sign every message, some only each so many: what lies between is covered by the next."""
    hosts = "".join(f"h{n} A 11.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(100_000))
    zones = {"big.example": zone_text("big.example", 1, "@ NS ns.example.net.\n" + hosts)}
    with serve(tmp_path / "zone", zones, key=SECRET) as where:
        deadline = time.monotonic() + 60
        while True:
            try:
                found = fetch("big.example", where, TsigKey("list-key", Secret(SECRET)))
                break
            except ListUnavailable:  # still loading the zone
                assert time.monotonic() < deadline
                time.sleep(0.2)
        with pytest.raises(ListUnavailable):
            fetch("big.example", where, TsigKey("list-key", Secret(OTHER)))
    assert found is not None
    assert len(set(found.entries.cidrs())) == 100_000


@pytest.mark.peer("knotd")
@pytest.mark.parametrize(
    ("key", "cause"),
    [
        (TsigKey("list-key", Secret(OTHER)), "rejected the TSIG signature (BADSIG)"),
        (TsigKey("other-key", Secret(SECRET)), "does not know the TSIG key (BADKEY)"),
        (TsigKey("list-key", Secret("hmac-sha512:" + SECRET)), "TSIG"),
        (TsigKey("list-key", Secret("no base64!")), "is not valid base64, or its algorithm is unknown"),
        (TsigKey("list-key", Secret("hmac-made-up:" + SECRET)), "is not valid base64, or its algorithm is unknown"),
    ],
    ids=["wrong secret", "wrong name", "wrong algorithm", "not valid base64", "no algorithm"],
)  # fmt: skip
def test_a_wrong_key_is_told_in_words_and_never_shown(port: int, key: TsigKey, cause: str) -> None:
    with pytest.raises(ListUnavailable) as caught:
        fetch("many.example", port, key)
    assert cause in str(caught.value)
    assert "check the TSIG key's name and value" in caught.value.remedy
    assert key.secret.reveal() not in str(caught.value) + repr(key)


def test_an_unsigned_answer_to_a_signed_question_is_not_taken() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        plain = dns.message.make_query(query.question[0].name, "SOA", id=query.id)
        send(one, reply(plain, [soa(5)]))

    with keyed_server(talk) as where, pytest.raises(ListUnavailable, match="is not signed"):
        fetch("z.example", where, TsigKey("list-key", Secret(SECRET)))


def keyed_server(talk: Talk) -> AbstractContextManager[int]:
    return server(talk, keyring={dns.name.from_text("list-key"): base64.b64decode(SECRET)})


def signed_transfer(every: int, count: int, *, close: bool = True) -> Talk:
    """A transfer of *count* messages, each *every*-th and the first and the last signed."""

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        key = dns.tsig.Key("list-key", SECRET)
        if query.question[0].rdtype != dns.rdatatype.AXFR:
            send(one, reply(query, [soa(5)]))
            return
        context: Any = None
        mac = query.mac
        for number in range(count):
            body = [rrset("A", f"192.0.2.{number}")]
            if number == 0:
                body = [soa(5), *body]
            last = number == count - 1
            if last:
                body = [*body, soa(5)]
            plain = dns.message.make_query("z.example", "AXFR", id=query.id)
            message = dns.message.make_response(plain)
            message.answer.extend(body)
            if number % every and not (last and close):
                wire = message.to_wire(max_size=65535)
                assert context is not None
                context.update(wire)
            else:
                message.request_mac = mac or b""
                message.use_tsig(key)
                wire = message.to_wire(max_size=65535, multi=True, tsig_ctx=context)
                context = message.tsig_ctx
            send(one, wire)

    return talk


@pytest.mark.parametrize("every", [1, 3, 40])
def test_messages_between_two_signatures_are_covered_by_the_second(every: int) -> None:
    with keyed_server(signed_transfer(every, 50)) as where:
        found = fetch("z.example", where, TsigKey("list-key", Secret(SECRET)))
    assert found is not None
    assert len(found.entries) == 50


def test_an_end_that_is_not_signed_is_not_taken() -> None:
    with (
        keyed_server(signed_transfer(20, 30, close=False)) as where,
        pytest.raises(ListUnavailable, match="the end of the answer is not signed"),
    ):
        fetch("z.example", where, TsigKey("list-key", Secret(SECRET)))


def test_more_than_99_unsigned_messages_in_a_row_are_not_taken() -> None:
    with (
        keyed_server(signed_transfer(150, 200)) as where,
        pytest.raises(ListUnavailable, match="not signed"),
    ):
        fetch("z.example", where, TsigKey("list-key", Secret(SECRET)))


@contextmanager
def tampering(target: int, change: Callable[[bytes, int], bytes]) -> Iterator[int]:
    """A gateway that changes messages of the server on their way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def relay(one: socket.socket) -> None:
        with suppress(OSError), one, socket.create_connection(("127.0.0.1", target)) as far:
            threading.Thread(target=pump, args=(one, far), daemon=True).start()
            number = 0
            while True:
                wire = recv_exactly(far, int.from_bytes(recv_exactly(far, 2), "big"))
                wire = change(wire, number)
                number += 1
                one.sendall(struct.pack(">H", len(wire)) + wire)

    def pump(one: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(4096):
                far.sendall(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.peer("knotd")
@pytest.mark.parametrize("message", [0, 1, 4])
def test_a_changed_byte_on_the_way_is_noticed(port: int, message: int) -> None:
    def change(wire: bytes, number: int) -> bytes:
        if number != message:
            return wire
        if number == 0:
            return wire.replace(b"\0\0\0\7", b"\0\0\0\x08")  # the serial
        at = wire.index(b"\x0b\0")  # an address
        return wire[:at] + b"\x0c" + wire[at + 1 :]

    with (
        tampering(port, change) as where,
        pytest.raises(ListUnavailable, match="the TSIG signature of the answer is not valid"),
    ):
        fetch("many.example", where, TsigKey("list-key", Secret(SECRET)))
