import errno
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ports import held_port
from tscm.forward.link import Chunk
from tscm.forward.outgoing import Lines, Outgoing, Sending, best_sender, send_singly

WAYS = {"batches": best_sender(), "one by one": send_singly}


@pytest.fixture(params=sorted(WAYS))
def sending(request: pytest.FixtureRequest) -> Sending:
    return WAYS[request.param]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Datagrams that nobody loses: the sender is told when the receiver's queue is full."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


def block(*lines: bytes) -> Chunk:
    return Chunk(b"".join(line + b"\n" for line in lines), lines=len(lines))


def heard(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(1 << 17))
        except BlockingIOError:
            return found


def numbered(count: int) -> list[bytes]:
    return [b"<166>%%ASA-6-302013: Built %06d" % at for at in range(count)]


def drained(chunk: Chunk, sending: Sending, most: int) -> list[bytes]:
    """What arrives of *chunk* when *most* may go at a time and the receiver is read now and then."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)
    other.setblocking(False)
    found: list[bytes] = []
    with one, other:
        outgoing = sending(chunk)
        while outgoing:
            before = len(outgoing)
            sent, error = outgoing.send(one, most)
            assert error in {0, errno.EAGAIN}
            assert len(outgoing) == before - sent
            assert 0 < sent <= most
            found += heard(other)
    return found


def test_the_helper_is_built_here() -> None:
    assert isinstance(best_sender()(block(b"x")), Lines)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=60), max_size=40), st.integers(1, 700))
def test_both_ways_send_the_same(lines: list[bytes], most: int) -> None:
    chunk = block(*(line.replace(b"\n", b"") for line in lines))
    wanted = chunk.data.split(b"\n")[:-1]
    for way in WAYS.values():
        assert drained(chunk, way, most) == wanted


@pytest.mark.parametrize("count", [255, 256, 257, 1000])
def test_more_lines_than_a_system_call_takes_go_in_their_order(
    sending: Sending, count: int
) -> None:
    assert drained(block(*numbered(count)), sending, 10_000) == numbered(count)


def test_no_more_go_than_may(sending: Sending, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    outgoing = sending(block(*numbered(5)))
    assert outgoing.send(one, 2) == (2, 0)
    assert heard(other) == numbered(5)[:2]
    assert outgoing.send(one, 9) == (3, 0)
    assert not outgoing
    assert outgoing.send(one, 9) == (0, 0)


def test_a_full_socket_keeps_what_it_did_not_take(
    sending: Sending, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = pair
    lines = numbered(2000)
    outgoing = sending(block(*lines))
    sent, error = outgoing.send(one, 2000)
    assert error == errno.EAGAIN
    assert 0 < sent < 2000
    assert len(outgoing) == 2000 - sent
    assert heard(other) == lines[:sent]
    assert outgoing.send(one, 1) == (1, 0)
    assert heard(other) == lines[sent : sent + 1]


def test_a_datagram_too_large_is_told_alone_and_can_be_skipped(
    sending: Sending, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = pair
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    large = b"x" * 50_000
    outgoing = sending(block(b"one", large, b"two", large))
    assert outgoing.send(one, 9) == (1, errno.EMSGSIZE)
    assert outgoing.send(one, 9) == (0, errno.EMSGSIZE)
    outgoing.skip()
    assert outgoing.send(one, 9) == (1, errno.EMSGSIZE)
    outgoing.skip()
    assert len(outgoing) == 0
    assert heard(other) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("family", "address", "level", "option"),
    [
        (socket.AF_INET, "127.0.0.1", socket.IPPROTO_IP, 11),
        (socket.AF_INET6, "::1", socket.IPPROTO_IPV6, 25),
    ],
)
def test_an_answer_of_nobody_there_stops_the_batch_that_it_comes_into(
    sending: Sending, family: int, address: str, level: int, option: int
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.setsockopt(level, option, 1)  # IP_RECVERR, as the forwarder sets it
        sock.connect((address, held_port()))
        outgoing = sending(block(*numbered(300)))
        # Over loopback the answer to the first is there before the second goes.
        assert outgoing.send(sock, 300) == (1, errno.ECONNREFUSED)
        assert len(outgoing) == 299


def test_an_error_that_waits_since_the_last_call_stops_the_first(sending: Sending) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)
        sock.connect(("127.0.0.1", held_port()))
        outgoing: Outgoing = sending(block(*numbered(3)))
        assert outgoing.send(sock, 1) == (1, 0)
        assert outgoing.send(sock, 9) == (0, errno.ECONNREFUSED)
        assert len(outgoing) == 2
