"""
The policy service asked by its peers: dig, kdig, dnspython, and tscm's own fetcher.
"""

import asyncio
import json
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.versioned
import dns.xfr
import dns.zone
import pytest
from attrs import frozen

from tests.services.services_process import TWISTD, start, stop
from tscm.base.host_port import HostPort
from tscm.errors import ListUnavailable
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.stream import Limits
from tscm.services.entries import add_entry, list_file, remove_entry
from tscm.settings.layout import Layout

LIST = "block.example"


@frozen
class Portal:
    """A running `twistd tscm-portal`."""

    folder: Path
    port: int
    log: Path

    def write(self, text: str, name: str = LIST) -> None:
        path = list_file(self.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".aside")
        aside.write_text(text)
        aside.rename(path)

    def fetch(self, name: str = LIST, known: PolicyList | None = None) -> PolicyList | None:
        source = ListSource(
            name=name, servers=(HostPort("127.0.0.1", self.port),), limits=Limits(idle_seconds=10)
        )
        return fetch_list(source, known, 1000.0)

    def ask(self, name: str, kind: str, **more: int) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **more)  # type: ignore[arg-type]
        return dns.query.tcp(query, "127.0.0.1", 10, port=self.port)

    def raw(self, wire: bytes) -> bytes:
        """What comes back for one framed message; empty when the service hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as one:
            one.sendall(struct.pack(">H", len(wire)) + wire)
            try:
                size = one.recv(2)
                return one.recv(65535) if size else b""
            except ConnectionResetError:
                return b""


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    root = tmp_path_factory.mktemp("portal")
    folder = Layout(root).portal
    add_entry(folder, nickname="edge", address="127.0.0.1", block_list=LIST)
    process, told = start(root, "--dns", "127.0.0.1:0")
    yield Portal(folder, int(told["dns"][0].rpartition(":")[2]), root / "log")
    assert stop(process)
    assert "Traceback" not in (root / "log").read_text()


def dotted(number: int) -> str:
    return f"11.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def test_our_fetcher_gets_what_the_file_holds(portal: Portal) -> None:
    portal.write("# head\n192.0.2.0/24\n203.0.113.7\n2001:db8::/32 # six\n\n10.0.0.0/33\na b\n")
    found = portal.fetch()
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.0/24", "203.0.113.7/32", "2001:db8::/32"]
    assert portal.fetch(known=found) is None


def test_a_changed_file_is_served_at_once_with_a_higher_serial(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n")
    first = portal.fetch()
    portal.write("192.0.2.0/25\n")
    second = portal.fetch(known=first)
    portal.write("192.0.2.0/25 # only the comment is new\n")
    assert first is not None
    assert second is not None
    assert second.entries.cidrs() == ["192.0.2.0/25"]
    assert second.serial is not None
    assert first.serial is not None
    assert second.serial > first.serial
    assert portal.fetch(known=second) is None


def test_a_large_list_comes_whole(portal: Portal) -> None:
    portal.write("".join(f"{dotted(2 * n)}/32\n" for n in range(40_000)))
    found = portal.fetch()
    assert found is not None
    assert len(set(found.entries.cidrs())) == 40_000


def test_a_small_change_of_a_large_list_is_told_by_differences(portal: Portal) -> None:
    lines = [f"{dotted(2 * n)}/32\n" for n in range(20_000)]
    portal.write("".join(lines))
    first = portal.fetch()
    for number in (5, 9_000):
        lines[number] = f"13.0.0.{number % 256}/32\n"
        portal.write("".join(lines))
        second = portal.fetch(known=first if number == 5 else None)
    lines[7] = "2001:db8::7/128\n"
    portal.write("".join(lines))
    third = portal.fetch(known=first)
    whole = portal.fetch()
    assert second is not None
    assert third is not None
    assert whole is not None
    assert sorted(third.entries.cidrs()) == sorted(whole.entries.cidrs())
    assert "2001:db8::7/128" in third.entries.cidrs()
    assert first is not None
    query = dns.message.make_query(LIST, "IXFR")
    query.authority.append(
        dns.rrset.from_text(f"{LIST}.", 0, "IN", "SOA", f". . {first.serial} 0 0 0 0")
    )
    answer = dns.query.tcp(query, "127.0.0.1", 10, port=portal.port, one_rr_per_rrset=True)
    serials = [one[0].serial for one in answer.answer if one.rdtype == dns.rdatatype.SOA]
    assert serials[0] == serials[-1] == whole.serial
    assert serials[1] == first.serial
    assert len(serials) == 8, "three generations"
    assert len(answer.to_wire(max_size=65535)) < 20_000


def test_dnspython_brings_a_zone_forward_by_differences(portal: Portal) -> None:
    portal.write("".join(f"{dotted(2 * n)}/32\n" for n in range(3000)))
    zone = dns.versioned.Zone(LIST)
    query, _ = dns.xfr.make_query(zone)
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=portal.port)
    portal.write("".join(f"{dotted(2 * n)}/32\n" for n in range(1, 3000)))
    query, _ = dns.xfr.make_query(zone)
    assert query.question[0].rdtype == dns.rdatatype.IXFR
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=portal.port)
    items = [item for apl in zone.find_rdataset("@", "APL") for item in apl.items]
    assert len(items) == 2999


def test_a_direct_question_for_a_large_list_points_to_the_transfer(portal: Portal) -> None:
    portal.write("".join(f"{dotted(2 * n)}/32\n" for n in range(40_000)))
    answer = portal.ask(LIST, "APL", use_edns=0)
    assert answer.flags & dns.flags.TC
    assert not answer.answer
    assert "AXFR" in str(answer.options[0])


def test_a_direct_question_for_a_small_list_is_answered(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n2001:db8::/32\n")
    answer = portal.ask(LIST.upper(), "APL")
    assert answer.answer[0].to_text().endswith("APL 1:192.0.2.0/24 2:2001:db8::/32")
    assert answer.flags & dns.flags.AA
    nothing = portal.ask(LIST, "TXT")
    assert not nothing.answer
    assert nothing.authority[0].rdtype == dns.rdatatype.SOA


def test_dnspython_transfers_the_zone(portal: Portal) -> None:
    portal.write("".join(f"{dotted(2 * n)}/32\n" for n in range(3000)))
    zone = dns.zone.Zone(LIST)
    query, _serial = dns.xfr.make_query(zone)
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=portal.port)
    items = [item for apl in zone.find_rdataset("@", "APL") for item in apl.items]
    assert len(items) == 3000


@pytest.mark.peer("dig")
def test_dig_transfers_the_zone(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n203.0.113.7\n")
    told = subprocess.run(
        ["dig", "@127.0.0.1", "-p", str(portal.port), LIST, "AXFR"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert "APL\t1:192.0.2.0/24 1:203.0.113.7/32" in told
    assert told.count("SOA") == 2


def said(portal: Portal, *words: str) -> str:
    """What dig or kdig prints."""
    program, *more = words
    return subprocess.run(
        [program, "@127.0.0.1", "-p", str(portal.port), "+tcp", *more],
        capture_output=True, text=True, check=False, timeout=20,
    ).stdout  # fmt: skip


@pytest.mark.peer("dig")
def test_dig_asks_with_all_that_it_can_put_into_a_question(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n")
    more = ["+padding=468", "+nsid", "+subnet=192.0.2.0/24", "+keepalive", "+cookie", "+dnssec"]
    told = said(portal, "dig", LIST, "SOA", *more)
    assert "status: NOERROR" in told
    assert "flags: do" in told
    assert "SOA\tns.block.example." in told
    assert "1:192.0.2.0/24" in said(portal, "dig", LIST, "IXFR=5", "+cookie")
    assert "BADKEY" in said(portal, "dig", LIST, "SOA", "-y", "hmac-sha512:k:c2VjcmV0c2VjcmV0")
    assert "status: BADVERS" in said(portal, "dig", LIST, "SOA", "+edns=1", "+noednsneg")
    assert "status: NOTIMP" in said(portal, "dig", LIST, "SOA", "+opcode=notify")


@pytest.mark.peer("dig")
@pytest.mark.peer("kdig")
def test_dig_and_kdig_understand_the_refusal_of_a_stranger(portal: Portal) -> None:
    for program in ("dig", "kdig"):
        assert "status: REFUSED" in said(portal, program, "-b", "127.0.0.9", LIST, "SOA")


@pytest.mark.peer("kdig")
def test_kdig_transfers_the_zone_and_asks_on_one_connection(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n203.0.113.7\n")
    base = ["kdig", "@127.0.0.1", "-p", str(portal.port), "+tcp", "+keepopen"]
    told = subprocess.run(
        [*base, LIST, "AXFR"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "1:192.0.2.0/24 1:203.0.113.7/32" in told
    told = subprocess.run(
        [*base, LIST, "SOA", "absent.example", "SOA"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert "status: NOERROR" in told
    assert "status: NXDOMAIN" in told


def test_an_absent_list_is_no_such_name_and_not_transferred(portal: Portal) -> None:
    assert portal.ask("absent.example", "SOA").rcode() == dns.rcode.NXDOMAIN
    assert portal.ask("absent.example", "AXFR").rcode() == dns.rcode.NOTAUTH
    below = portal.ask(f"x.{LIST}", "SOA")
    assert below.rcode() == dns.rcode.NXDOMAIN
    assert below.authority[0].name == dns.name.from_text(LIST)
    with pytest.raises(ListUnavailable, match="no such name"):
        portal.fetch("absent.example")


def wait_until_refused(portal: Portal) -> None:
    deadline = time.monotonic() + 60
    while portal.ask(LIST, "SOA").rcode() != dns.rcode.REFUSED:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_address_without_an_entry_is_refused_until_it_has_one(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n")
    remove_entry(portal.folder, "edge")
    try:
        wait_until_refused(portal)
        assert portal.ask(LIST, "AXFR").rcode() == dns.rcode.REFUSED
        with pytest.raises(ListUnavailable, match="REFUSED") as caught:
            portal.fetch()
        assert "wait 15 minutes" in caught.value.remedy
    finally:
        add_entry(portal.folder, nickname="edge", address="127.0.0.1", block_list=LIST)
    assert portal.fetch() is not None, "a new entry counts at once"


def test_a_dynamic_entry_stands_for_the_address_of_its_name(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n")
    remove_entry(portal.folder, "edge")
    try:
        wait_until_refused(portal)
        add_entry(portal.folder, nickname="roaming", domain="localhost", block_list=LIST)
        assert portal.fetch() is not None
        remove_entry(portal.folder, "roaming")
        wait_until_refused(portal)
    finally:
        add_entry(portal.folder, nickname="edge", address="127.0.0.1", block_list=LIST)


def test_other_opcodes_and_broken_messages_are_told_so(portal: Portal) -> None:
    good = dns.message.make_query(LIST, "SOA").to_wire()
    update = bytes([good[0], good[1], good[2] | 5 << 3]) + good[3:]
    assert dns.message.from_wire(portal.raw(update)).rcode() == dns.rcode.NOTIMP
    assert dns.message.from_wire(portal.raw(good[:20])).rcode() == dns.rcode.FORMERR
    two = good[:4] + b"\0\2" + good[6:] + good[12:]
    assert dns.message.from_wire(portal.raw(two)).rcode() == dns.rcode.FORMERR
    loop = good[:12] + b"\xc0\x0c\0\6\0\1"
    assert dns.message.from_wire(portal.raw(loop)).rcode() == dns.rcode.FORMERR
    assert portal.raw(b"short") == b""
    answer = bytes([good[0], good[1], good[2] | 0x80]) + good[3:]
    assert portal.raw(answer) == b"", "an answer is no question"


def test_many_questions_at_once_are_answered_in_turn(portal: Portal) -> None:
    portal.write("192.0.2.0/24\n")
    queries = [dns.message.make_query(LIST, "SOA") for _ in range(50)]

    async def ask() -> list[int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
        for query in queries:
            wire = query.to_wire()
            writer.write(struct.pack(">H", len(wire)) + wire)
        ids = []
        for _ in queries:
            size = int.from_bytes(await reader.readexactly(2), "big")
            ids.append(int.from_bytes((await reader.readexactly(size))[:2], "big"))
        writer.close()
        return ids

    assert asyncio.run(asyncio.wait_for(ask(), 20)) == [query.id for query in queries]


def test_a_file_that_goes_takes_its_zone_along_but_the_serial_never_goes_back(
    portal: Portal,
) -> None:
    portal.write("192.0.2.0/24\n", "gone.example")
    first = portal.fetch("gone.example")
    list_file(portal.folder, "gone.example").unlink()
    assert portal.ask("gone.example", "SOA").rcode() == dns.rcode.NXDOMAIN
    portal.write("192.0.2.0/26\n", "gone.example")
    second = portal.fetch("gone.example", first)
    assert first is not None
    assert second is not None
    assert (second.serial or 0) > (first.serial or 0)


def test_serials_survive_a_restart(tmp_path: Path) -> None:
    folder = Layout(tmp_path).portal
    add_entry(folder, nickname="edge", address="127.0.0.1", block_list=LIST)
    list_file(folder, LIST).write_text("192.0.2.0/24\n")
    serials = folder / "serials.json"
    seen = []
    for _ in range(2):
        process, told = start(tmp_path, "--dns", "127.0.0.1:0")
        running = Portal(folder, int(told["dns"][0].rpartition(":")[2]), tmp_path / "log")
        found = running.fetch()
        assert found is not None
        seen.append(found.serial)
        assert stop(process)
    assert seen[0] == seen[1]
    assert json.loads(serials.read_text())[LIST][0] == seen[0]


def test_a_port_in_use_ends_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for option in ("--dns", "--logs"):
            ended = subprocess.run(
                [
                    TWISTD, "-n", "--pidfile=",
                    "tscm-portal", "--root", str(tmp_path), option, where,
                ],
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert ended.returncode == 4
            assert f"on {where}: Address already in use" in ended.stdout + ended.stderr
            assert "Traceback" not in ended.stderr + ended.stdout
