"""
User lists as text, and the algebra of edits.
"""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.policy.by_hand import EntryFaulty
from tscm.policy.user_lists import (
    ENTRIES_MOST,
    FAULTS_KEPT,
    TEXT_BYTES,
    KnownEntry,
    ListEntry,
    ListFaulty,
    Mode,
    Shrink,
    cidrs_of,
    edited,
    list_name,
    read_network,
    read_text,
    wider_firsts,
)

NOW = 1_700_000_000.0
V4 = st.integers(0x0100_0000, 0xDFFF_FFFF)
V6 = st.integers(0x2000 << 112, (0x4000 << 112) - 1)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[str, int, int, int]:
    """A range of less than a /8, as text and numbers, with the family's bits."""
    bits, low = draw(st.one_of(st.tuples(st.just(32), V4), st.tuples(st.just(128), V6)))
    high = low + draw(st.integers(0, (1 << (bits - 20)) - 1))
    if bits == 32:
        high = min(high, 0xFFFF_FFFE)
    return f"{ip_address(low)}-{ip_address(high)}", low, high, bits


@given(ranges())
def test_a_range_and_its_cidrs_are_the_same_addresses(one: tuple[str, int, int, int]) -> None:
    text, low, high, bits = one
    name, first, last = read_network(text)
    assert int.from_bytes(first[1:], "big") == low
    assert int.from_bytes(last[1:], "big") == high
    at = low
    for cidr in cidrs_of(name):
        network = ip_network(cidr)
        assert int(network.network_address) == at
        at = int(network.broadcast_address) + 1
    assert at == high + 1
    assert read_network(name) == (name, first, last), "its spelling is read as itself"
    assert (8 * (len(first) - 1)) == bits


@given(V4, st.integers(8, 32))
def test_every_wider_cidr_is_looked_up(number: int, length: int) -> None:
    inner = ip_network((number, 32))
    outer = inner.supernet(new_prefix=length)
    _, first, last = read_network(str(inner))
    assert read_network(str(outer))[1] in wider_firsts(first, last)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("10.0.0.9-10.0.0.1", "ends before it begins; did you mean 10.0.0.1-10.0.0.9"),
        ("10.0.0.1-2001:db8::1", "one family"),
        ("10.0.0.0/24-10.0.1.0", "is a network; a range has an address at each end"),
        ("10.0.0.1-", "'' is empty"),
        ("10.0.0.1/24", "host bits set; use 10.0.0.0/24"),
        ("8.0.0.0/7", "wider than /8"),
        ("8.0.0.0-9.0.0.0", "wider than /8"),
        ("2001::/18", "wider than /19"),
        ("0.0.0.0/0", "every address"),
        ("0.0.0.0-255.255.255.255", "every address"),
        ("10.0.0.1 10.0.0.2", "more than one word"),
        ("example.org", "is a name"),
        ("010.0.0.1", "leading zero"),
        ("10.0.0.1 until=2001-01-01", "already expired"),
        ("10.0.0.1 until=9999-12-31T23:59", "is not a time"),
        ("10.0.0.1 until=soon", "is not a time"),
        ("10.0.0.1 until=9999-12-31", "is not a time"),
        ("10.0.0.1 for=4y", "not a valid duration"),
        ("10.0.0.1 for=4h # until=2099-01-01", "more than one end"),
        ("10.0.0.1 # " + "x" * 201, "the comment is longer"),
        ("1" * 2000, "the line is longer"),
    ],
)
def test_a_faulty_line_has_its_number_and_cause(line: str, cause: str) -> None:
    parsed = read_text(f"# head\n\n192.0.2.1\n{line}\n", NOW)
    assert [one.network for one in parsed.entries] == ["192.0.2.1/32"]
    (fault,) = parsed.faults
    assert fault.line == 4
    assert cause in fault.cause
    assert fault.cause.isprintable()


@given(st.text(max_size=200))
def test_any_line_is_an_entry_or_a_fault(text: str) -> None:
    parsed = read_text(text, NOW)
    lines = [one.strip() for one in text.split("\n")]
    told = [one for one in lines if one and not one.startswith(("#", ";", "//"))]
    assert len(parsed.entries) + parsed.repeated + parsed.fault_count == len(told)
    assert all(one.cause.isprintable() for one in parsed.faults)


