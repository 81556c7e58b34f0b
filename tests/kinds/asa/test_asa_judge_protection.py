"""
What is said of access-lists and logging, by configurations as they are.
"""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.doctor.finding import Finding
from tscm.doctor.firewall import Collector, Heard
from tscm.doctor.lines import is_logged
from tscm.kinds.asa.doctor import judge_protection, packet_trace
from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.lines import access_list_lines
from tscm.kinds.asa.running import RunningConfig, read_running
from tscm.model import Cidr
from tscm.standing import Verdict

OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED
NOT_CHECKED = Verdict.NOT_CHECKED
OURS = access_list_lines("X-Block", "X-Allow")
LAST = "access-list global_access extended permit ip any any"
LOGGING = [
    "logging enable",
    "logging trap informational",
    "logging host management 192.0.2.9 17/514",
]
INTERFACES = [
    "interface G0/0",
    " nameif outside",
    " security-level 0",
    " ip address 198.51.100.1 255.255.255.0",
    "interface G0/1",
    " nameif inside",
    " security-level 100",
    " ip address 10.0.0.254 255.255.255.0",
    "interface M0/0",
    " management-only",
    " nameif management",
    " security-level 100",
    " ip address 192.168.45.1 255.255.255.0",
]
HERE = Collector(addresses=frozenset({"192.0.2.9"}), ports={"udp": [514], "tcp": [1470]})
GLOBAL = "access-group global_access global"


def config(*lines: str) -> RunningConfig:
    return read_running("\n".join([*INTERFACES, *lines]) + "\n")


WHOLE = config(*OURS, LAST, GLOBAL, *LOGGING)


def check(found: Finding, verdict: Verdict, words: str) -> None:
    assert found.verdict == verdict, found
    assert words in found.sentence
    assert found.remedy or verdict in (OK, NOT_CHECKED)


def test_the_lines_that_add_prints_are_all_good() -> None:
    found = judge_protection.judge_protection(WHOLE, "X", HERE)
    assert [one.link for one in found] == list(judge_protection.LINKS)
    assert {one.verdict for one in found} == {OK}, found


@pytest.mark.parametrize(
    ("lines", "verdict", "words"),
    [
        ([GLOBAL], FAILED, "no access-list denies object-group X-Block"),
        ([LAST, GLOBAL], FAILED, "no access-list denies"),
        ([*OURS], FAILED, "not bound"),
        ([*OURS, "access-group other global"], FAILED, "not bound"),
        ([LAST, *OURS, GLOBAL], FAILED, "comes before"),
        ([*(f"{one} inactive" for one in OURS), GLOBAL], FAILED, "inactive"),
        ([*(f"{one} time-range night" for one in OURS), GLOBAL], FAILED, "time-range"),
        ([*OURS[2:], GLOBAL], WARNING, "the allow list does nothing"),
        ([*OURS[2:], *OURS[:2], GLOBAL], WARNING, "comes after"),
        ([*OURS[:3], GLOBAL], WARNING, "no entry denies traffic to"),
        ([*OURS[:2], OURS[3], GLOBAL], WARNING, "no entry denies traffic from"),
        ([*(one.replace(" ip ", " tcp ") for one in OURS), GLOBAL], WARNING, "one protocol"),
        (
            [*OURS, "access-group global_access in interface outside"],
            OK,
            "global_access (in outside)",
        ),
    ],
)
def test_use_of_the_groups(lines: list[str], verdict: Verdict, words: str) -> None:
    check(judge_protection.judge_use(config(*lines), "X"), verdict, words)


def test_the_remedy_names_the_missing_lines_alone() -> None:
    found = judge_protection.judge_use(config(*OURS[2:], GLOBAL), "X")
    assert found.remedy.count("access-list ") == 2
    assert all(line in found.remedy for line in OURS[:2])
    found = judge_protection.judge_use(config(*OURS[:3], GLOBAL), "X")
    assert OURS[3] in found.remedy
    assert OURS[2] not in found.remedy
    found = judge_protection.judge_use(config(*OURS[2:], *OURS[:2], GLOBAL), "X")
    assert "access-list " not in found.remedy
    assert judge_protection.judge_use(config(GLOBAL), "X").remedy.count("access-list ") == 4


def test_an_entry_that_takes_all_of_ipv6_is_no_cover_for_ipv4() -> None:
    lines = [LAST.replace("any any", "any6 any6"), *OURS, GLOBAL]
    check(judge_protection.judge_use(config(*lines), "X"), OK, "both groups")
    lines = [LAST.replace("any any", "any4 any4"), *OURS, GLOBAL]
    check(judge_protection.judge_use(config(*lines), "X"), FAILED, "comes before")


