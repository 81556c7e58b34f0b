"""
Our reader of questions: what dnspython takes of legal ones, and nothing that costs.
"""

import struct
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from tests.retrieve import hostile
from tests.services.test_services_services import ended, service
from tscm.services.dns_answer import answer
from tscm.services.dns_question import MAX_OCTETS, QuestionDamaged, read_question
from tscm.services.places import Place
from tscm.services.policy_connection import PolicyConnection
from tscm.services.policy_service import PolicyService

__all__ = ["service"]

LABELS = st.binary(min_size=1, max_size=20) | st.sampled_from([b"a", b"B", b"x" * 63])
NAMES = (
    st.lists(LABELS, max_size=8)
    .filter(lambda labels: sum(map(len, labels)) + len(labels) <= 240)
    .map(lambda labels: dns.name.Name([*labels, b"example", b""]))
)
OPTIONS = st.lists(
    st.builds(
        dns.edns.GenericOption,
        st.sampled_from([9, 11, 12, 65001]),
        st.binary(max_size=40),
    ),
    max_size=4,
)
ALGORITHMS = [dns.tsig.HMAC_SHA256, dns.tsig.HMAC_SHA512, dns.tsig.HMAC_SHA1]


@st.composite
def questions(draw: Any, *, signed: bool = True) -> dns.message.Message:
    """What a client that keeps to the RFCs may ask."""
    kind = draw(st.sampled_from(["SOA", "NS", "A", "AAAA", "APL", "TXT", "ANY", "AXFR", "IXFR"]))
    name = draw(NAMES)
    query = dns.message.make_query(name, kind, id=draw(st.integers(0, 65535)))
    query.flags = dns.flags.Flag(draw(st.integers(0, 0xFFFF)) & 0x01B0)
    if kind == "IXFR" and draw(st.booleans()):
        soa = f"{draw(st.sampled_from(['.', 'ns.example.']))} . {draw(st.integers(0, 2**32 - 1))} 1 2 3 4"
        query.authority.append(dns.rrset.from_text(name, 0, "IN", "SOA", soa))
    if draw(st.booleans()):
        padding = draw(st.sampled_from([0, 128, 468]))
        flags = draw(st.sampled_from([0, dns.flags.DO]))
        query.use_edns(
            draw(st.sampled_from([0, 0, 1])), flags, 1232, options=draw(OPTIONS), pad=padding
        )
    if signed and draw(st.booleans()):
        key = dns.tsig.Key("list-key.example.", b"secret" * 4, draw(st.sampled_from(ALGORITHMS)))
        query.use_tsig(key)
    return query


def keyring(query: dns.message.Message) -> Any:
    return {query.keyring.name: query.keyring} if query.keyring else None


@given(questions())
@settings(deadline=None, max_examples=200)
def test_a_legal_question_is_read_as_dnspython_reads_it(query: dns.message.Message) -> None:
    wire = query.to_wire()
    assert len(wire) <= MAX_OCTETS
    parsed = dns.message.from_wire(wire, keyring=keyring(query))
    found = read_question(wire)
    assert (found.id, found.flags) == (parsed.id, int(parsed.flags))
    assert found.name == parsed.question[0].name.to_digestable()
    assert (found.kind, found.cls) == (parsed.question[0].rdtype, parsed.question[0].rdclass)
    assert found.asked == wire[12 : 12 + len(found.name) + 4]
    serials = [one[0].serial for one in parsed.authority]
    assert found.known_serial == (serials[0] if serials else None)
    assert (found.edns.version if found.edns else -1) == parsed.edns
    if found.edns:
        assert found.edns.dnssec_ok == bool(parsed.ednsflags & dns.flags.DO)
    assert (found.signature is not None) == parsed.had_tsig
    if found.signature is not None:
        assert parsed.keyname is not None
        assert parsed.keyalgorithm is not None
        assert found.signature.key == parsed.keyname.to_digestable()
        assert found.signature.algorithm == parsed.keyalgorithm.to_digestable()


@given(
    questions(signed=False),
    st.sampled_from([0, 3, 5, 9, 16]),
    st.text("a list, transfer", max_size=50),
)
@settings(deadline=None, max_examples=100)
def test_an_answer_is_one_to_dnspython(query: dns.message.Message, rcode: int, hint: str) -> None:
    wire = query.to_wire()
    response = dns.message.from_wire(answer(read_question(wire), rcode, hint=hint))
    assert query.is_response(response)
    assert response.edns == min(query.edns, 0)
    wanted = rcode if query.edns >= 0 else rcode & 15
    assert response.rcode() == wanted
    if query.edns >= 0 and hint:
        assert response.options[0].to_text().endswith(hint)


