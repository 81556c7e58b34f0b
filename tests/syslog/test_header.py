"""
What stands before a line's text: the same for attribution, reports and what a SIEM is sent.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.syslog.header_forms import FORMS, RECEIVED, Form
from tscm.intake.senders import SenderTable
from tscm.syslog import header as header_module
from tscm.syslog.asa import parse
from tscm.syslog.asa_bulk import policy_rows
from tscm.syslog.header import all_names, read_header
from tscm.syslog.render import rfc5424, with_header
from tscm.syslog.stamps import time_of

CORPUS = Path(__file__).parents[3] / "shared" / "conformance" / "asa-lines.jsonl"
TEXT = b"%ASA-4-106023: Deny tcp src a:192.0.2.1/1 dst b:192.0.2.2/2 by access-group x"
AT = datetime.fromisoformat(RECEIVED).timestamp()
IDS = [form.head.decode("latin-1") for form in FORMS]


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_every_form_is_read(form: Form) -> None:
    found = read_header(form.head + TEXT)
    assert (found.names, found.zone, found.sequence) == (form.names, form.zone, form.sequence)
    assert (found.doubtful, found.leads) == (form.doubtful, form.leads)
    assert (form.head + TEXT)[found.text :] == TEXT[TEXT.index(b":") :]


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_every_form_gives_a_report_its_device_and_time(form: Form) -> None:
    event = parse(form.head + TEXT, AT)
    assert event is not None
    assert event.device == (form.names[0].decode() if form.names else None)
    assert event.timestamp == (None if form.at is None else datetime.fromisoformat(form.at))
    assert event.access_list == "x"


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_every_form_is_attributed_by_any_of_its_names(form: Form) -> None:
    """A relay's lines: each name in turn is the only one that is known."""
    candidates = (*form.names, *form.doubtful)
    for name in candidates:
        senders = SenderTable()
        senders.claim("wanted", ["198.51.100.1", "198.51.100.9", name.decode()])
        senders.claim("other", ["198.51.100.2", "198.51.100.9"])
        relay = senders.route_of("198.51.100.9")
        assert relay is not None
        assert not isinstance(relay, str)
        if "/" not in name.decode():
            assert relay.device_of(form.head + TEXT) == "wanted"
    assert all_names(form.head + TEXT) == candidates


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_every_form_gives_a_siem_its_hostname(form: Form) -> None:
    message = form.head + TEXT
    told = (form.names[0] if form.names else b"198.51.100.9").decode()
    sent = rfc5424(message, "198.51.100.9", AT)
    hosts = [told]
    if re.match(
        rb"<\d+>1 ", form.head
    ):  # such a line goes as it is but for a HOSTNAME that is none
        hosts += [name.decode() for name in form.names]
    assert sent.split(b" ")[2].decode() in hosts
    header = with_header(message, "198.51.100.9", AT)
    if form.leads:
        assert header == message
    elif not re.match(rb"<\d+>1 ", form.head):
        assert re.match(rb"<\d{1,3}>\S+Z (\S+) ", header)[1].decode() == told  # type: ignore[index]
        assert header.endswith(TEXT)


@pytest.mark.parametrize("relay", [b"<13>Oct  1 10:00:00 relay ", b"<13>relay: "])
def test_a_second_priority_begins_an_inner_header(relay: bytes) -> None:
    assert read_header(relay + b"<14>fw1 " + TEXT).names == (b"fw1", b"relay")


def test_a_leap_day_is_of_the_year_that_has_it() -> None:
    at = datetime(2024, 3, 1, tzinfo=UTC).timestamp()
    day = datetime(2024, 2, 29, 10, tzinfo=UTC)
    assert time_of(b"Feb 29 10:00:00", b"UTC", at) == day


def test_a_nickname_stands_for_its_full_domain_name() -> None:
    senders = SenderTable()
    senders.claim("fw1", ["192.0.2.1", "192.0.2.9"])
    senders.claim("fw2", ["192.0.2.2", "192.0.2.9"])
    relay = senders.route_of("192.0.2.9")
    assert relay is not None
    assert not isinstance(relay, str)
    for word, device in (
        (b"fw1.example.net", "fw1"),
        (b"FW2.Example.Net.", "fw2"),
        (b"[192.0.2.2]", "fw2"),
        (b"::ffff:192.0.2.1", "fw1"),
        (b"192.0.2.1:41234", "fw1"),
        (b"fw3.example.net", None),
    ):
        assert relay.device_of(b"<166>Nov 30 05:54:08 " + word + b" " + TEXT) == device, word


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        (b"<13>Oct 11 22:14:15 mymachine su: failed for lonvick", b"mymachine", b"su: failed for lonvick"),
        (b"<13>Oct 11 22:14:15 EDGE su: failed", b"EDGE", b"su: failed"),
        (b"<13>1 2003-10-11T22:14:15.003Z web.example su - ID47 - failed", b"web.example", b"failed"),
        (b"<166>Nov 30 05:54:08 fw1 last message repeated 3 times", b"fw1", b"last message repeated 3 times"),
        (b"<166>Nov 30 05:54:08 last message repeated 3 times", None, b"last message repeated 3 times"),
        (b"<166>Nov 30 05:54:08 relay Nov 30 05:54:07 fw1 last message repeated 3 times", b"fw1",
         b"last message repeated 3 times"),
        (b"<166>Nov 30 2026 05:54:08: something", None, b"something"),
        (b"<166>Nov 30 2026 05:54:08 CEST: something", None, b"something"),
        (b"<111> Oct  8 15:00:25 fmc-a SFIMS: Protocol: TCP", b"fmc-a", b"SFIMS: Protocol: TCP"),
        (b"no header at all", None, b"no header at all"),
        (b"<14>no header either", None, b"no header either"),
    ],
)  # fmt: skip
def test_a_line_without_tag_is_read_by_the_rfcs(
    line: bytes, name: bytes | None, text: bytes
) -> None:
    found = read_header(line)
    assert found.names[:1] == (() if name is None else (name,))
    assert line[found.text :] == text