def test_an_entry_below_one_that_takes_everything_in_one_of_two_lists_is_doubtful() -> None:
    second = [one.replace("global_access", "other") for one in (LAST, *OURS)]
    lines = [*OURS, *second, GLOBAL, "access-group other in interface inside"]
    check(judge_protection.judge_use(config(*lines), "X"), WARNING, "comes before")


@pytest.mark.parametrize(
    ("ours", "verdict", "words"),
    [
        (OURS, OK, "all 4 entries"),
        ([one.removesuffix(" log") for one in OURS], WARNING, "4 of 4 entries"),
        ([*OURS[:3], OURS[3].removesuffix(" log")], WARNING, "1 of 4 entries"),
        ([*OURS[:3], f"{OURS[3]} disable"], FAILED, "disabled"),
        ([], NOT_CHECKED, "no access-list"),
    ],
)
def test_log_of_the_entries(ours: list[str], verdict: Verdict, words: str) -> None:
    check(judge_protection.judge_log(config(*ours, GLOBAL), "X"), verdict, words)


@pytest.mark.parametrize(
    ("lines", "verdict", "words"),
    [
        ([], FAILED, "not enabled"),
        (["logging enable"], FAILED, "no messages are sent"),
        (["logging enable", "logging trap mine"], WARNING, "message list mine"),
        (["logging enable", "logging trap warnings"], FAILED, "warnings are sent"),
        ([*LOGGING, "no logging message 106100"], FAILED, "106100 is disabled"),
        (LOGGING, OK, "informational"),
        (["logging enable", "logging trap debugging"], OK, "debugging"),
    ],
)
def test_logging(lines: list[str], verdict: Verdict, words: str) -> None:
    check(judge_protection.judge_logging(config(*OURS, GLOBAL, *lines), "X"), verdict, words)


def test_an_entry_that_logs_below_the_trap_level_is_not_heard() -> None:
    lines = [f"{one} debugging" for one in OURS]
    check(
        judge_protection.judge_logging(config(*lines, GLOBAL, *LOGGING), "X"), FAILED, "debugging"
    )


@pytest.mark.parametrize(
    ("host", "hears", "verdict", "words"),
    [
        ("management 192.0.2.9 17/514", False, OK, "192.0.2.9 udp/514"),
        ("management 192.0.2.9", False, OK, "udp/514"),
        ("management 192.0.2.9 6/1470", False, OK, "tcp/1470"),
        ("management 192.0.2.9 17/515", False, FAILED, "is not listening"),
        ("management 192.0.2.9 6/1470 secure", False, FAILED, "is not listening"),
        ("management 192.0.2.77 17/514", False, FAILED, "not a known address of this manager"),
        ("management 192.0.2.77 17/514", True, WARNING, "arrive anyway"),
        (None, False, FAILED, "no logging host"),
        (None, True, WARNING, "arrive anyway"),
    ],
)
def test_where_the_device_logs_to(
    host: str | None, hears: bool, verdict: Verdict, words: str
) -> None:
    lines = [] if host is None else [f"logging host {host}"]
    here = Collector(addresses=HERE.addresses, ports=HERE.ports, hears=hears)
    check(judge_protection.judge_log_host(config(*lines), here), verdict, words)


@pytest.mark.parametrize(
    ("lines", "verdict", "words"),
    [
        (LOGGING, OK, "not needed"),
        (["logging host management 192.0.2.9 6/1470"], FAILED, "blocks every new connection"),
        (["logging host management 192.0.2.77 6/1470"], FAILED, "but not to this manager"),
        (
            ["logging host management 192.0.2.9 6/1470", "logging permit-hostdown"],
            OK,
            "does not stop traffic",
        ),
    ],
)
def test_a_collector_over_tcp_needs_permit_hostdown(
    lines: list[str], verdict: Verdict, words: str
) -> None:
    check(judge_protection.judge_hostdown(config(*lines), HERE), verdict, words)


# -- the test address ---------------------------------------------------------


def held(block: list[str], allow: list[str]) -> dict[str, Group]:
    return {
        name: Group(name=name, members=tuple(Cidr(one) for one in members), children=children)
        for name, members, children in (
            ("X-Block", [], ("X-Block-1",)),
            ("X-Block-1", block, ()),
            ("X-Allow", [], ("X-Allow-1",)),
            ("X-Allow-1", allow, ()),
        )
    }


