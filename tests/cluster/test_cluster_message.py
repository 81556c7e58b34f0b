"""
Blocks as messages of the stream: what goes in comes out, and nothing else is believed.
"""

import pytest
import zstandard
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tscm.cluster.answers import Found, Held, OutOfStep, Stored, found, published
from tscm.cluster.message import (
    Last,
    MessageFaulty,
    Stretch,
    headers_of,
    pack,
    read_last,
    read_stretch,
    stretch_of,
    unpack,
)
from tscm.cluster.standing import Confirm, Publish, Renew, next_step, renewed
from tscm.cluster.subjects import LogId, partition, token
from tscm.model import Block, Origin, Position

LOG = LogId("m1", "fw", "00c0ffee")


def block(data: bytes, start: int = 0) -> Block:
    return Block(
        device="fw",
        start=start,
        end=start + len(data),
        data=data,
        lines=data.count(b"\n"),
        escaped=False,
    )


lines = st.lists(
    st.binary(max_size=40).map(lambda it: it.replace(b"\n", b" ") + b"\n"), min_size=1
).map(b"".join)


@given(lines, st.integers(0, 1 << 50), st.integers(0, 1 << 40))
def test_a_block_comes_out_as_it_went_in(data: bytes, start: int, before: int) -> None:
    one = block(data, start)
    origins = [Origin(start=one.start, end=one.end, sender="192.0.2.1", received_at=1.5)]
    stretch = stretch_of(one, before)
    headers = headers_of(LOG, stretch, 7)

    assert read_stretch(headers) == stretch
    assert read_last({**headers, "Nats-Sequence": "12"}) == Last(sequence=12, stretch=stretch)
    assert unpack(pack(one, origins), "fw", stretch) == (one, origins)
    assert headers["Nats-Expected-Last-Subject-Sequence"] == "7"
    assert headers["Nats-Msg-Id"] == f"m1.fw.00c0ffee:{start}"


@given(st.binary(max_size=200))
def test_what_is_no_block_is_told_as_such(payload: bytes) -> None:
    with pytest.raises(MessageFaulty):
        unpack(payload, "fw", stretch_of(block(b"one\n"), 0))


def test_no_more_is_unpacked_than_the_headers_tell_of() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"\0\0\0\2[]one\n")
    for payload in (bomb, unsized):
        with pytest.raises(MessageFaulty):
            unpack(payload, "fw", stretch_of(block(b"one\n"), 0))


def test_other_lines_than_those_of_the_headers_are_refused() -> None:
    payload = pack(block(b"one\n"), [])

    with pytest.raises(MessageFaulty):
        unpack(payload, "fw", stretch_of(block(b"two\n"), 0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Tscm-Format", "2"),
        ("Tscm-End", "0"),
        ("Tscm-Lines", "0"),
        ("Tscm-Start", "-1"),
        ("Tscm-Before", "١"),
        ("Tscm-Crc", "9" * 30),
        ("Nats-Sequence", ""),
    ],
)
def test_a_header_that_is_no_number_is_refused(name: str, value: str) -> None:
    headers = {**headers_of(LOG, stretch_of(block(b"one\n"), 0), 0), "Nats-Sequence": "1"}

    with pytest.raises(MessageFaulty):
        read_last({**headers, name: value})


@given(st.text(), st.text())
def test_every_name_is_one_token_of_its_own(one: str, other: str) -> None:
    try:
        made = token(one), token(other)
    except UnicodeEncodeError:
        return
    assert not set(made[0]) & set(" .*>\t\r\n$")
    assert (made[0] == made[1]) == (one == other)


def test_a_log_has_a_subject_for_ever() -> None:
    assert LogId("m1", "north.fw", "00c0ffee").subject == (
        f"tscm.lines.p{partition('north.fw'):02d}.m1.north%2Efw.00c0ffee"
    )
    assert partition("fw") == 1  # the same for the life of every stream


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (b'{"stream":"LINES","seq":5}', Stored(5)),
        (b'{"stream":"LINES","seq":5,"duplicate":true}', OutOfStep()),
        (b'{"error":{"code":400,"err_code":10071,"description":"wrong last"}}', OutOfStep()),
        (b'{"seq":true}', Held),
        (b'{"seq":0}', Held),
        (b"[]", Held),
        (b"\xff", Held),
        (b'{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}', Held),
    ],
)
def test_only_an_acknowledgement_counts_as_one(payload: bytes, wanted: object) -> None:
    answer = published(payload)

    assert isinstance(answer, wanted) if isinstance(wanted, type) else answer == wanted


def test_a_full_stream_says_what_to_do() -> None:
    answer = published(
        b'{"error":{"code":503,"err_code":10077,"description":"maximum bytes\\u001b[2J"}}'
    )

    assert isinstance(answer, Held)
    assert "raise [cluster] stream_gb" in answer.sentence
    assert "\x1b" not in answer.sentence


def test_the_newest_message_is_found_or_there_is_none() -> None:
    headers = {**headers_of(LOG, stretch_of(block(b"one\n"), 3), 0), "Nats-Sequence": "8"}

    answer = found(headers)
    assert isinstance(answer, Found)
    assert answer.last is not None
    assert (answer.last.sequence, answer.last.stretch.before) == (8, 3)
    assert found({"Status": "404", "Description": "Message Not Found"}) == Found(None)
    assert isinstance(found({"Status": "408"}), Held)
    assert isinstance(found(None), Held)


def last(start: int, end: int, lines: int, before: int, sequence: int = 4) -> Last:
    stretch = Stretch(start=start, end=end, lines=lines, before=before, crc=0)
    return Last(sequence=sequence, stretch=stretch)


def test_what_follows_from_the_newest_message() -> None:
    at = Position(offset=100, sent=8, not_selected=1, expired=1)

    assert next_step(at, 500, None) == Publish(0)
    assert next_step(at, 500, last(50, 100, 5, 5)) == Publish(4)
    assert next_step(at, 500, last(50, 90, 4, 5)) == Publish(4)  # a purged stream, or an old answer
    assert next_step(at, 500, last(100, 200, 6, 10)) == Confirm(end=200, lines=6, expected=4)
    assert next_step(at, 500, last(200, 300, 6, 16)) == Confirm(end=300, lines=12, expected=4)
    assert isinstance(next_step(at, 150, last(100, 200, 6, 10)), Renew)


def test_a_log_that_was_set_back_and_grew_again_is_another_log() -> None:
    one = block(b"one\ntwo\n", 100)
    newest = Last(sequence=4, stretch=stretch_of(one, 10))

    assert renewed(newest, one) is None
    assert isinstance(renewed(newest, None), Renew)
    assert isinstance(renewed(newest, block(b"one\nbad\n", 100)), Renew)
    assert isinstance(renewed(newest, evolve(one, start=96)), Renew)