@given(questions(), st.data())
@settings(deadline=None, max_examples=300)
def test_a_damaged_question_is_refused_or_one_to_dnspython_too(
    query: dns.message.Message, data: st.DataObject
) -> None:
    wire = bytearray(query.to_wire())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(wire) - 1))
        wire[at] = data.draw(st.integers(0, 255) | st.sampled_from([0xC0, 0x3F, 0]))
    damaged = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    if data.draw(st.booleans()):
        damaged = bytes(wire)
    try:
        found = read_question(damaged)
    except QuestionDamaged:
        return
    assert damaged[12:].startswith(found.asked)
    assert len(found.asked) == len(found.name) + 4
    assert answer(found)[12:].startswith(found.asked)


NAME = b"\5block\7example\0"
GOOD = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + NAME + b"\0\6\0\1"
OPT = hostile.record(b"\0", 41, b"", 1232)
TSIG = hostile.record(
    b"\1k\0", 250, b"\1a\0" + b"\0" * 8 + struct.pack(">H", 4) + b"mac!" + b"\0" * 6, 255
)
NUMBERS = struct.pack(">5I", 5, 0, 0, 0, 0)


def message(
    name: bytes = NAME, kind: int = 6, *, counts: tuple[int, ...] = (1, 0, 0, 0), tail: bytes = b""
) -> bytes:
    return struct.pack(">6H", 7, 0, *counts) + name + struct.pack(">HH", kind, 1) + tail


IXFR = (1, 0, 1, 0)
HOSTILE = {
    "nothing": b"",
    "a header alone": GOOD[:12],
    "a pointer to itself": message(b"\xc0\x0c"),
    "a pointer into the header": message(b"\xc0\x02"),
    "a pointer forwards": message(b"\xc0\x10"),
    "a label of kind 0x40": message(b"\x41a\0"),
    "a label of kind 0x80": message(b"\x81a\0"),
    "a label beyond the end": GOOD[:12] + b"\x3fabc",
    "a name over 255 octets": message(b"\1a" * 128 + b"\0"),
    "no end of a name": GOOD[:12] + b"\1a" * 100,
    "two questions": message(counts=(2, 0, 0, 0), tail=NAME + b"\0\6\0\1"),
    "many questions": message(counts=(65535, 0, 0, 0), tail=(b"\xc0\x0c\0\6\0\1") * 150),
    "no question": message(counts=(0, 0, 0, 0)),
    "an answer": message(counts=(1, 1, 0, 0), tail=hostile.record(b"\xc0\x0c", 1, b"abcd")),
    "counts without records": message(counts=(1, 65535, 65535, 65535)),
    "two authorities": message(kind=251, counts=(1, 0, 2, 0)),
    "three additionals": message(counts=(1, 0, 0, 3), tail=OPT * 2 + TSIG),
    "two OPT": message(counts=(1, 0, 0, 2), tail=OPT * 2),
    "OPT with a name": message(counts=(1, 0, 0, 1), tail=hostile.record(b"\1a\0", 41, b"", 1232)),
    "an option cut off": message(
        counts=(1, 0, 0, 1), tail=hostile.record(b"\0", 41, b"\0\x0a\0\x08abcd", 1232)
    ),
    "half an option": message(counts=(1, 0, 0, 1), tail=hostile.record(b"\0", 41, b"\0\x0a", 1232)),
    "TSIG before OPT": message(counts=(1, 0, 0, 2), tail=TSIG + OPT),
    "two TSIG": message(counts=(1, 0, 0, 2), tail=TSIG * 2),
    "TSIG of class IN": message(
        counts=(1, 0, 0, 1), tail=TSIG.replace(b"\0\xfa\0\xff", b"\0\xfa\0\1")
    ),
    "TSIG with a MAC beyond its end": message(
        counts=(1, 0, 0, 1),
        tail=hostile.record(b"\1k\0", 250, b"\1a\0" + b"\0" * 8 + b"\xff\xffmac!" + b"\0" * 6, 255),
    ),
    "TSIG with octets too many": message(
        counts=(1, 0, 0, 1),
        tail=hostile.record(b"\1k\0", 250, b"\1a\0" + b"\0" * 8 + b"\0\4mac!" + b"\0" * 9, 255),
    ),
    "TSIG cut off": message(counts=(1, 0, 0, 1), tail=TSIG[:-1]),
    "TSIG without data": message(counts=(1, 0, 0, 1), tail=hostile.record(b"\1k\0", 250, b"", 255)),
    "a huge TSIG": message(
        counts=(1, 0, 0, 1),
        tail=hostile.record(
            b"\1k\0", 250, b"\1a\0" + b"\0" * 8 + b"\x04\0" + b"m" * 1024 + b"\0" * 6, 255
        ),
    ),
    "an additional record": message(counts=(1, 0, 0, 1), tail=hostile.record(b"\0", 1, b"abcd")),
    "IXFR of another zone": message(
        kind=251, counts=IXFR, tail=hostile.record(b"\1z\0", 6, b"\0\0" + NUMBERS)
    ),
    "an authority without IXFR": message(
        counts=IXFR, tail=hostile.record(b"\xc0\x0c", 6, b"\0\0" + NUMBERS)
    ),
    "IXFR with an authority of RP": message(
        kind=251, counts=IXFR, tail=hostile.record(b"\xc0\x0c", 17, b"\xc0\x0c\xc0\x0c")
    ),
    "SOA cut off": message(
        kind=251, counts=IXFR, tail=hostile.record(b"\xc0\x0c", 6, b"\0\0" + NUMBERS)[:-1]
    ),
    "SOA too short": message(
        kind=251, counts=IXFR, tail=hostile.record(b"\xc0\x0c", 6, b"\0\0" + NUMBERS[:-1])
    ),
    "SOA with a pointer forwards": message(
        kind=251, counts=IXFR, tail=hostile.record(b"\xc0\x0c", 6, b"\xc0\xff\0" + NUMBERS)
    ),
    "octets after the question": GOOD + b"\0",
    "a longer message than any question": message(
        counts=(1, 0, 0, 1), tail=hostile.record(b"\0", 41, b"\0\x0c\x04\0" + b"\0" * 1024, 1232)
    ),
}


