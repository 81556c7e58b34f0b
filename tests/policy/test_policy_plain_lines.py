"""
Lists as text and as APL records by whole columns: the same as entry by entry.
"""

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.collect import Collector
from tscm.policy.plain_lines import as_lines, v4_lines
from tscm.services.zones import pack_apl, read_list

V4 = st.builds(
    lambda address, length: f"{'.'.join(map(str, address.to_bytes(4, 'big')))}/{length}",
    st.integers(0, 2**32 - 1) | st.sampled_from([0, 1 << 24, 256, 2**32 - 1]),
    st.integers(0, 32),
)
V6 = st.builds(
    lambda high, length: f"{high:x}:0:0:1::/{length}", st.integers(1, 0xFFFF), st.integers(64, 128)
)
LISTS = st.lists(V4 | V6, max_size=60).map(Entries.of)


def slowly(content: bytes) -> Entries:
    collector = Collector()
    for line in content.decode().split("\n"):
        if line and not line.startswith("#"):
            collector.add_text(line)
    return collector.to_list("l", serial=None, fetched_at=0, source="").entries


@given(LISTS)
def test_a_list_is_written_and_read_back_as_it_is(entries: Entries) -> None:
    content = as_lines(entries)
    assert content == b"".join(f"{one}\n".encode() for one in entries.cidrs())
    found = read_list(b"# head\n# more\n" + content, 1000).to_list(
        "l", serial=None, fetched_at=0, source=""
    )
    assert found.entries == entries
    assert not found.refused_count


LINE = st.sampled_from(
    [
        "192.0.2.1/32", "192.0.2.1", "192.0.2.0/24 # x", "192.0.2.01/32", "192.0.2.256/32", "1.2.3/8", "",
        "192.0.2.1/33", "192.0.2.1/", "/24", "1.2.3.4.5/8", "1921.0.2.1/32", "10.0.0.1/8", "2001:db8::/32",
        "nonsense", "0.0.0.0/0", "255.255.255.255/32", "192.0.2.1/024", " 192.0.2.1/32", "192.0.2.1/3 2", "-1.0.0.0/8",
    ]
)  # fmt: skip


@given(lines=st.lists(LINE, max_size=8), ended=st.booleans())
def test_whatever_is_written_is_read_as_line_by_line(*, lines: list[str], ended: bool) -> None:
    content = ("\n".join(lines) + "\n" * ended).encode()
    slow = Collector()
    for number, line in enumerate(content.decode().splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) == 1:
            slow.add_text(words[0])
        elif words:
            slow.refuse(line.strip(), f"line {number} contains more than one word")
    found, wanted = (
        one.to_list("l", serial=None, fetched_at=0, source="")
        for one in (read_list(content, 1000), slow)
    )
    assert found.entries == wanted.entries
    assert found.refused == wanted.refused


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"1.2.3.4/32", b"1.2.3.4/32\r\n", b"1.2.3.4/32\n\n", b"a.2.3.4/32\n", b"1.2.3.4:32\n", b"\xff\n"],
)  # fmt: skip
def test_what_is_written_otherwise_is_left_to_the_reader_of_lines(content: bytes) -> None:
    assert v4_lines(content) is None


def one_by_one(entries: Entries) -> tuple[bytes, ...]:
    """How records are made, said entry by entry."""
    items = []
    for one in entries.cidrs():
        address, _, length = one.partition("/")
        family, packed = (2, 16) if ":" in address else (1, 4)
        import socket

        octets = socket.inet_pton(socket.AF_INET6 if family == 2 else socket.AF_INET, address)
        assert len(octets) == packed
        octets = octets.rstrip(b"\0")
        items.append(struct.pack(">HBB", family, int(length), len(octets)) + octets)
    records: dict[bytes, None] = {}
    part: list[bytes] = []
    for item in items:
        part.append(item)
        if not crc32(item) & 0x3F or len(part) == 1000:
            records[b"".join(part)] = None
            part = []
    if part:
        records[b"".join(part)] = None
    return tuple(records)


@given(LISTS)
def test_records_are_those_of_entry_by_entry(entries: Entries) -> None:
    assert pack_apl(entries) == one_by_one(entries)


@pytest.mark.parametrize("step", [1, 3, 64, 4096])
def test_records_of_long_lists_end_where_they_did(step: int) -> None:
    texts = [f"20.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(0, 5000 * step, step)]
    merged = CidrSet.of(Entries.of(texts)).entries
    same = Entries.of(["20.0.0.0/8"] * 2500)  # no end but the greatest number of items
    for entries in (merged, Entries.of(texts), same):
        assert pack_apl(entries) == one_by_one(entries)
