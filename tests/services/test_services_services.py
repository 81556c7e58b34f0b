"""
The services from inside: who is registered, who may connect, who is hung up on.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.tsig
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.policy.cidr import Entries
from tscm.policy.records import read_table
from tscm.retrieve.tsig import Signed, TsigFailed, TsigKey
from tscm.services import policy_connection, zone_files
from tscm.services.entries import add_entry, entries_folder, list_file, remove_entry
from tscm.services.looking import Looker
from tscm.services.places import Place, PlaceBounds, Places
from tscm.services.policy_connection import PolicyConnection
from tscm.services.policy_service import PolicyService
from tscm.services.registry import STRANGER_SECONDS, Registry
from tscm.services.zones import (
    CHANGES_KEPT,
    Zone,
    differences,
    next_changes,
    next_serial,
    pack_apl,
    read_list,
)


class AtOnce:
    """Threads that are none."""

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return succeed(call(*args))


def ended(work: Any) -> Any:
    """What a coroutine gave that had nothing to wait for."""
    found: list[Any] = []
    Deferred.fromCoroutine(work).addCallback(found.append)
    assert found, "it waits for something"
    return found[0]


def test_a_dynamic_entry_keeps_its_addresses_while_the_name_cannot_be_looked_up(
    tmp_path: Path,
) -> None:
    answers = {"edge.example": frozenset({"192.0.2.1", "2001:db8::1"})}
    clock = Clock()
    registry = Registry(
        tmp_path, clock, AtOnce(), lambda name: answers.get(name, frozenset())  # type: ignore[arg-type]
    )  # fmt: skip
    add_entry(tmp_path, nickname="edge", domain="edge.example")
    registry.startService()
    assert registry.registers("::ffff:192.0.2.1")
    assert registry.registers("2001:DB8::1")
    answers.clear()
    clock.advance(61)
    assert registry.registers("192.0.2.1")
    answers["edge.example"] = frozenset({"192.0.2.7"})
    clock.advance(61)
    assert registry.registers("192.0.2.7")
    assert not registry.registers("192.0.2.1")
    remove_entry(tmp_path, "edge")
    clock.advance(3)
    assert not registry.registers("192.0.2.7")
    registry.stopService()
    assert clock.getDelayedCalls() == []


def test_an_entry_removed_during_its_look_up_stays_removed(tmp_path: Path) -> None:
    looking_up: list[Deferred[frozenset[str]]] = []

    class Slow(AtOnce):
        def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
            if args != ("edge.example",):
                return super().run(call, *args)
            looking_up.append(Deferred())
            return looking_up[-1]

    clock = Clock()
    registry = Registry(tmp_path, clock, Slow())  # type: ignore[arg-type]
    add_entry(tmp_path, nickname="edge", domain="edge.example")
    registry.startService()
    while looking_up:
        looking_up.pop().callback(frozenset({"192.0.2.1"}))
    assert registry.registers("192.0.2.1")
    clock.advance(61)
    remove_entry(tmp_path, "edge")
    clock.advance(3)
    assert not registry.registers("192.0.2.1")
    (late,) = looking_up
    late.callback(frozenset({"192.0.2.1"}))
    assert not registry.registers("192.0.2.1")
    registry.stopService()


def test_a_file_edited_in_place_is_noticed(tmp_path: Path) -> None:
    clock = Clock()
    registry = Registry(tmp_path, clock, AtOnce())  # type: ignore[arg-type]
    made = add_entry(tmp_path, nickname="edge", address="192.0.2.1")
    registry.startService()
    assert registry.entry(made.device_id) is not None
    path = entries_folder(tmp_path) / "edge.toml"
    path.write_text(path.read_text().replace("192.0.2.1", "192.0.2.22"))
    clock.advance(3)
    assert registry.registers("192.0.2.22")
    assert not registry.registers("192.0.2.1")
    registry.stopService()


def test_who_asks_during_a_look_is_answered_by_a_later_one() -> None:
    looks: list[Deferred[int]] = []

    class Later:
        def run(self, _call: Any, _state: int) -> Deferred[int]:
            looks.append(Deferred())
            return looks[-1]

    async def take(_: int) -> None:
        pass

    looker = Looker(Later(), 0, lambda state: state, take)  # type: ignore[arg-type]
    done: list[str] = []
    for name in ("first", "second", "third"):
        Deferred.fromCoroutine(looker.again()).addCallback(lambda _, name: done.append(name), name)
    assert len(looks) == 1
    looks[0].callback(1)
    assert done == ["first"]
    assert len(looks) == 2
    looks[1].callback(2)
    assert done == ["first", "second", "third"]
    assert looker.state == 2
    assert looker.when_idle().called


def test_a_failed_look_answers_those_who_wait_and_is_told(logged_failures: list[Any]) -> None:
    def look(_: int) -> int:
        raise RuntimeError("gone")

    async def take(_: int) -> None:
        pass

    class Threads:
        def run(self, call: Any, *args: Any) -> Deferred[Any]:
            from twisted.internet.defer import maybeDeferred

            return maybeDeferred(call, *args)

    looker = Looker(Threads(), 0, look, take, "things")  # type: ignore[arg-type]
    ended(looker.again())
    assert "gone" in str(logged_failures.pop()["log_failure"])


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PolicyService:
    monkeypatch.setattr(zone_files, "_SETTLE_SECONDS", 0)
    add_entry(tmp_path, nickname="edge", address="192.0.2.1", block_list="block.example")
    return PolicyService(Clock(), AtOnce(), tmp_path, [HostPort("127.0.0.1", 0)])  # type: ignore[arg-type]


def connect(service: PolicyService, clock: Clock) -> tuple[PolicyConnection, StringTransport]:
    connection = PolicyConnection(service, Place("192.0.2.1", known=True))
    connection.callLater = clock.callLater  # type: ignore[method-assign,assignment]
    transport = StringTransport()
    connection.makeConnection(transport)
    return connection, transport


def framed(kind: str) -> bytes:
    wire = dns.message.make_query("block.example", kind).to_wire()
    return struct.pack(">H", len(wire)) + wire


def test_an_idle_connection_is_hung_up_on(service: PolicyService) -> None:
    clock = Clock()
    _connection, transport = connect(service, clock)
    clock.advance(policy_connection.IDLE_SECONDS - 1)
    assert not transport.disconnected
    clock.advance(1)
    assert transport.disconnected


def test_a_peer_that_does_not_read_its_transfer_is_hung_up_on_and_costs_no_memory(
    service: PolicyService, tmp_path: Path
) -> None:
    clock = Clock()
    text = "".join(f"11.{n >> 8}.{n & 255}.0/24\n" for n in range(30_000))
    list_file(tmp_path, "block.example").write_text(text)
    connection, transport = connect(service, clock)
    connection.dataReceived(framed("AXFR") + framed("SOA"))
    producer: Any = transport.producer
    assert producer is not None
    assert not transport.value()
    producer.resumeProducing()
    one = len(transport.value())
    assert 0 < one < 70_000
    clock.advance(policy_connection.IDLE_SECONDS - 1)
    producer.resumeProducing()
    clock.advance(policy_connection.IDLE_SECONDS - 1)
    assert not transport.disconnected, "it reads, if slowly"
    clock.advance(1)
    assert transport.disconnected


def test_what_is_asked_during_a_transfer_is_answered_after_it(
    service: PolicyService, tmp_path: Path
) -> None:
    list_file(tmp_path, "block.example").write_text("192.0.2.0/24\n")
    clock = Clock()
    connection, transport = connect(service, clock)
    connection.dataReceived(framed("AXFR") + framed("SOA"))
    while transport.producer is not None:
        transport.producer.resumeProducing()
    data, kinds = transport.value(), []
    while data:
        size = int.from_bytes(data[:2], "big")
        message = dns.message.from_wire(data[2 : 2 + size])
        kinds.append(int(message.question[0].rdtype))
        data = data[2 + size :]
    assert kinds == [252, 6]
    connection.setTimeout(None)


def test_strangers_have_few_places_and_registered_addresses_theirs(service: PolicyService) -> None:
    ended(service.registry.look_again())
    service.places.bounds = PlaceBounds(most=6, by_address=3, strangers=3, by_stranger=2)
    strangers = ["198.51.100.1", "198.51.100.1", "198.51.100.2"]
    taken = [service.place(peer) for peer in strangers]
    assert all(taken)
    assert service.place("198.51.100.3") is None, "three are strangers already"
    known = [service.place("192.0.2.1") for _ in range(3)]
    assert all(known)
    assert service.place("192.0.2.1") is None, "three of one address"
    assert taken[0] is not None
    connection = PolicyConnection(service, taken[0])
    service.connected(connection)
    service.disconnected(connection)
    assert service.place("198.51.100.3") is not None
    assert len(service.places) == 6


def opened(service: PolicyService, peer: str) -> tuple[PolicyConnection, StringTransport] | None:
    """A connection as the listener makes it."""
    place = service.place(peer)
    if place is None:
        return None
    connection = PolicyConnection(service, place)
    connection.callLater = Clock().callLater  # type: ignore[method-assign,assignment]
    transport = StringTransport()
    connection.makeConnection(transport)
    return connection, transport


def test_connections_that_ask_nothing_make_room_for_who_asks(
    service: PolicyService, tmp_path: Path
) -> None:
    """At the address of a device too, as behind a translated one."""
    list_file(tmp_path, "block.example").write_text("192.0.2.0/24\n")
    ended(service.registry.look_again())
    service.places.bounds = PlaceBounds(most=5, by_address=2, strangers=2, by_stranger=2)
    asking = opened(service, "192.0.2.1")
    assert asking is not None
    asking[0].dataReceived(framed("AXFR"))
    assert asking[1].producer is not None, "it is answered piece by piece"
    bare = [opened(service, "192.0.2.1") for _ in range(3)]
    assert [one is not None and one[1].disconnected for one in bare] == [True, True, False]
    assert not asking[1].disconnected
    strangers = [opened(service, f"198.51.100.{at}") for at in range(5)]
    assert [one is not None and one[1].disconnected for one in strangers] == [True] * 3 + [
        False
    ] * 2
    assert bare[2] is not None
    bare[2][0].dataReceived(framed("AXFR"))
    assert opened(service, "192.0.2.1") is None, "both are answered"
    assert len(service.places) == 4


def test_one_address_of_a_stranger_has_fewer_places_than_all_strangers() -> None:
    places = Places(PlaceBounds(most=9, by_address=9, strangers=5, by_stranger=2))
    for address in ("198.51.100.1", "2001:db8::1"):
        assert places.take(address, known=False)
        assert places.take(address, known=False)
        assert places.take(address, known=False) is None
    assert places.take("2001:db8::2:1", known=False) is None, "of the same network"
    assert places.take("2001:db8::2:1", known=True), "an entry stands for one address"
    assert places.take("2001:db8:1::1", known=False)


def test_who_is_recognised_takes_no_place_of_strangers() -> None:
    places = Places(PlaceBounds(most=9, by_address=9, strangers=1, by_stranger=1))
    one = places.take("198.51.100.1", known=False)
    assert one is not None
    assert places.take("198.51.100.2", known=False) is None
    places.recognise(one)
    places.recognise(one)
    assert places.take("198.51.100.1", known=False)
    places.leave(one)
    places.leave(one)
    assert len(places) == 1
    assert places.take("198.51.100.3", known=False) is None


def test_strangers_share_one_look_each_half_a_second(tmp_path: Path) -> None:
    looks: list[str] = []

    class Watched(AtOnce):
        def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
            looks.append("look")
            return super().run(call, *args)

    clock = Clock()
    registry = Registry(tmp_path, clock, Watched())  # type: ignore[arg-type]
    ended(registry.look_for_stranger())
    served: list[int] = []
    for number in range(100):
        Deferred.fromCoroutine(registry.look_for_stranger()).addCallback(
            lambda _, number: served.append(number), number
        )
    assert (served, len(looks)) == ([], 1)
    clock.advance(STRANGER_SECONDS)
    assert (served, len(looks)) == (list(range(100)), 2)
    Deferred.fromCoroutine(registry.look_for_stranger()).addCallback(lambda _: served.append(100))
    registry.stopService()
    assert len(served) == 101, "nobody is left waiting"
    assert clock.getDelayedCalls() == []


def test_a_list_that_cannot_be_used_is_a_failure_and_no_absence(
    service: PolicyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = dns.message.make_query("block.example", "SOA").to_wire()

    def code() -> dns.rcode.Rcode:
        (wire,) = ended(service.respond(query, "192.0.2.1"))
        return dns.message.from_wire(wire).rcode()

    monkeypatch.setattr(zone_files, "MAX_FILE_BYTES", 20)
    path = list_file(tmp_path, "block.example")
    path.write_text("192.0.2.0/24\n" * 2)
    assert code() == dns.rcode.SERVFAIL
    path.write_text("192.0.2.0/24\n")
    assert code() == dns.rcode.NOERROR
    path.write_text("192.0.2.0/24\n" * 3)
    assert code() == dns.rcode.NOERROR, "the zone stays as it was"
    assert "larger than" in service.figures()["lists"]["block.example"]["fault"]


def test_a_signed_question_is_told_that_there_are_no_keys(service: PolicyService) -> None:
    def answer_to(wire: bytes) -> list[bytes]:
        found: list[Any] = []
        Deferred.fromCoroutine(service.respond(wire, "192.0.2.1")).addCallback(found.append)
        clock: Any = service.registry._clock
        clock.advance(STRANGER_SECONDS)  # looks for a key that may be new share such a time
        return list(found[0])

    query = dns.message.make_query("block.example", "SOA")
    key = dns.tsig.Key("k.", "aaaa")
    query.use_tsig(key)
    (wire,) = answer_to(query.to_wire())
    assert wire[3] & 15 == dns.rcode.NOTAUTH
    with pytest.raises(dns.tsig.PeerBadKey):
        dns.message.from_wire(wire, keyring={key.name: key}, request_mac=query.mac)
    signed = Signed.of(TsigKey("k.", Secret("aaaa")), dns.message.make_query("z.example", "SOA"))
    (wire,) = answer_to(signed.query)
    with pytest.raises(TsigFailed, match="BADKEY"):
        signed.check(read_table(wire))


def test_serials_follow_the_time_and_never_go_back() -> None:
    assert next_serial(None, 1000.5) == 1000
    assert next_serial(1000, 2000) == 2000
    assert next_serial(3000, 2000) == 3001
    assert next_serial(0xFFFF_FFFF, 2000) == 0


def made_zone(serial: int, texts: list[str], before: Zone | None) -> Zone:
    apl = pack_apl(Entries.of(texts))
    return Zone(
        name="l.example",
        serial=serial,
        digest="",
        apl=apl,
        entries=len(texts),
        refused_count=0,
        refused=(),
        changes=next_changes(before, serial, apl),
    )


def test_no_more_changes_are_kept_than_the_zone_is_large() -> None:
    texts = [f"11.0.{n >> 8}.{n & 255}/32" for n in range(5000)]
    zone = made_zone(1, texts, None)
    for serial in range(2, 60):
        texts = [*texts[1:], f"12.0.0.{serial}/32"]
        zone = made_zone(serial, texts, zone)
        assert sum(one.octets for one in zone.changes) <= sum(map(len, zone.apl))
        assert len(zone.changes) <= CHANGES_KEPT
    assert zone.changes[-1].before == 58
    assert differences(zone, 58, 1, b"") is not None
    assert differences(zone, 1, 1, b"") is None
    assert differences(zone, 99, 1, b"") is None
    other = made_zone(60, ["192.0.2.0/24"], zone)
    assert other.changes == (), "all is new"


def test_lines_that_are_no_cidr_are_left_out_and_counted() -> None:
    content = b"192.0.2.0/24 # note\n; all of it\n\n10.0.0.0/33\nedge.example\na b\n\xff\n::/0\n"
    found = read_list(content, 10).to_list("l", serial=None, fetched_at=0, source="")
    assert found.entries.cidrs() == ["192.0.2.0/24", "::/0"]
    assert found.refused_count == 4
    assert "line 6 contains more than one word" in [one.cause for one in found.refused]
    assert b"".join(pack_apl(found.entries)) == b"\0\1\x18\3\xc0\0\2" + b"\0\2\0\0"
