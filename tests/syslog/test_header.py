"""Who a line says it comes from."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.syslog.header import origin, origins

CORPUS = Path(__file__).parents[3] / "shared" / "conformance" / "asa-lines.jsonl"
TAG = b"%ASA-6-106100: access-list x"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<166>", None),
        (b"<166>Apr 15 2013 09:36:50: ", None),
        (b"<166>Apr 15 2014 09:34:34 EDT: ", None),
        (b"<166>Apr 24 2013 16:00:28 INT-FW01 : ", b"INT-FW01"),
        (b"<166>2018-06-27T12:17:46Z asa : ", b"asa"),
        (b"<111>:Jan 21 10:00:00 MSK 192.0.2.9: ", b"192.0.2.9"),
        (b"<14>Dec 1 09:00:00 192.0.2.7 Dec 1 2013 09:00:00: ", b"192.0.2.7"),
        (b"Oct 10 2018 12:34:56 localhost CiscoASA[999]: ", b"localhost"),
        (b"<166>Jan  5 08:52:35 relay1 Jan 05 2016 08:52:35 fw-9 : ", b"fw-9"),
        (b"<166>1 2018-06-27T12:17:46Z fw-7 - - - - ", b"fw-7"),
        (b"<166>Jan  5 08:52:35 2001:db8::7 : ", b"2001:db8::7"),
    ],
)
def test_the_innermost_name_is_the_origin(head: bytes, name: bytes | None) -> None:
    assert origin(head + TAG) == name


def test_names_of_relays_come_after_the_devices_own() -> None:
    line = b"<166>Jan  5 08:52:35 relay1 Jan 05 2016 08:52:35 fw-9 : " + TAG
    assert origins(line) == (b"fw-9", b"relay1")


def test_a_line_without_tag_is_read_by_the_rfcs() -> None:
    assert origin(b"<13>Oct 11 22:14:15 mymachine su: failed for lonvick") == b"mymachine"
    assert origin(b"<13>1 2003-10-11T22:14:15.003Z web.example su - ID47 - failed") == (
        b"web.example"
    )
    assert origin(b"no header at all") is None


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not beside this checkout")
def test_devices_of_the_corpus_are_found() -> None:
    rows = [json.loads(row) for row in CORPUS.read_text("utf-8").splitlines()]
    named = [row for row in rows if row["device"] and "%" in row["raw"] and not row["body_only"]]
    assert len(named) > 90
    missed = [
        row["case_id"]
        for row in named
        if row["device"].encode() not in origins(row["raw"].encode())
    ]
    assert missed == []


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=2000))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    assert len(origins(line)) <= 8
    assert len(origins(b"<1>" * 50 + line + TAG)) <= 8
