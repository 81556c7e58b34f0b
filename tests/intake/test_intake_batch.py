"""Three ways to empty a UDP socket, one result."""

import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cffi import FFI
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.intake.receive_buffer import large_buffer
from tscm.intake import _batch_build, batch_compiled
from tscm.intake.batch import Batch, Drain, address_from_key, address_key
from tscm.intake.drains import open_drain
from tscm.intake.senders import normal_address
from tscm.syslog import framing
from tscm.syslog.escape import escape
from tscm.syslog.framing import messages_of

WAYS = ("compiled", "numpy", "plain")
LIMIT = 4000
EVERYTHING = (1 << 20, 1 << 30)


def opened(way: str, limit: int = LIMIT) -> Drain:
    try:
        if way == "compiled":
            return batch_compiled.CompiledDrain(limit, 1 << 62)  # a slow machine ends none early
        return open_drain(way, limit)
    except ImportError:
        pytest.skip("the helper was not built here")


@pytest.fixture(scope="module")
def drains() -> list[Drain]:
    return [opened(way) for way in WAYS]


@pytest.fixture
def heard() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        large_buffer(bound, 1 << 22)
        bound.bind(("127.0.0.1", 0))
        yield bound


def send(to: socket.socket, datagrams: list[tuple[int, bytes]]) -> None:
    """Each from the loopback address of that last number."""
    senders: dict[int, socket.socket] = {}
    for number, data in datagrams:
        if number not in senders:
            senders[number] = socket.socket(to.family, socket.SOCK_DGRAM)
            if to.family == socket.AF_INET:
                senders[number].bind((f"127.0.0.{number}", 0))
        senders[number].sendto(data, to.getsockname()[:2])
    for one in senders.values():
        one.close()


def flat(batch: Batch) -> dict[str, list[bytes]]:
    for sender in batch.senders:
        assert sender.lines.data.count(b"\n") == sender.lines.count
        assert sender.lines.escaped == (b"\x10" in sender.lines.data)
    return {address_from_key(sender.key): messages_of(sender.lines) for sender in batch.senders}


@pytest.mark.parametrize("way", WAYS)
def test_lines_come_grouped_by_sender_in_their_order(way: str, heard: socket.socket) -> None:
    sent = [(1 + n % 3, b"<166>line %d" % n) for n in range(1000)]
    send(heard, sent)
    batch = opened(way)(heard, *EVERYTHING)
    assert flat(batch) == {
        f"127.0.0.{number}": [data for who, data in sent if who == number] for number in (1, 2, 3)
    }
    assert (batch.datagrams, batch.empty, batch.cut, batch.more) == (1000, 0, 0, False)


@pytest.mark.parametrize("way", WAYS)
def test_odd_bytes_are_escaped_and_trailers_go(way: str, heard: socket.socket) -> None:
    sent = [
        (1, b"a\n"),
        (1, b"b\r\n\0"),
        (1, b"c\nforged"),
        (1, b""),
        (1, b"\n\n"),
        (1, b"d\x10n"),
        (1, b"e\0f"),
        (1, b"g\rh"),
        (2, b"plain"),
        (1, b"\xff\xfe \xe2\x80\xae \x1b[31m"),
    ]
    send(heard, sent)
    batch = opened(way)(heard, *EVERYTHING)
    assert flat(batch) == {
        "127.0.0.1": [
            *(b"a", b"b", b"c\nforged", b"d\x10n", b"e\0f", b"g\rh"),
            b"\xff\xfe \xe2\x80\xae \x1b[31m",
        ],
        "127.0.0.2": [b"plain"],
    }
    assert (batch.datagrams, batch.empty) == (10, 2)


