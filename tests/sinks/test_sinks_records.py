import json

from hypothesis import given
from hypothesis import strategies as st

from tscm.model import Block, Origin
from tscm.settings.sinks import SinkSettings
from tscm.sinks.opensearch import OpenSearchForm
from tscm.sinks.records import Piece, records_of
from tscm.syslog.escape import INTRODUCER, escape


def piece(*lines: bytes, start: int = 1000) -> Piece:
    data = b"".join(escape(one) + b"\n" for one in lines)
    block = Block(
        device="fw",
        start=start,
        end=start + len(data),
        data=data,
        lines=len(lines),
        escaped=INTRODUCER in data,
    )
    return Piece(
        block, [Origin(start=start, end=block.end, sender="192.0.2.9", received_at=1764550000.25)]
    )


def test_a_record_names_its_device_by_the_header_then_by_the_sender() -> None:
    one = b"<164>Nov 30 2026 06:11:50 edge-1 : %ASA-4-106023: Deny tcp"
    two = b"<166>%ASA-6-302013: Built"
    found = records_of("fw", [piece(one, two)], 0.0)
    first, second = found.lines
    assert (first.host, first.number, first.priority) == ("edge-1", "106023", 164)
    assert (second.host, second.sender, second.received_at) == (
        "192.0.2.9",
        "192.0.2.9",
        1764550000.25,
    )
    assert first.text.encode() == one
    assert (first.offset, first.end) == (1000, 1000 + len(one) + 1)


def test_a_line_of_nobody_is_the_device_s_and_of_now() -> None:
    made = piece(b"text")
    found = records_of("fw", [Piece(made.block, [])], 77.0)
    assert (found.lines[0].host, found.lines[0].received_at) == ("fw", 77.0)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_every_line_is_one_record_with_its_text(lines: list[bytes]) -> None:
    made = piece(*lines)
    found = records_of("fw", [made] if lines else [], 5.0)
    assert [one.text for one in found.lines] == [
        one.decode("utf-8", "backslashreplace") for one in lines
    ]
    assert [one.end for one in found.lines[:-1]] == [one.offset for one in found.lines[1:]]
    assert all(one.text.encode() for one in found.lines if one.text)  # JSON takes each of them


def test_equal_lines_that_came_together_have_times_of_their_own() -> None:
    found = records_of("fw", [piece(*[b"<166>%ASA-6-1: the same"] * 5000)], 0.0)
    times = [one.nanoseconds for one in found.lines]
    assert len(set(times)) == 5000
    assert times == sorted(times)
    assert max(times) - 1764550000.25e9 < 17e6


def test_octets_that_are_no_text_are_written_out_and_counted() -> None:
    found = records_of("fw", [piece(b"a\xff\xfeb", b"good")], 0.0)
    assert found.lines[0].text == "a\\xff\\xfeb"
    assert found.altered == 1


def ids(at: float, log: str, *lines: bytes) -> list[str]:
    """Of the documents that OpenSearch is sent, where the lines' time of receipt is not known."""
    body = (
        OpenSearchForm()
        .request(
            SinkSettings(name="x", type="opensearch", url="https://x.example", index="asa"),
            records_of("fw", [Piece(piece(*lines).block, [])], at, log),
        )
        .body
    )
    return [json.loads(one)["create"]["_id"] for one in body.splitlines()[::2]]


def test_a_document_keeps_its_id_when_a_crash_took_its_time_of_receipt() -> None:
    first = ids(5.0, "00c0ffee", b"<166>one", b"<166>two", b"<166>two")
    assert ids(9.0, "00c0ffee", b"<166>one", b"<166>two", b"<166>two") == first
    assert len(set(first)) == 3


def test_other_lines_in_the_same_place_are_other_documents() -> None:
    (one,) = ids(5.0, "00c0ffee", b"<166>one")
    assert [one] != ids(5.0, "00c0ffee", b"<166>two")  # a log that was set back
    assert [one] != ids(5.0, "0badcafe", b"<166>one")  # a log that began again
