"""Framing, case by case: docs/develop/framing.md gives each choice and its reason."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tscm.syslog import framing
from tscm.syslog.escape import unescape
from tscm.syslog.framing import (
    Framing,
    LineDecoder,
    Lines,
    StreamDecoder,
    close_messages,
    find_framing,
    messages_of,
)

LIMIT = 64


def decode(
    *reads: bytes, limit: int = LIMIT, close: bool = False, octet_counts: bool = True
) -> list[bytes]:
    decoder = StreamDecoder(limit, octet_counts=octet_counts)
    found = [decoder.feed(read) for read in reads]
    if close:
        found.append(decoder.close())
    return [message for lines in found if lines is not None for message in checked(lines)]


def checked(lines: Lines) -> list[bytes]:
    """The messages of *lines*, with what `Lines` promises looked at."""
    assert lines.data.endswith(b"\n")
    assert lines.data.count(b"\n") == lines.count
    assert b"\r" not in lines.data
    assert b"\0" not in lines.data
    assert lines.escaped == (b"\x10" in lines.data)
    return messages_of(lines)


class TestTellingTheFramings:
    """D1 to D10."""

    @pytest.mark.parametrize(
        ("start", "framing"),
        [
            (b"<13>x", Framing.LINES),  # D1
            (b"32 0123", Framing.OCTETS),  # D2
            (b"abc", Framing.LINES),  # D3
            (b"100000000 too long\n", Framing.LINES),  # D6: no frame has that length
            (b"2025-07-29 12:34:56 host app: x\n", Framing.LINES),  # D8
            (b"", None),  # D9
            (b"\x16\x03\x01\x02\x00\x01\x00\x01", Framing.TLS),  # D10
            (b"\x16", None),
            (b"\x16\x03", None),
            (b"\x16\x05\x01", Framing.LINES),
            (b"12", None),
            (b"16777216 ", Framing.OCTETS),
            (b"16777217 ", Framing.LINES),
            (b"99999999999999 ", Framing.LINES),
            (b"-1 x", Framing.LINES),
            (b"0 <120>x", Framing.LINES),  # O12
            (b"007 <1>", Framing.LINES),
            (b"123456789", Framing.LINES),  # digits for ever
            (b"16<1>1", Framing.LINES),  # O13
            (b"1q 0123", Framing.LINES),
        ],
    )
    def test_the_first_bytes_tell(self, start: bytes, framing: Framing | None) -> None:
        assert find_framing(start) == framing

    def test_d4_the_choice_is_made_once(self) -> None:
        assert decode(b"<55> abc\n01234567\n16 <1>x\n") == [b"<55> abc", b"01234567", b"16 <1>x"]

    def test_d5_a_line_that_starts_with_a_number_is_kept_whole(self) -> None:
        assert decode(b"<1>a\n9876543210 cdefgh\n") == [b"<1>a", b"9876543210 cdefgh"]

    def test_d6_an_absurd_length_is_text(self) -> None:
        assert decode(b"100000000 too long\n<1>b\n") == [b"100000000 too long", b"<1>b"]

    def test_d7_octet_counting_can_be_switched_off(self) -> None:
        sent = b"".join(b"%d\n" % number for number in range(20))
        assert decode(sent, octet_counts=False) == [b"%d" % number for number in range(20)]
        assert decode(b"5 hello\n", octet_counts=False) == [b"5 hello"]

    def test_d8_digits_that_are_no_length_are_text(self) -> None:
        line = b"2025-07-29 12:34:56 host app: x"
        assert decode(line + b"\n") == [line]

    def test_d9_an_empty_read_decides_nothing(self) -> None:
        assert decode(b"", b"3 abc") == [b"abc"]

    def test_d10_a_tls_hello_is_named_and_is_no_message(self) -> None:
        decoder = StreamDecoder(LIMIT)
        assert decoder.feed(b"\x16\x03") is None
        assert decoder.feed(b"\x01\x00\n\n\n") is None
        assert decoder.framing is Framing.TLS
        assert decoder.close() is None


V2 = b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 192, 0, 2, 2, 0, 9, 2, 2])
V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 514\r\n"
FRAMES = b"5 <1>ab6 <1>c\nd7 <1>efgh"
FRAMED = [b"<1>ab", b"<1>c\nd", b"<1>efgh"]


class TestWhatStandsInFront:
    """Padding and PROXY headers tell nothing: the framing is found behind them."""

    @pytest.mark.parametrize("step", [1, 3, 1000])
    @pytest.mark.parametrize(
        "front",
        [
            b"\n",
            b" ",
            b"\r",
            b"\0",
            b"\r\n",
            b"\0\n  \r",
            b"\n" * 300,
            V1,
            V2,
            V1 + V2,
            b"\n" + V1 + b"\n",
        ],
    )
    def test_counted_frames_are_found_behind_it(self, front: bytes, step: int) -> None:
        sent = front + FRAMES
        reads = [sent[at : at + step] for at in range(0, len(sent), step)]
        assert decode(*reads) == FRAMED

    @pytest.mark.parametrize("step", [1, 1000])
    @pytest.mark.parametrize("front", [b"\n", b"\0", b" ", V1, V2, V1 + V1])
    def test_lines_are_found_behind_it(self, front: bytes, step: int) -> None:
        sent = front + b"<1>a\n5 <1>b\n"
        reads = [sent[at : at + step] for at in range(0, len(sent), step)]
        assert decode(*reads) == [b"<1>a", b"5 <1>b"]

    def test_headers_are_counted_and_are_no_messages(self) -> None:
        decoder = StreamDecoder(LIMIT)
        lines = decoder.feed(V1 + V2 + FRAMES)
        assert lines is not None
        assert (lines.count, decoder.proxy_headers, decoder.framing) == (3, 2, Framing.OCTETS)

    def test_headers_go_also_where_octet_counting_is_off(self) -> None:
        assert decode(V1 + b"5 a\n", octet_counts=False) == [b"5 a"]

    @pytest.mark.parametrize(
        "text",
        [
            b"PROXY",
            b"PROXY of mail.example is away",
            b"PROXY TCP5 192.0.2.1",
            b"PROXY TCP4 " + b"1" * 50 + b"<1>",
            b"PROBLEM",
            V1.strip() * 2,
        ],
    )
    def test_text_that_begins_like_a_header_is_text(self, text: bytes) -> None:
        assert decode(text + b"\n<1>b\n", limit=200) == [text, b"<1>b"]

    @pytest.mark.parametrize("broken", [V2[:12] + b"\x11", V2[:14] + b"\xff\xff"])
    def test_a_broken_binary_header_is_text_up_to_the_line_end(self, broken: bytes) -> None:
        assert decode(broken + b"\n<1>b\n") == [b"QUIT", broken[12:], b"<1>b"]

    def test_what_never_gets_past_it_is_bounded_and_kept(self) -> None:
        decoder = StreamDecoder(LIMIT)
        for _ in range(5000):
            decoder.feed(b" ")
            assert len(decoder.state().partial) <= 1024
        assert decode(b"PROXY TCP4 192.0.2.1", close=True) == [b"PROXY TCP4 192.0.2.1"]
        assert decode(V1, V1, V1, close=True, limit=200) == [V1.rstrip()]

    def test_tls_behind_a_header_is_named(self) -> None:
        assert find_framing(V1 + b"\x16\x03\x01") is Framing.TLS
        assert find_framing(V1 + b"\x16") is None
        assert find_framing(b"\n\x16\x03\x01") is Framing.LINES


class TestNoLineEnd:
    """A line that passes the limit without an end: counted at once, and frames in its rest are found."""

    def test_it_is_counted_when_the_limit_is_passed(self) -> None:
        decoder = StreamDecoder(LIMIT)
        decoder.feed(b"<1>" + b"x" * (LIMIT - 3))
        assert decoder.cut == 0
        decoder.feed(b"x")
        assert decoder.cut == 1
        decoder.feed(b"x" * 500)
        assert decoder.cut == 1

    def test_a_carriage_return_at_the_limit_is_not_over_it(self) -> None:
        decoder = StreamDecoder(LIMIT)
        decoder.feed(b"x" * LIMIT + b"\r")
        assert decoder.cut == 0
        lines = decoder.feed(b"\n")
        assert (lines and lines.count, decoder.cut) == (1, 0)

    @pytest.mark.parametrize("step", [1, 7, 1000])
    @pytest.mark.parametrize(
        "junk",
        [
            b"x" * 100,
            b"x" * 99 + b"9",
            b"x" + b"98 <1>" * 20,
            b"x" + b"7 <1" * 30,
            b"x" * 65 + b"9 <1>" * 9,
        ],
    )
    def test_frames_are_read_from_where_they_go_on(self, junk: bytes, step: int) -> None:
        sent = junk + FRAMES
        decoder = StreamDecoder(LIMIT)
        found = [decoder.feed(sent[at : at + step]) for at in range(0, len(sent), step)]
        assert [m for one in found if one for m in checked(one)] == [junk[:LIMIT], *FRAMED]
        assert (decoder.cut, decoder.faults, decoder.framing) == (1, 1, Framing.OCTETS)

    @pytest.mark.parametrize("step", [1, 7, 1000])
    def test_the_same_where_the_connection_spoke_octet_counts_before(self, step: int) -> None:
        sent = b"5 <1>ab" + b"y" * 100 + FRAMES
        decoder = StreamDecoder(LIMIT)
        found = [decoder.feed(sent[at : at + step]) for at in range(0, len(sent), step)]
        assert [m for one in found if one for m in checked(one)] == [
            b"<1>ab",
            b"y" * LIMIT,
            *FRAMED,
        ]
        assert (decoder.cut, decoder.faults) == (1, 1)

    def test_one_frame_in_a_text_is_text(self) -> None:
        line = b"x" * 70 + b"5 <1>ab and so on, 9 <2>"
        assert decode(line + b"\n<1>b\n") == [line[:LIMIT], b"<1>b"]
        assert decode(b"x" * 70 + b"5 <1>ab" * 3 + b"\n<1>b\n", octet_counts=False) == [
            b"x" * LIMIT,
            b"<1>b",
        ]

    def test_a_hostile_rest_takes_linear_time_and_bounded_memory(self) -> None:
        decoder = StreamDecoder(4096)
        hostile = b"<1>" + b"4000 <1>" * 20_000
        for at in range(0, len(hostile), 16):
            decoder.feed(hostile[at : at + 16])
            assert len(decoder.state().partial) <= 2 * 4096 + 32
        assert decoder.cut == 1


class TestLines:
    """N1 to N19 and M5."""

    @pytest.mark.parametrize(
        ("reads", "messages"),
        [
            ([b"message\n"], [b"message"]),  # N1
            ([b"message\r\n"], [b"message"]),  # N2
            ([b"first\r\nsecond\nthird"], [b"first", b"second"]),  # N3
            ([b"01234567\0"], [b"01234567"]),  # N4
            ([b"x\0\n"], [b"x"]),  # N5
            ([b"x\n\0"], [b"x"]),
            ([b"x\r\n\0"], [b"x"]),
            ([b"alma\0korte\n"], [b"alma", b"korte"]),  # N6, N7: NUL ends a line
            ([b"<1>1 a\0<2>1 b\0"], [b"<1>1 a", b"<2>1 b"]),  # N8, N9
            ([b"first\0second\0third"], [b"first", b"second"]),  # N10
            (  # N11
                [b"<181>00\n <181>01\n<181>02\n <181>03\n"],
                [b"<181>00", b"<181>01", b"<181>02", b"<181>03"],
            ),
            ([b"<181>00\n", b" ", b"<181>01\n"], [b"<181>00", b"<181>01"]),
            ([b" <181>00\n"], [b"<181>00"]),
            ([b"a\n\n\nb\n\r\n\n"], [b"a", b"b"]),  # N12
            ([b"01234\n567\n890\n"], [b"01234", b"567", b"890"]),  # N13
            ([b"<45>", b"Test 123\n"], [b"<45>Test 123"]),  # N14
            (
                [b"There were ", b"8 penguins in the shop.\n"],
                [b"There were 8 penguins in the shop."],
            ),
            ([b"\xe1rv\xedzt\xfbr\xf5\n"], [b"\xe1rv\xedzt\xfbr\xf5"]),  # N18
            ([b"<1>a\rb\n"], [b"<1>a\rb"]),  # a CR inside is kept
            ([b"\r<1>a\n\r<1>b\n\r"], [b"<1>a", b"<1>b"]),  # lines ended by LF CR
            ([b"<1>a\n\r", b" \r<1>b\n\r\n\r\r\n"], [b"<1>a", b"<1>b"]),
            ([b"a\n\rb\n"], [b"a", b"\rb"]),
            ([b"<1>a\x10n\n"], [b"<1>a\x10n"]),
            (  # M5: an inner LF ends the message, and the rest is kept as it stands
                [b"<1>%ASA-4-733100: [ LOCAL\\user\n   ] drop rate-1\n"],
                [b"<1>%ASA-4-733100: [ LOCAL\\user", b"   ] drop rate-1"],
            ),
        ],
    )
    def test_a_line_is_a_message(self, reads: list[bytes], messages: list[bytes]) -> None:
        assert decode(*reads) == messages

    @pytest.mark.parametrize(
        "parts",
        [
            [b"<133>Msg 1", b"Line 2", b"<133>Msg 2"],  # M1
            [b"<13>Jan  1 a", b"<test/>", b"<13>Feb  1 b"],  # M2
            [b"<13>Jan  1 a", b"<test/>" + b"x" * 57, b"<13>Feb  1 b"],  # M3
            [b"0", b" 1=2", b" 3=4"],  # M4
        ],
    )
    def test_m1_to_m4_each_lf_ends_a_message(self, parts: list[bytes]) -> None:
        assert decode(b"\n".join(parts) + b"\n") == parts

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            (b"lastmsg", b"lastmsg"),
            (b"<45>partial", b"<45>partial"),
            (b"x\r", b"x"),
            (b"\xc3", b"\xc3"),
        ],
    )
    def test_n15_n16_n19_the_rest_at_close_is_a_message(self, sent: bytes, message: bytes) -> None:
        assert decode(b"<1>a\n" + sent, close=True) == [b"<1>a", message]

    def test_nothing_is_left_after_a_whole_line(self) -> None:
        assert decode(b"<1>a\n", close=True) == [b"<1>a"]

    def test_ten_messages_in_one_segment_come_at_once(self) -> None:
        assert decode(b"".join(b"<1>m%d\n" % n for n in range(10))) == [
            b"<1>m%d" % n for n in range(10)
        ]

    def test_ordinary_chunks_pass_as_they_came(self) -> None:
        chunk = b"<166>%ASA-6-302013: Built\n" * 50
        lines = StreamDecoder(LIMIT * 100).feed(chunk)
        assert lines is not None
        assert lines.data is chunk


class TestOctetCounts:
    """O1 to O24."""

    @pytest.mark.parametrize(
        ("reads", "messages"),
        [
            ([b"16 <1>1 - - - - - -"], [b"<1>1 - - - - - -"]),  # O1
            (  # O2
                [b"16 <1>1 - - - - - -17 <12>1 - - - - - -3 abc"],
                [b"<1>1 - - - - - -", b"<12>1 - - - - - -", b"abc"],
            ),
            ([b"8 hell\xc3\xb8!!"], [b"hell\xc3\xb8!!"]),  # O3
            ([b"28 <1>3 - - - - - - hello\nworld"], [b"<1>3 - - - - - - hello\nworld"]),  # O4
            ([b"10 01234567\n\n3 abc"], [b"01234567", b"abc"]),  # O5
            ([b"3 abc\n3 def\r\n3 ghi\0 3 jkl"], [b"abc", b"def", b"ghi", b"jkl"]),  # O6
            ([b"10 01234567\0\0"], [b"01234567"]),  # O7
            ([b"1", b"2", b" <45>12345678"], [b"<45>12345678"]),  # O8
            ([b"28 abcdefghijklm", b"3 nopqrstuvwxyz"], [b"abcdefghijklm3 nopqrstuvwxyz"]),  # O10
            ([b"7 012345\n4", b" 123\n"], [b"012345", b"123"]),  # O11
            ([b"6 01234\n4 ", b"123\n"], [b"01234", b"123"]),
            ([b"3 abc0 <120> x\n3 def"], [b"abc", b"0 <120> x", b"def"]),  # O12
            ([b"3 abc1q 0123\n3 def"], [b"abc", b"1q 0123", b"def"]),  # O13
            ([b"3 abc32thisshould\n3 def"], [b"abc", b"32thisshould", b"def"]),
            ([b"3 abcxaaa\n3 def"], [b"abc", b"xaaa", b"def"]),  # O15, O18
            ([b"4 \xf0\x28\x8c\xbc3 abc"], [b"\xf0\x28\x8c\xbc", b"abc"]),  # O19
            ([b"3 abc232>1 zork\n3 def"], [b"abc", b"232>1 zork", b"def"]),  # O20
            ([b"3 abc" + b"0" * 20 + b"\n3 def"], [b"abc", b"0" * 20, b"def"]),  # O23
            ([b"4 \t\r\xa9\n3 abc"], [b"\t\r\xa9", b"abc"]),  # O24
            ([b"3 abc-1 x\n3 def"], [b"abc", b"-1 x", b"def"]),
            ([b"3 abc007 x\n3 def"], [b"abc", b"007 x", b"def"]),
            ([b"3 abc99999999999999 x\n3 def"], [b"abc", b"99999999999999 x", b"def"]),  # S10
            ([b"3 abc4000000000 x\n3 def"], [b"abc", b"4000000000 x", b"def"]),
            ([b"3 abc\x103 def"], [b"abc", b"\x103 def"][:1]),  # waits for the LF
        ],
    )
    def test_a_frame_is_a_message(self, reads: list[bytes], messages: list[bytes]) -> None:
        assert decode(*reads) == messages

    @pytest.mark.parametrize(
        ("sent", "messages"),
        [
            (b"1", [b"1"]),  # O14
            (b"16 <1>1", [b"<1>1"]),  # O16
            (b"3 abc12", [b"abc", b"12"]),
            (b"3 abc5 ", [b"abc"]),
            (b"3 abc zork", [b"abc", b"zork"]),
            (b"16 <1>217 <11>1 - - - - - -", [b"<1>217 <11>1 - -", b"- - - -"]),  # O17
        ],
    )
    def test_what_is_left_at_close_is_kept(self, sent: bytes, messages: list[bytes]) -> None:
        assert decode(sent, close=True) == messages

    def test_o9_a_missing_tail_is_waited_for(self) -> None:
        frame = b"16 <1>1 - - - - - -"
        assert decode(frame[:-3]) == []
        assert decode(frame[:-3], frame[-3:]) == [b"<1>1 - - - - - -"]

    def test_o21_o22_large_frames_pass(self) -> None:
        frame = b"<1>" + b"x" * 99_997
        assert decode(b"100000 %b100000 %b" % (frame, frame), limit=100_000) == [frame, frame]

    def test_places_without_a_count_are_counted(self) -> None:
        decoder = StreamDecoder(LIMIT)
        decoder.feed(b"3 abcxaaa\n3 defyy\n")
        assert decoder.faults == 2


class TestOversize:
    """S1 to S13: the head is kept, the rest goes, the next message is whole."""

    @pytest.mark.parametrize("step", [1, 7, 1000])
    def test_s1_to_s5_a_long_line_is_cut(self, step: int) -> None:
        sent = b"<1>" + b"x" * 90 + b"\n<1>next\n" + b"y" * 64 + b"\r\n" + b"z" * 65 + b"\n"
        decoder = StreamDecoder(LIMIT)
        found = []
        for at in range(0, len(sent), step):
            lines = decoder.feed(sent[at : at + step])
            if lines is not None:
                found += checked(lines)
        assert found == [b"<1>" + b"x" * 61, b"<1>next", b"y" * 64, b"z" * 64]
        assert decoder.cut == 2

    @pytest.mark.parametrize("step", [1, 7, 1000])
    def test_s6_to_s8_s11_a_long_frame_is_cut_and_the_next_is_in_step(self, step: int) -> None:
        sent = b"17000 " + b"x" * 17000 + b"5 hello" + b"64 " + b"y" * 64 + b"65 " + b"z" * 65
        decoder = StreamDecoder(LIMIT)
        found = []
        for at in range(0, len(sent), step):
            lines = decoder.feed(sent[at : at + step])
            if lines is not None:
                found += checked(lines)
        assert found == [b"x" * 64, b"hello", b"y" * 64, b"z" * 64]
        assert decoder.cut == 2

    def test_s9_s10_absurd_counts_allocate_nothing(self) -> None:
        for count in (b"214000000000", b"2000000010", b"4000000000"):
            assert decode(count + b" text\n<1>a\n") == [count + b" text", b"<1>a"]

    def test_s12_big_messages_pass(self) -> None:
        messages = [b"<1>%d" % n + b"x" * 4000 for n in range(10)]
        assert decode(b"".join(m + b"\n" for m in messages), limit=8192) == messages
        assert decode(b"".join(b"%d %b" % (len(m), m) for m in messages), limit=8192) == messages

    @pytest.mark.parametrize("size", [100, 1024, 4096])
    def test_s13_messages_over_the_limits_of_others_come_whole(self, size: int) -> None:
        message = b"<1>" + b"x" * (size - 3)
        assert decode(message + b"\n", limit=65536) == [message]
        assert decode(b"%d %b" % (size, message), limit=65536) == [message]
        closed = close_messages([message], 65536)
        assert closed.lines is not None
        assert (checked(closed.lines), closed.cut) == ([message], 0)

    def test_a_message_of_10_mb_is_cut_and_memory_stays(self) -> None:
        decoder = LineDecoder(65536)
        for _ in range(160):
            assert decoder.feed(b"x" * 65536) is None
            assert len(decoder.partial) <= 65537
        lines = decoder.feed(b"\n<1>next\n")
        assert lines is not None
        assert lines.data == b"x" * 65536 + b"\n<1>next\n"
        assert decoder.cut == 1

    def test_lines_without_end_take_linear_time(self) -> None:
        def seconds(size: int) -> float:
            decoder = StreamDecoder(1 << 24)
            began = time.process_time()
            for _ in range(size):
                decoder.feed(b"x" * 16)
            decoder.feed(b"\n")
            return time.process_time() - began

        seconds(2_000)
        small = min(seconds(10_000) for _ in range(3))
        assert min(seconds(80_000) for _ in range(2)) < 8 * small * 4


class TestDatagrams:
    """U1 to U3."""

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            (b"<13>x\n", b"<13>x"),  # U1
            (b"<13>x\0", b"<13>x"),
            (b"hello world", b"hello world"),  # U2
            (b"<6>ZZZ 99 99:99:99 x", b"<6>ZZZ 99 99:99:99 x"),
            (b"<1>" + b"x" * 65_000, b"<1>" + b"x" * 65_000),  # U3
        ],
    )
    def test_a_datagram_is_a_message(self, sent: bytes, message: bytes) -> None:
        closed = close_messages([sent], 65536)
        assert closed.lines is not None
        assert checked(closed.lines) == [message]


pieces = st.lists(
    st.sampled_from(
        [
            b"<1>",
            b"a",
            b"xyz" * 9,
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\0",
            b"\x10",
            b"3 abc",
            b"12",
            b"9 ",
            b"5 <1>ab",
            V1,
            V2,
        ]
    )
    | st.binary(max_size=5),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(pieces, st.lists(st.integers(1, 30), max_size=20), st.sampled_from([4, 16, 64]))
@example([b"3 ", b"ab\n", b"\0"], [1], 4)
@example([b"xyz" * 9, b"5 <1>ab", b"5 <1>ab", b"\n"], [28, 7], 16)
def test_how_the_bytes_are_cut_into_reads_changes_nothing(
    parts: list[bytes], steps: list[int], limit: int
) -> None:
    sent = b"".join(parts)
    whole = StreamDecoder(limit)
    expected = [lines for lines in (whole.feed(sent), whole.close()) if lines is not None]

    cut = StreamDecoder(limit)
    found: list[Lines | None] = []
    at = 0
    for step in steps:
        found.append(cut.feed(sent[at : at + step]))
        at += step
    found += [cut.feed(sent[at:]), cut.close()]

    assert [m for lines in found if lines for m in checked(lines)] == [
        m for lines in expected for m in checked(lines)
    ]
    assert (whole.cut, whole.faults, whole.framing) == (cut.cut, cut.faults, cut.framing)


@settings(deadline=None, max_examples=150)
@given(pieces, st.integers(0, 200), st.sampled_from([4, 16, 64]))
@example([b"9 ", b"xyz" * 9], 8, 4)
@example([b"xyz" * 9, b"5 <1>ab", b"5 <1>ab", b"\n"], 30, 16)
def test_another_decoder_goes_on_where_one_stopped(parts: list[bytes], at: int, limit: int) -> None:
    sent = b"".join(parts)
    whole = StreamDecoder(limit)
    expected = [lines for lines in (whole.feed(sent), whole.close()) if lines is not None]
    before, after = StreamDecoder(limit), StreamDecoder(limit)
    found = [before.feed(sent[:at])]
    after.go_on(before.state())
    found += [after.feed(sent[at:]), after.close()]
    assert [m for lines in found if lines for m in checked(lines)] == [
        m for lines in expected for m in checked(lines)
    ]
    assert before.cut + after.cut == whole.cut


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=40), max_size=20))
def test_octet_counted_messages_come_back(messages: list[bytes]) -> None:
    sent = b"".join(b"%d %b" % (len(m), m) for m in messages if m)
    kept = [bare for m in messages if (bare := m.rstrip(framing.TRAILERS))]
    assert decode(sent, limit=100) == kept


def test_what_was_cut_off_a_datagram_needs_no_escape() -> None:
    closed = close_messages([b"x" * 30 + b"\x10"], 30)
    assert closed.lines is not None
    assert checked(closed.lines) == [b"x" * 30]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=40) | st.text("ab\n\r\0\x10").map(str.encode), max_size=20))
def test_datagrams_come_back(messages: list[bytes]) -> None:
    kept = [bare for m in messages if (bare := m.rstrip(framing.TRAILERS))]
    closed = close_messages(messages, 30)
    found = checked(closed.lines) if closed.lines else []
    assert found == [m[:30] for m in kept]
    assert closed.empty == len(messages) - len(kept)
    assert closed.cut == sum(len(m) > 30 for m in kept)
    if closed.lines:
        assert [unescape(line) for line in closed.lines.data.split(b"\n")[:-1]] == found
