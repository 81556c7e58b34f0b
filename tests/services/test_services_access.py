"""
Who may have which list of the policy service: by address, and by an entry's TSIG key; and who is told of changes.
"""

import time
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.tsig
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.services.test_services_services import AtOnce, ended
from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.policy.names import read_name
from tscm.policy.notify import confirmation, confirmed_number, notice, read_notice
from tscm.policy.records import read_table
from tscm.retrieve.tsig import Signed, TsigFailed, TsigKey
from tscm.services import zone_files
from tscm.services.entries import PortalEntry, add_entry, list_file, remove_entry, rotate_key
from tscm.services.notifier import PAUSES
from tscm.services.policy_service import PolicyService

STRANGER = "198.51.100.99"


class Datagrams(Clock):
    """A reactor with a clock and sockets that keep what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.protocol: Any = None

    def listenUDP(self, port: int, protocol: Any, interface: str) -> Any:
        del port, interface
        self.protocol = protocol
        protocol.transport = self
        return self

    def write(self, message: bytes, place: tuple[str, int]) -> None:
        self.sent.append((message, place))

    def stopListening(self) -> None:
        pass


@pytest.fixture
def clock() -> Datagrams:
    return Datagrams()


@pytest.fixture
def service(tmp_path: Path, clock: Datagrams, monkeypatch: pytest.MonkeyPatch) -> PolicyService:
    monkeypatch.setattr(zone_files, "_SETTLE_SECONDS", 0)
    return PolicyService(clock, AtOnce(), tmp_path, [HostPort("127.0.0.1", 0)])  # type: ignore[arg-type]


def entry(tmp_path: Path, name: str, address: str, **more: Any) -> PortalEntry:
    made = add_entry(tmp_path, nickname=name, address=address, **more)
    list_file(tmp_path, made.block_list).write_text("192.0.2.0/24\n")
    return made


def asked(service: PolicyService, clock: Clock, peer: str, wire: bytes) -> list[bytes]:
    ended(service.registry.look_again())
    clock.advance(1)
    found = service.respond(wire, peer)
    got: list[list[bytes]] = []
    answering = Deferred.fromCoroutine(found)
    answering.addCallback(lambda messages: got.append(list(messages)))
    clock.advance(1)
    assert got, "the answer did not come"
    return got[0]


def code(service: PolicyService, clock: Clock, peer: str, name: str, kind: str = "SOA") -> str:
    wire = dns.message.make_query(name, kind).to_wire()
    return dns.rcode.to_text(dns.rcode.Rcode(asked(service, clock, peer, wire)[0][3] & 15))


def test_an_address_has_the_lists_of_its_entries_and_no_others(
    service: PolicyService, clock: Datagrams, tmp_path: Path
) -> None:
    entry(tmp_path, "one", "192.0.2.1")
    entry(tmp_path, "two", "192.0.2.1")
    entry(tmp_path, "far", "192.0.2.7")
    for kind in ("SOA", "AXFR", "APL"):
        assert code(service, clock, "192.0.2.1", "block.one.tscm.internal", kind) == "NOERROR"
        assert code(service, clock, "192.0.2.1", "block.two.tscm.internal", kind) == "NOERROR"
        assert code(service, clock, "192.0.2.1", "block.far.tscm.internal", kind) == "REFUSED"
        assert code(service, clock, "192.0.2.7", "block.far.tscm.internal", kind) == "NOERROR"
        assert code(service, clock, STRANGER, "block.far.tscm.internal", kind) == "REFUSED"
        # Below another entry's list nothing is told either, for the answer would have its SOA.
        assert code(service, clock, "192.0.2.1", "x.block.far.tscm.internal", kind) == "REFUSED"


def test_the_node_itself_has_every_list(
    service: PolicyService, clock: Datagrams, tmp_path: Path
) -> None:
    entry(tmp_path, "here", "127.0.0.1")
    entry(tmp_path, "far", "192.0.2.7")
    assert code(service, clock, "127.0.0.1", "block.far.tscm.internal") == "NOERROR"
    assert code(service, clock, "127.0.0.2", "block.far.tscm.internal") == "REFUSED"


def signed(one: PortalEntry, name: str, kind: str, at: float | None = None) -> Signed:
    assert one.tsig_secret is not None
    key = TsigKey(one.tsig_name, Secret(one.tsig_secret))
    query = dns.message.make_query(name, kind)
    if at is None:
        return Signed.of(key, query)
    chosen = key.as_dns()
    query.use_tsig(chosen)
    real, time.time = time.time, lambda: at
    try:
        wire = query.to_wire()
    finally:
        time.time = real
    return Signed(wire, chosen, query.mac or b"")


@pytest.mark.parametrize("kind", ["SOA", "AXFR"])
def test_a_key_has_the_lists_of_its_entry_from_wherever_it_asks(
    service: PolicyService, clock: Datagrams, tmp_path: Path, kind: str
) -> None:
    one = entry(tmp_path, "one", "192.0.2.1")
    entry(tmp_path, "far", "192.0.2.7")
    many = "".join(f"11.{n >> 8}.{n & 255}.0/24\n" for n in range(30_000))
    list_file(tmp_path, one.block_list).write_text(many)
    for peer in ("192.0.2.1", STRANGER, "192.0.2.7"):
        question = signed(one, one.block_list, kind)
        answers = asked(service, clock, peer, question.query)
        assert (len(answers) > 2) == (kind == "AXFR")
        for message in answers:
            question.check(read_table(message))
        question.check_closed()
        assert answers[0][3] & 15 == dns.rcode.NOERROR
        question = signed(one, "block.far.tscm.internal", kind)
        (message,) = asked(service, clock, peer, question.query)
        question.check(read_table(message))
        assert message[3] & 15 == dns.rcode.REFUSED


def test_a_signature_that_does_not_count_opens_nothing(
    service: PolicyService, clock: Datagrams, tmp_path: Path
) -> None:
    one, far = entry(tmp_path, "one", "192.0.2.1"), entry(tmp_path, "far", "192.0.2.7")

    def refused(question: Signed, peer: str = "192.0.2.1") -> str:
        (message,) = asked(service, clock, peer, question.query)
        assert message[3] & 15 == dns.rcode.NOTAUTH
        with pytest.raises(TsigFailed) as failed:
            question.check(read_table(message))
        return str(failed.value)

    wrong = signed(one, one.block_list, "SOA")
    other = TsigKey(one.tsig_name, Secret(far.tsig_secret or ""))
    assert "BADSIG" in refused(Signed.of(other, dns.message.make_query(one.block_list, "SOA")))
    wrong.query = wrong.query.replace(b"\5block", b"\5clock")
    assert "BADSIG" in refused(wrong)
    nobody = TsigKey("nobody", Secret(one.tsig_secret or ""))
    assert "BADKEY" in refused(Signed.of(nobody, dns.message.make_query(one.block_list, "SOA")))
    late = signed(one, one.block_list, "SOA", time.time() - 86400)
    assert "clocks" in refused(late)
    gone = signed(one, one.block_list, "SOA")
    remove_entry(tmp_path, "one")
    clock.advance(5)
    assert "BADKEY" in refused(gone, STRANGER)


def test_a_key_that_was_rotated_is_taken_at_once(
    service: PolicyService, clock: Datagrams, tmp_path: Path
) -> None:
    one = entry(tmp_path, "one", "192.0.2.1")
    asked(service, clock, STRANGER, dns.message.make_query(one.block_list, "SOA").to_wire())
    rotated = rotate_key(tmp_path, "one")
    query = dns.message.make_query(one.block_list, "SOA")
    query.use_tsig(dns.tsig.Key(one.tsig_name, rotated.tsig_secret or "", dns.tsig.HMAC_SHA256))
    got: list[bytes] = []
    answering = Deferred.fromCoroutine(service.respond(query.to_wire(), STRANGER))
    answering.addCallback(got.extend)
    clock.advance(1)
    assert dns.rcode.to_text(dns.rcode.Rcode(got[0][3] & 15)) == "NOERROR"


def test_an_entry_without_a_device_key_has_no_tsig_key(tmp_path: Path) -> None:
    entry(tmp_path, "one", "192.0.2.1")
    bare = PortalEntry(
        nickname="x", device_id="tdid_x", block_list="b.example", allow_list="a.example", address="192.0.2.1"
    )  # fmt: skip
    assert bare.tsig_secret is None


def test_a_manager_that_asks_for_it_is_told_of_its_lists_until_it_confirms(
    service: PolicyService, clock: Datagrams, tmp_path: Path
) -> None:
    entry(tmp_path, "one", "192.0.2.1", notify_port=5300)
    entry(tmp_path, "far", "192.0.2.7")
    ended(service.registry.look_again())
    ended(service.zones.look_again())
    assert {place for _, place in clock.sent} == {("192.0.2.1", 5300)}
    told = [read_notice(message) for message, _ in clock.sent]
    assert sorted(one.zone for one in told if one) == [
        "allow.one.tscm.internal",
        "block.one.tscm.internal",
    ]
    first = clock.sent[0][0]
    clock.protocol.datagramReceived(confirmation(first), ("192.0.2.66", 5300))  # not from there
    clock.sent.clear()
    clock.advance(PAUSES[0])
    assert len(clock.sent) == 2
    for message, place in list(clock.sent):
        clock.protocol.datagramReceived(confirmation(message), place)
    clock.sent.clear()
    clock.pump([20.0] * 5)
    assert not clock.sent
    list_file(tmp_path, "block.one.tscm.internal").write_text("192.0.2.0/25\n")
    ended(service.zones.look_again())
    clock.pump([20.0] * 10)
    assert len(clock.sent) == 1 + len(PAUSES), "it is given up"
    assert not clock.getDelayedCalls()


def test_a_notice_is_what_another_implementation_makes_and_reads() -> None:
    made = dns.message.make_query("block.example", "SOA")
    made.set_opcode(dns.opcode.NOTIFY)
    made.flags |= dns.flags.AA
    found = read_notice(made.to_wire())
    assert found is not None
    assert (found.zone, found.number) == ("block.example", made.id)
    answer = dns.message.from_wire(confirmation(made.to_wire()))
    assert made.is_response(answer)
    assert answer.rcode() == dns.rcode.NOERROR
    assert confirmed_number(answer.to_wire()) == made.id
    zone, _ = read_name(b"\5block\7example\0", 0)
    soa = b"\2ns" + zone + b"\5admin" + zone + bytes(20)
    ours = dns.message.from_wire(notice(7, zone, soa))
    assert ours.opcode() == dns.opcode.NOTIFY
    assert ours.answer[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes(12),
        bytes(600),
        notice(7, b"\0", bytes(22)),
        notice(7, b"\3a.b\0", bytes(22)),
        notice(7, b"\5block", b""),
        notice(7, b"\xc0\x0c", b""),
        confirmation(notice(7, b"\5block\0", b"")),
    ],
)
def test_what_is_no_notice_is_not_heard(message: bytes) -> None:
    assert read_notice(message) is None