@pytest.mark.parametrize("wire", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_question_is_refused(wire: bytes) -> None:
    with pytest.raises(QuestionDamaged):
        read_question(wire)


@pytest.mark.parametrize("wire", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_question_is_answered_with_a_bare_header(
    service: PolicyService, wire: bytes
) -> None:
    if len(wire) < 12:
        return
    ended(service.registry.look_again())
    (found,) = ended(service.respond(wire, "192.0.2.1"))
    assert found == wire[:2] + b"\x80\1" + b"\0" * 8


def test_good_ones_beside_them_are_read() -> None:
    for wire in (
        GOOD,
        message(counts=(1, 0, 0, 1), tail=OPT),
        message(counts=(1, 0, 0, 1), tail=TSIG),
        message(counts=(1, 0, 0, 2), tail=OPT + TSIG),
        message(kind=251),
        message(kind=251, counts=IXFR, tail=hostile.record(b"\xc0\x0c", 6, b"\0\0" + NUMBERS)),
    ):
        assert read_question(wire).text == "block.example"
    assert read_question(message(b"\0")).text == ""
    assert read_question(message(b"\rblock.example\0")).text == "", "one label with a dot"
    assert read_question(message(b"\2\xff\xff\0")).text == ""


@pytest.mark.parametrize("cut", range(1, len(TSIG + OPT) + 1))
def test_every_cut_is_damaged(cut: int) -> None:
    with pytest.raises(QuestionDamaged):
        read_question(message(counts=(1, 0, 0, 2), tail=OPT + TSIG)[:-cut])


def untouched(*_: object) -> None:
    raise AssertionError("a stranger's message was read")


def test_a_strangers_message_is_not_read(
    service: PolicyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tscm.services.policy_service.read_question", untouched)
    monkeypatch.setattr("tscm.services.policy_service.opcode_of", untouched)
    (wire,) = ended(service.respond(GOOD, "198.51.100.1"))
    assert dns.message.from_wire(wire).rcode() == dns.rcode.REFUSED
    assert dns.message.from_wire(GOOD).is_response(dns.message.from_wire(wire))


def test_dnspython_never_sees_a_message_from_outside(
    service: PolicyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns.message, "from_wire", untouched)
    monkeypatch.setattr(dns.name, "from_wire", untouched)
    monkeypatch.setattr(dns.name, "from_wire_parser", untouched)
    for peer in ("192.0.2.1", "198.51.100.1"):
        for wire in (GOOD, hostile.one_name_for_all(hostile.RP), *HOSTILE.values()):
            if len(wire) >= 12:
                service.registry._strangers_at = None
                list(ended(service.respond(wire, peer)))


@pytest.mark.parametrize(
    ("opcode", "rcode"),
    [(1, "NOTIMP"), (2, "NOTIMP"), (4, "NOTIMP"), (5, "NOTIMP"), (15, "NOTIMP")],
)
def test_other_opcodes_are_not_implemented(service: PolicyService, opcode: int, rcode: str) -> None:
    ended(service.registry.look_again())
    wire = GOOD[:2] + bytes([opcode << 3]) + GOOD[3:]
    (found,) = ended(service.respond(wire, "192.0.2.1"))
    assert dns.rcode.to_text(dns.rcode.Rcode(found[3] & 15)) == rcode
    assert found[2] >> 3 & 15 == opcode


def test_a_message_longer_than_a_question_is_not_waited_for(service: PolicyService) -> None:
    transport = StringTransport()
    connection = PolicyConnection(service, Place("192.0.2.1", known=True))
    connection.makeConnection(transport)
    connection.dataReceived(struct.pack(">H", MAX_OCTETS + 1))
    connection.setTimeout(None)
    assert transport.disconnected
    assert service.figures()["answers"] == {"too long": 1}
