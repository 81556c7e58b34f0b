from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory_log import MemoryLog
from tscm.forward.content import MAX_DATAGRAM, shape_of
from tscm.forward.link import Chunk
from tscm.forward.target import Target
from tscm.model import Block, Origin
from tscm.syslog.escape import escape


def target(protocol: str, mode: str = "as-received", framing: str = "lf") -> Target:
    return Target(address="192.0.2.9", port=514, protocol=protocol, mode=mode, framing=framing)


def block_of(messages: list[bytes]) -> Block:
    log = MemoryLog()
    log.append(*(escape(one) + b"\n" for one in messages))
    block = log.read(0, 1 << 30)
    assert block is not None
    return block


def shaped(one: Target, messages: list[bytes], origins: list[Origin] | None = None) -> Chunk:
    block = block_of(messages)
    whole = [Origin(start=block.start, end=block.end)] if origins is None else origins
    return shape_of(one)(block, lambda _start, _end: whole)


def datagrams(chunk: Chunk) -> list[bytes]:
    """However the chunk holds them."""
    return chunk.data.split(b"\n")[:-1] if chunk.lines else list(chunk.payloads)


def counted(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, _, data = data.partition(b" ")
        found.append(data[: int(size)])
        data = data[int(size) :]
    return found


messages = st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=20)


@settings(deadline=None, max_examples=150)
@given(messages)
def test_datagrams_and_octet_counts_restore_every_message(given_messages: list[bytes]) -> None:
    chunk = shaped(target("UDP"), given_messages)
    assert datagrams(chunk) == given_messages
    assert chunk.size == len(given_messages)
    assert counted(shaped(target("TLS", framing="octets"), given_messages).data) == given_messages


@settings(deadline=None, max_examples=150)
@given(messages)
def test_lf_framing_keeps_lines_apart_and_counts_what_it_altered(
    given_messages: list[bytes],
) -> None:
    chunk = shaped(target("TCP"), given_messages)
    assert chunk.data == b"".join(one.replace(b"\n", b" ") + b"\n" for one in given_messages)
    assert chunk.altered == sum(one.count(b"\n") for one in given_messages)


def test_a_block_without_escapes_is_passed_on_untouched() -> None:
    block = block_of([b"one", b"two"])
    assert shape_of(target("TCP"))(block, lambda _start, _end: []).data is block.data


def test_a_block_whose_lines_all_fit_goes_as_datagrams_untouched() -> None:
    block = block_of([b"x" * (MAX_DATAGRAM - 2), b"y"])
    chunk = shape_of(target("UDP"))(block, lambda _start, _end: [])
    assert chunk.data is block.data
    assert (chunk.lines, chunk.size) == (2, 2)


def test_a_message_over_a_datagram_is_cut_and_counted() -> None:
    chunk = shaped(target("UDP"), [b"x" * (MAX_DATAGRAM + 20), b"y"])
    assert [len(one) for one in chunk.payloads] == [MAX_DATAGRAM, 1]
    assert chunk.cut == 1


def test_each_line_carries_its_own_origin() -> None:
    lines = [b"<14>one\nmore", b"<14>two", b"<14>three"]
    first = len(escape(lines[0])) + 1
    second = first + len(lines[1]) + 1
    origins = [
        Origin(start=0, end=first, sender="192.0.2.1", received_at=1.0),
        Origin(start=first, end=second, sender="192.0.2.2", received_at=2.0),
    ]
    header = shaped(target("TCP", "header"), lines, origins)
    assert header.data == (
        b"<14>1970-01-01T00:00:01.000Z 192.0.2.1 one more\n"
        b"<14>1970-01-01T00:00:02.000Z 192.0.2.2 two\n"
        b"<14>three\n"
    )
    assert header.altered == 1
    wrapped = counted(shaped(target("TCP", "rfc5424", "octets"), lines, origins).data)
    assert wrapped[0].startswith(b'<14>1 1970-01-01T00:00:01.000Z 192.0.2.1 - - - [origin ip="192.')
    assert wrapped[0].endswith(b"one\nmore")
    assert wrapped[2] == b"<14>1 - - - - - - three"