def test_the_text_begins_behind_the_fields_of_rfc5424_and_a_tag_written_twice() -> None:
    text = b"Deny tcp src a:192.0.2.1/1 dst b:192.0.2.2/2 by access-group x"
    for between in (
        b": ", b" ", b":", b" - - -  ", b" - - - ", b" 77 ID47 - ", b": %ASA-4-106023: ", b" - - - %ASA-4-106023: ",
        b' - - [meta sequenceId="1"] ', b' - - [a b="x ] \\" y"][c@1] \xef\xbb\xbf',
        b" %FTD-session-4-106023: ",
    ):  # fmt: skip
        event = parse(b"<164>1 2026-11-30T06:11:50+00:00 192.0.2.7 %ASA-4-106023" + between + text)
        assert event is not None
        assert (event.text, event.device) == (text.decode(), "192.0.2.7"), between


QUOTED = (
    b'[a@1 b="x %ASA-4-106023: Deny tcp src a:192.0.2.1/1 dst b:192.0.2.2/2 by access-group y"]'
)


@pytest.mark.parametrize("before", [b"", b"<13>Nov 30 05:54:08 relay ", b" "])
def test_a_tag_within_structured_data_is_a_quotation(before: bytes) -> None:
    fields = before + b"<164>1 2026-11-30T06:11:50Z 192.0.2.7 app 7 - " + QUOTED
    assert parse(fields) is None
    assert parse(fields + b" text") is None
    assert parse(fields + b" " + b"x" * 5000 + QUOTED[9:]) is not None  # far behind all headers
    event = parse(fields + b" " + TEXT)
    assert event is not None
    assert (event.message_id, event.access_list, event.device) == ("106023", "x", "192.0.2.7")
    assert all_names(fields + b" " + TEXT)[:1] == (b"192.0.2.7",)
    as_app_name = before + b"<164>1 2026-11-30T06:11:50Z 192.0.2.7 %ASA-6-302013 - - " + QUOTED
    event = parse(as_app_name + b" text")
    assert event is not None
    assert (event.message_id, event.text) == ("302013", "text")


def test_the_bulk_parser_takes_no_quotation_for_an_event_either() -> None:
    line = b"<164>1 2026-11-30T06:11:50Z 192.0.2.7 app 7 - " + QUOTED + b" text\n"
    assert policy_rows(line) == []
    assert len(policy_rows(line + b"<164>" + TEXT + b"\n")) == 1


def test_the_tag_counts_that_stands_last_where_it_stands_twice() -> None:
    event = parse(
        b"%ASA-6-302013: %FTD-4-106023: Deny tcp src a:192.0.2.1/1 dst b:192.0.2.2/2 by access-group x"
    )
    assert event is not None
    assert (event.message_id, event.access_list) == ("106023", "x")


def test_a_relay_says_how_often_a_message_came() -> None:
    event = parse(
        b"<164>Nov 30 06:11:50 fw1 : message repeated 3 times: [ " + TEXT + b" [0x1, 0x0]]"
    )
    assert event is not None
    assert (event.device, event.hit_count, event.hashes) == ("fw1", 3, ("0x1", "0x0"))


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not beside this checkout")
def test_devices_of_the_corpus_are_found() -> None:
    rows = [json.loads(row) for row in CORPUS.read_text("utf-8").splitlines()]
    named = [row for row in rows if row["device"] and "%" in row["raw"] and not row["body_only"]]
    assert len(named) > 90
    missed = [
        row["case_id"]
        for row in named
        if row["device"].encode() not in all_names(row["raw"].encode())
    ]
    assert missed == []


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=2000))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    for one in (line, line + TEXT, b"<1>" * 50 + line + TEXT):
        found = read_header(one)
        assert len(found.names) <= 8
        assert 0 <= found.text <= len(one)


NOTHING = re.compile(rb"(?!)")


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([form.head for form in FORMS]),
    st.sampled_from([form.head for form in FORMS]),
    st.sampled_from([TEXT, b"su: failed", b"last message repeated 2 times", b""]),
)
def test_the_short_way_reads_what_the_long_one_reads(
    first: bytes, second: bytes, text: bytes
) -> None:
    line = first + second.partition(b">")[2] + text
    short = read_header(line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(header_module, "_USUAL", NOTHING)
        patch.setattr(header_module, "_USUAL_UNTAGGED", NOTHING)
        long = read_header(line)
    assert short._replace(tag=None) == long._replace(tag=None)


@pytest.mark.parametrize(
    "piece",
    [
        b" ", b":", b"<", b"<1>", b"[", b"[a ", b'[a b="', b"\\", b"Jan ", b"Jan 1 1:11:11 ", b"2026 ", b"1 ", b"a/", b"A/",
        b"a@", b"%ASA-", b"- ", b"message repeated 9 times: [ ", b'[a b="c"]', b"::", b"Original Address=", b"\xef\xbb\xbf",
    ],
)  # fmt: skip
def test_no_bytes_take_long(piece: bytes) -> None:
    """Work is bounded by the length: what takes steps in the square of it would not end here."""
    for head in (
        b"",
        b"<166>1 ",
        b"<166>1 2026-11-30T05:54:08Z fw1 a b c ",
        b"<166>Jan 1 2026 11:11:11 ",
    ):
        line = head + piece * (60_000 // len(piece))
        read_header(line)
        read_header(line + TEXT)
        parse(b"%ASA-4-106023" + line)