def test_what_stands_on_a_line_beats_what_is_said_of_all() -> None:
    text = "192.0.2.1\n192.0.2.2 for=4h # mine\n192.0.2.3 // theirs until=2099-12-31\r\n"
    one, two, three = read_text(text, NOW, until=5e9, comment="all").entries
    assert (one.until, one.comment) == (5e9, "all")
    assert (two.until, two.comment) == (NOW + 14400, "mine")
    assert three.comment == "theirs"
    assert three.until is not None
    assert three.until > 4.1e9


def test_the_word_for_wide_networks_takes_all_but_everything() -> None:
    parsed = read_text("8.0.0.0/7\n0.0.0.0/0\n::/0", NOW, wide=True)
    assert [one.network for one in parsed.entries] == ["8.0.0.0/7"]
    assert parsed.fault_count == 2


def test_a_hundred_thousand_lines_with_three_hundred_faults() -> None:
    lines = [f"20.{n >> 14 & 255}.{n >> 6 & 255}.{n & 63}" for n in range(20_000)]
    for number in range(0, 20_000, 67):
        lines[number] = "10.0.0.300"
    parsed = read_text("\n".join(lines), NOW)
    assert parsed.fault_count == len(parsed.faults) == 299
    assert [one.line for one in parsed.faults] == list(range(1, 20_001, 67))
    many = read_text("x\n" * (FAULTS_KEPT + 5), NOW)
    assert (many.fault_count, len(many.faults)) == (FAULTS_KEPT + 5, FAULTS_KEPT)


def test_a_text_is_bounded_before_it_is_read() -> None:
    with pytest.raises(ListFaulty, match="longer than 6 MB"):
        read_text("#" * (TEXT_BYTES + 1), NOW)
    assert ENTRIES_MOST >= 32_000


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a" * 64, "ä", "a\n"])
def test_a_name_of_a_list_is_plain(name: str) -> None:
    if name == "a\n":
        assert list_name(name) == "a"
        return
    with pytest.raises(ListFaulty):
        list_name(name)


def entry(number: int, until: float | None = None) -> ListEntry:
    name, first, last = read_network(str(ip_address(0x1400_0000 + number)))
    return ListEntry(network=name, first=first, last=last, until=until)


CONTENTS = st.dictionaries(st.integers(0, 30), st.sampled_from([None, 5e9, 6e9]), max_size=20)


@given(CONTENTS, CONTENTS, st.sampled_from(list(Mode)))
def test_an_edit_leads_where_sets_lead(
    before: dict[int, float | None], wanted: dict[int, float | None], mode: Mode
) -> None:
    known = {
        one.network: KnownEntry(id=at, network=one.network, until=one.until, comment="")
        for at, one in enumerate(entry(*item) for item in before.items())
    }
    edit = edited(known, [entry(*item) for item in wanted.items()], mode)
    after = {one.network: one.until for one in known.values() if one.id not in edit.removed}
    assert not set(after) & {one.network for one in edit.added}
    after |= {one.network: one.until for one in edit.added}
    then, new = (
        {entry(number).network: until for number, until in some.items()}
        for some in (before, wanted)
    )
    if mode is Mode.ADD:
        assert after == {**then, **new}
    elif mode is Mode.REPLACE:
        assert after == new
    else:
        assert after == {name: until for name, until in then.items() if name not in new}
        assert edit.absent == len(set(new) - set(then))


@pytest.mark.parametrize(
    ("before", "after", "halves"),
    [(0, 0, False), (1, 0, True), (10, 5, False), (10, 4, True), (10, 20, False), (3, 1, True)],
)
def test_what_empties_or_halves_is_held(before: int, after: int, halves: bool) -> None:
    assert Shrink(before=before, after=after).halves is halves


def test_a_network_of_a_search_may_be_wide() -> None:
    with pytest.raises(EntryFaulty):
        read_network("0.0.0.0/1")
    assert read_network("0.0.0.0/1", wide=True)[0] == "0.0.0.0/1"
