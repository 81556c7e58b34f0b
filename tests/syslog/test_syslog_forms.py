"""
Lines of firewalls that pull a list, against a collection with expectations, and lines of our own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.syslog.asa import Action, parse
from tscm.syslog.forms import PARSERS, row_of, rows_of_form, spans_of
from tscm.syslog.passage import Passage

COLLECTION = Path(__file__).parents[3] / "shared/conformance/firewall-lines.jsonl"
FAMILIES = {
    "checkpoint": "checkpoint",
    "cisco_ftd": "firepower",
    "fortios": "fortinet",
    "mikrotik": "mikrotik",
    "panos": "panos",
}
ACTIONS = {"allow": Action.PERMITTED, "deny": Action.DENIED}


def cases() -> list[Mapping[str, Any]]:
    if not COLLECTION.exists():
        return []
    rows = [json.loads(line) for line in COLLECTION.read_text("utf-8").splitlines()]
    return [row for row in rows if row["family"] in FAMILIES]


def told(form: str, raw: bytes) -> Passage | None:
    """The passage; of the ASA's own messages under the tag of an FTD, as the parser of those has it."""
    found = PARSERS[form](raw)
    event = parse(raw) if found is None and form == "firepower" else None
    if event is None or event.source is None or event.destination is None:
        return found
    return Passage(
        message=event.message_id,
        action=Action.DENIED if event.action is Action.DENIED else Action.PERMITTED,
        protocol=event.protocol,
        source=str(event.source.address),
        source_port=event.source.port,
        destination=str(event.destination.address),
        destination_port=event.destination.port,
        rule=event.access_list,
    )


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["case_id"])
def test_a_line_of_the_collection_says_what_is_expected(case: Mapping[str, Any]) -> None:
    found = told(FAMILIES[case["family"]], case["raw"].encode())
    if case["expected_kind"] == "no_traffic_event":
        assert found is None
        return
    if case["expected_kind"] == "recognise":
        assert found is None or row_of(found) is None
        return
    assert found is not None
    assert found.action is ACTIONS.get(case["action"])
    for name, value in (
        ("protocol", found.protocol),
        ("src_ip", found.source),
        ("src_port", found.source_port),
        ("dst_ip", found.destination),
        ("dst_port", found.destination_port),
    ):
        if case[name] is not None or name.endswith("_port"):
            assert value == case[name], name
    if case["rule"] is not None:
        assert found.rule == case["rule"]
    if case["list_acted"]:
        assert found.list_name == case["list_name"]
    elif case["list_acted"] is False:
        assert found.list_name is None


def test_the_collection_is_there_or_its_absence_is_told() -> None:
    if not COLLECTION.exists():
        pytest.skip("needs ../shared/conformance/firewall-lines.jsonl beside the repository")
    assert len(cases()) > 90


LINES = {
    "firepower": [
        b"<113>2026-09-14T06:14:07Z f : %FTD-1-430002: AccessControlRuleAction: Block, AccessControlRuleReason: IP Block, "
        b"SrcIP: 203.0.113.77, DstIP: 192.0.2.25, SrcPort: 51022, DstPort: 443, Protocol: tcp, AccessControlRuleName: Web, "
        b"UserAgent: x, SrcIP: 198.51.100.1, IPReputationSICategory: ThreatSTOP-Block",
        b'<164>%FTD-4-106023: Deny tcp src o:203.0.113.77/51022 dst i:192.0.2.25/443 by access-group "A"',
    ],
    "panos": [
        b"<14>Sep 14 06:14:07 p 1,2026/09/14 06:14:07,0,TRAFFIC,drop,2562,2026/09/14 06:14:07,203.0.113.77,192.0.2.25,"
        b'0.0.0.0,0.0.0.0,"Block, all",,,x,vsys1,u,d,e1,,F,2026/09/14 06:14:07,0,1,51022,443,0,0,0x0,tcp,deny',
    ],
    "fortinet": [
        b'<188>type="traffic" srcip=203.0.113.77 srcport=51022 dstip=192.0.2.25 dstport=443 proto=6 '
        b'action="deny" policyname="in srcip=198.51.100.9"',
    ],
    "checkpoint": [
        b"time=1|product=Firewall|action=Drop|dst=192.0.2.25|proto=6|s_port=51022|service=443|src=203.0.113.77|",
    ],
    "mikrotik": [
        b"<134>Sep 14 06:14:07 gw firewall,info ThreatSTOP-Block prerouting: in:ether1 out:(unknown 0), "
        b"connection-state:new proto TCP (SYN), 203.0.113.77:51022->192.0.2.25:443, len 52",
    ],
}


@pytest.mark.parametrize("form", LINES)
def test_every_form_comes_to_the_row_of_an_asa(form: str) -> None:
    block = b"another line\n" + b"".join(line + b"\n" for line in LINES[form])
    lines = [block[begin:end] for begin, end in spans_of(form, block)]
    assert lines == [line + b"\n" for line in LINES[form]]
    for row in rows_of_form(form, lines):
        assert row is not None
        assert row[2:7] == (b"denied", b"tcp", b"203.0.113.77", b"192.0.2.25", b"443")
        assert row[7:] == (b"1", b"")


def test_where_a_line_names_the_list_the_row_has_it_in_the_place_of_the_rule() -> None:
    rows = {form: rows_of_form(form, lines)[0] for form, lines in LINES.items()}
    assert {form: row and row[1] for form, row in rows.items()} == {
        "firepower": b"ThreatSTOP-Block",
        "panos": b"Block, all",
        "fortinet": b"in srcip=198.51.100.9",
        "checkpoint": b"",
        "mikrotik": b"ThreatSTOP-Block",
    }


def test_what_tells_no_action_is_in_no_row() -> None:
    line = LINES["mikrotik"][0].replace(b"ThreatSTOP-Block", b"watch")
    assert rows_of_form("mikrotik", [line]) == [None]
    again = LINES["checkpoint"][0].replace(b"=Firewall", b"=QoS")
    assert rows_of_form("checkpoint", [again]) == [None]


@given(st.sampled_from(sorted(LINES)), st.data())
def test_a_line_that_is_damaged_invents_no_address(form: str, data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(LINES[form]))
    begin = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(begin, len(line)))
    put = data.draw(st.binary(max_size=20)).replace(b"\n", b"")
    damaged = line[:begin] + put + line[end:]
    (row,) = rows_of_form(form, [damaged])
    if row is not None:
        for address in row[4:6]:
            assert b"\n" not in address
            assert len(address) <= 45


@pytest.mark.parametrize("form", sorted(PARSERS))
def test_no_line_is_too_long_or_too_strange(form: str) -> None:
    for line in (
        b"",
        b"=" * 100_000,
        b",TRAFFIC," * 10_000,
        b'srcip=" ' * 10_000,
        b": in:" * 20_000,
        b"firewall,info " * 10_000,
        b"SFIMS: " + b", SrcIP: " * 10_000,
        b"CEF:0|Check Point|" + b" src=" * 10_000,
        b'src="\\' * 20_000,
        b"%FTD-1-430002: AccessControlRuleName: " + b", A: " * 10_000,
    ):
        rows_of_form(form, [line + b"\n"])