@pytest.mark.parametrize("way", WAYS)
def test_long_datagrams_come_whole_and_over_the_limit_are_cut(
    way: str, heard: socket.socket
) -> None:
    sizes = [510, 511, 512, 513, 1500, 65507, 3]
    sent = [(1, bytes([65 + n]) * size) for n, size in enumerate(sizes)]
    send(heard, sent)
    whole = opened(way, 65536)(heard, *EVERYTHING)
    assert flat(whole) == {"127.0.0.1": [data for _, data in sent]}
    assert whole.cut == 0

    send(heard, sent)
    short = opened(way, 512)(heard, *EVERYTHING)
    assert flat(short) == {"127.0.0.1": [data[:512] for _, data in sent]}
    assert short.cut == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_drain_ends_at_its_bound_and_the_rest_waits(way: str, heard: socket.socket) -> None:
    drain = opened(way)
    send(heard, [(1, b"%d" % n) for n in range(700)])
    first = drain(heard, 600, 1 << 30)
    assert (first.datagrams, first.more) == (600, True)
    second = drain(heard, 600, 1 << 30)
    assert (second.datagrams, second.more) == (100, False)
    assert flat(second) == {"127.0.0.1": [b"%d" % n for n in range(600, 700)]}
    assert drain(heard, 600, 1 << 30) == Batch()


@pytest.mark.parametrize("way", WAYS)
def test_ipv6_senders_are_told(way: str) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as heard:
        try:
            heard.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
        send(heard, [(1, b"<1>six")])
        assert flat(opened(way)(heard, *EVERYTHING)) == {"::1": [b"<1>six"]}