def test_the_test_packet_goes_from_inside_to_a_listed_address() -> None:
    lines = config(OURS[0], OURS[3], GLOBAL)
    plan = packet_trace.build_trace(lines, held(["20.0.0.0/24", "20.9.9.9/32"], []), "X")
    assert plan is not None
    assert plan.command == "packet-tracer input inside tcp 10.0.0.253 1025 20.0.0.1 80"


def test_an_entry_for_the_other_direction_is_tested_from_outside() -> None:
    lines = config(OURS[2], "access-group global_access in interface outside")
    plan = packet_trace.build_trace(lines, held(["20.9.9.9/32"], []), "X")
    assert plan is not None
    assert plan.command == "packet-tracer input outside tcp 20.9.9.9 1025 10.0.0.253 80"


def test_a_list_that_is_bound_outwards_is_tested_through_another_interface() -> None:
    lines = config(OURS[3], "access-group global_access out interface inside")
    plan = packet_trace.build_trace(lines, held(["20.9.9.9/32"], []), "X")
    assert plan is not None
    assert plan.interface == "outside"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_an_address_that_the_allow_list_spares_is_not_chosen(data: st.DataObject) -> None:
    nets = st.tuples(st.integers(0, 63), st.integers(26, 32)).map(
        lambda pair: str(ipaddress.ip_network((0x14000000 + pair[0], pair[1]), strict=False))
    )
    block, allow = data.draw(st.lists(nets, max_size=6)), data.draw(st.lists(nets, max_size=6))
    plan = packet_trace.build_trace(WHOLE, held(block, allow), "X")
    if plan is None:
        return
    address = ipaddress.ip_address(plan.listed)
    assert any(address in ipaddress.ip_network(one) for one in block)
    assert not any(address in ipaddress.ip_network(one) for one in allow)


@pytest.mark.parametrize("groups", [{}, held([], []), held(["2001:db8::/32"], [])])
def test_without_a_listed_address_there_is_no_test(groups: dict[str, Group]) -> None:
    assert packet_trace.build_trace(WHOLE, groups, "X") is None


PLAN = packet_trace.build_trace(WHOLE, held(["20.9.9.9/32"], []), "X")
DROPPED = f"Type: ACCESS-LIST\nConfig:\n{OURS[3]}\nResult:\nAction: drop\n"


@pytest.mark.parametrize(
    ("plan", "said", "looked", "verdict", "words"),
    [
        (PLAN, DROPPED, True, OK, "is dropped"),
        (PLAN, "Config:\nImplicit Rule\nAction: drop\n", True, WARNING, "not by an entry"),
        (PLAN, DROPPED.replace("drop", "allow"), True, FAILED, "permits 20.9.9.9"),
        (PLAN, "ERROR: % Invalid input", True, WARNING, "did not respond"),
        (PLAN, None, True, WARNING, "did not respond"),
        (None, None, True, WARNING, "no test packet"),
        (None, None, False, NOT_CHECKED, "not reached"),
    ],
)
def test_what_packet_tracer_says(
    plan: packet_trace.PacketTrace | None,
    said: str | None,
    looked: bool,
    verdict: Verdict,
    words: str,
) -> None:
    check(packet_trace.judge_trace(plan, said, looked=looked), verdict, words)


@pytest.mark.parametrize(
    ("seen", "hits", "counted", "verdict", "words"),
    [
        (True, 0, True, OK, "the line about 20.9.9.9"),
        (False, 12, True, OK, "12 hits"),
        (False, 0, True, WARNING, "does not normally log"),
        (False, None, True, WARNING, "does not normally log"),
        (True, 12, False, FAILED, "event reader"),
    ],
)
def test_the_way_back_of_an_event(
    seen: bool, hits: int | None, counted: bool, verdict: Verdict, words: str
) -> None:
    check(
        packet_trace.judge_events(PLAN, Heard(awaited=seen, hits=hits, counted=counted), "fw"),
        verdict,
        words,
    )


def test_a_line_tells_of_an_address_only_as_an_end_of_what_an_access_list_did() -> None:
    hit = (
        b"<166>%ASA-6-106100: access-list g denied tcp inside/10.0.0.1(1025) -> "
        b"outside/20.9.9.9(80) hit-cnt 1 first hit [0x1, 0x0]\n"
    )
    other = b"<166>%ASA-6-302013: Built outbound TCP to outside:20.9.9.9/80\n"
    assert is_logged(other + hit, "20.9.9.9")
    assert not is_logged(hit, "20.9.9.99")
    assert not is_logged(other, "20.9.9.9")