@pytest.mark.parametrize("way", WAYS)
def test_a_socket_that_is_gone_is_an_error(way: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        drain = opened(way)
        with pytest.raises(OSError):
            drain(listener, *EVERYTHING)


messages = st.one_of(
    st.binary(max_size=30),
    st.text("ab\n\r\0\x10 ", max_size=12).map(str.encode),
    st.integers(1, 6000).map(lambda size: b"x" * size),
)


@settings(deadline=None, max_examples=120)
@given(st.lists(st.tuples(st.integers(1, 4), messages), max_size=40))
def test_all_ways_give_the_same(drains: list[Drain], sent: list[tuple[int, bytes]]) -> None:
    expected: dict[str, list[bytes]] = {}
    for number, data in sent:
        bare = data.rstrip(framing.TRAILERS)
        if bare:
            expected.setdefault(f"127.0.0.{number}", []).append(bare[:LIMIT])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        large_buffer(heard, 1 << 22)
        heard.bind(("127.0.0.1", 0))
        found = []
        for drain in drains:
            send(heard, sent)
            found.append(drain(heard, *EVERYTHING))
    assert [flat(batch) for batch in found] == [expected] * len(drains)
    assert len({(b.datagrams, b.empty, b.cut, b.more) for b in found}) == 1
    stored = {
        tuple(sorted((one.key, one.lines.data, one.lines.count) for one in batch.senders))
        for batch in found
    }
    assert len(stored) == 1


@settings(deadline=None, max_examples=100)
@given(st.ip_addresses().map(str))
def test_addresses_come_back(address: str) -> None:
    assert normal_address(address_from_key(address_key(address))) == normal_address(address)


SCARCE = """
int allocations_left = 1 << 30;
static void *scarce(void *p, size_t n) { return allocations_left-- > 0 ? realloc(p, n) : NULL; }
#define realloc scarce
static struct group *group_of"""


def test_messages_that_find_no_memory_are_counted_and_the_others_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: socket.socket
) -> None:
    opened("compiled")  # where the helper was not built there is no compiler to build this one
    ffi = FFI()
    ffi.cdef(_batch_build.DECLARATIONS + "extern int allocations_left;")
    source = _batch_build.SOURCE.replace("static struct group *group_of", SCARCE, 1)
    ffi.set_source("scarce_batch", source)
    spec = importlib.util.spec_from_file_location("scarce_batch", ffi.compile(str(tmp_path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(batch_compiled, "_lib", module.lib)
    monkeypatch.setattr(batch_compiled, "_ffi", module.ffi)
    sent = [(1 + n % 4, b"line %d" % n + b"\nodd" * (n % 3 == 0)) for n in range(8)]
    for left in range(8):
        drain = batch_compiled.CompiledDrain(LIMIT)
        send(heard, sent)
        module.lib.allocations_left = left
        batch = drain(heard, *EVERYTHING)
        given = [line for lines in flat(batch).values() for line in lines]
        assert len(given) + batch.lost == batch.datagrams == len(sent)
        assert set(given) <= {data for _, data in sent}
        assert bool(batch.lost) == (left < 4)  # one for each sender
        module.lib.allocations_left = 1 << 30
        send(heard, sent[:3])
        assert drain(heard, *EVERYTHING).datagrams == 3


@pytest.mark.parametrize("name", ["compiled", "numpy", "plain"])
@pytest.mark.parametrize("content", [b"\n" * 60_000, b"x" * 60_000], ids=["empty", "long"])
def test_a_drain_ends_at_its_bound_of_bytes_whatever_is_left_of_them(
    name: str, content: bytes, heard: socket.socket
) -> None:
    drain = opened(name)
    large_buffer(heard, 8 << 20)
    send(heard, [(1, content)] * 40)
    taken: list[Batch] = []
    while not taken or taken[-1].more:
        taken.append(drain(heard, 4096, 200_000))
    waiting = sum(batch.datagrams for batch in taken)
    assert max(batch.datagrams for batch in taken) <= 20
    assert waiting <= 40
    assert len(taken) > 1 or waiting <= 20, "the kernel may have kept fewer"


@pytest.fixture
def crowded(heard: socket.socket) -> socket.socket:
    """A socket where 1,500 senders left a line each, and then another."""
    for word in (b"first", b"second"):
        for number in range(1500):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.bind((f"127.9.{number // 250}.{number % 250 + 1}", 0))
                one.sendto(b"%b %d" % (word, number), heard.getsockname())
    return heard


@pytest.mark.parametrize("way", WAYS)
def test_one_drain_takes_lines_of_many_senders(way: str, crowded: socket.socket) -> None:
    drain = opened(way)
    for _ in range(2):  # the second time in the same buffers
        batch = drain(crowded, *EVERYTHING)
        if batch.datagrams:
            found = flat(batch)
    assert len(found) == 1500
    assert found["127.9.5.250"] == [b"first 1499", b"second 1499"]
    assert batch.datagrams == 0
    assert not batch.more


def test_a_drain_that_takes_long_ends_and_the_rest_comes_later(crowded: socket.socket) -> None:
    opened("compiled")
    drain = batch_compiled.CompiledDrain(LIMIT, 0)
    batches = [drain(crowded, *EVERYTHING)]
    while batches[-1].more:
        batches.append(drain(crowded, *EVERYTHING))
    assert len(batches) > 5
    assert sum(batch.datagrams for batch in batches) == 3000


@pytest.mark.parametrize("content", [b"\n" * 19_999 + b".", b"x" * 20_000], ids=["odd", "plain"])
def test_long_datagrams_end_a_drain_by_the_time_that_their_octets_take(
    content: bytes, heard: socket.socket
) -> None:
    opened("compiled")
    drain = batch_compiled.CompiledDrain(65536, 150_000)  # a nanosecond an octet
    send(heard, [(1, content)] * 14)
    batches = [drain(heard, *EVERYTHING)]
    while batches[-1].more:
        batches.append(drain(heard, *EVERYTHING))
    assert sum(batch.datagrams for batch in batches) > 8
    assert max(batch.datagrams for batch in batches) <= 8


def test_the_helper_escapes_as_the_log_does(heard: socket.socket) -> None:
    opened("compiled")
    drain = batch_compiled.CompiledDrain(65536, 1 << 62)
    odd = bytes(range(256)) + b"\x10\x10n\x10\n\0\0\r."
    send(heard, [(1, odd), (1, b"plain"), (2, b"plain")])
    found = {one.key[-1]: one.lines for one in drain(heard, *EVERYTHING).senders}
    assert found[1].data == escape(odd) + b"\nplain\n"
    assert found[1].escaped
    assert not found[2].escaped
