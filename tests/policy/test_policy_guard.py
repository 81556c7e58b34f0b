import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries, overlapping
from tscm.policy.guard import (
    Guarded,
    GuardRules,
    Protected,
    WarningList,
    compare,
    inspect,
    serial_went_back,
    stale,
)
from tscm.policy.lists import PolicyList, Refused
from tscm.risks import Risk, RiskFound


def listed(*texts: str, name: str = "block.example", serial: int | None = None) -> PolicyList:
    return PolicyList(name=name, entries=Entries.of(texts), serial=serial)


def causes(guarded: Guarded) -> dict[str, str]:
    return {finding.entry: finding.cause for finding in guarded.findings()}


PUBLIC = ("8.8.8.0/24", "1.1.1.1/32", "2600::/32")


def test_a_clean_list_passes_whole() -> None:
    guarded = inspect(listed(*PUBLIC), GuardRules())
    assert guarded.kept.cidrs() == list(PUBLIC)
    assert list(guarded.findings()) == []
    assert guarded.counts == {}


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ("0.0.0.0/0", "default route"),
        ("::/0", "default route"),
        ("64.0.0.0/7", "wider than /8"),
        ("2600::/18", "wider than /19"),
        ("10.1.2.3/32", "private space, 10.0.0.0/8"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/15", "private"),
        ("127.0.0.1/32", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("224.0.0.5/32", "multicast"),
        ("255.255.255.255/32", "reserved"),
        ("0.0.0.0/32", "this network"),
        ("192.0.2.0/24", "documentation"),
        ("198.51.100.7/32", "documentation"),
        ("203.0.113.0/25", "documentation"),
        ("::1/128", "loopback"),
        ("::ffff:8.8.8.8/128", "mapped"),
        ("fe80::/64", "link-local"),
        ("fd00::/48", "private"),
        ("ff02::1/128", "multicast"),
        ("2001:db8::/32", "documentation"),
    ],
)
def test_space_that_no_list_should_hold_is_left_out(entry: str, cause: str) -> None:
    guarded = inspect(listed(entry, *PUBLIC), GuardRules())
    assert guarded.kept.cidrs() == list(PUBLIC)
    (finding,) = guarded.findings()
    assert cause in finding.cause
    assert finding.left_out
    assert sum(guarded.counts.values()) == guarded.left_out_count == 1
    allow = inspect(listed(entry, *PUBLIC), GuardRules().for_allow_list())
    assert allow.left_out_count == 1


@pytest.mark.parametrize("entry", ["10.1.2.3/32", "224.0.0.0/8", "fd00::/48", "192.0.2.1/32"])
def test_special_space_passes_where_the_operator_allows_it(entry: str) -> None:
    assert inspect(listed(entry), GuardRules(allow_special=True)).kept.cidrs() == [entry]


@pytest.mark.parametrize("entry", ["0.0.0.0/0", "0.0.0.0/7", "::/0"])
def test_allowing_special_space_does_not_allow_the_default_route(entry: str) -> None:
    assert not len(inspect(listed(entry), GuardRules(allow_special=True)).kept)


def test_the_default_route_is_refused_even_where_any_width_is_allowed() -> None:
    rules = GuardRules(widest_v4=0, widest_v6=0, allow_special=True)
    assert inspect(listed("0.0.0.0/0", "0.0.0.0/1", "::/0"), rules).kept.cidrs() == ["0.0.0.0/1"]


def test_a_block_entry_that_holds_a_protected_address_is_left_out_and_names_it() -> None:
    rules = GuardRules(
        protected=(Protected("8.8.8.8", "the policy service"), Protected("2600::53", "the SIEM"))
    )
    guarded = inspect(listed("8.8.8.0/24", "8.8.9.0/24", "8.8.8.8", "2600::/32"), rules)
    assert guarded.kept.cidrs() == ["8.8.9.0/24"]
    found = causes(guarded)
    assert found["8.8.8.0/24"] == "would block 8.8.8.8/32, the policy service"
    assert found["8.8.8.8/32"] == "would block 8.8.8.8/32, the policy service"
    assert found["2600::/32"] == "would block 2600::53/128, the SIEM"


def test_an_entry_inside_a_protected_network_is_left_out_too() -> None:
    rules = GuardRules(protected=(Protected("8.8.0.0/16", "the office"),))
    assert inspect(listed("8.8.8.8", "8.9.0.0/16"), rules).kept.cidrs() == ["8.9.0.0/16"]


def test_protected_addresses_may_stand_in_an_allow_list() -> None:
    rules = GuardRules(protected=(Protected("8.8.8.8", "the policy service"),))
    assert inspect(listed("8.8.8.8"), rules.for_allow_list()).kept.cidrs() == ["8.8.8.8/32"]


def test_special_space_protects_nothing_by_being_allowed() -> None:
    rules = GuardRules(protected=(Protected("10.0.0.1", "the manager"),), allow_special=True)
    assert inspect(listed("10.0.0.0/24", "10.0.1.0/24"), rules).kept.cidrs() == ["10.0.1.0/24"]


def test_what_is_no_address_cannot_be_protected() -> None:
    with pytest.raises(ValueError, match="is a name"):
        Protected("siem.example", "the SIEM")


def test_warning_lists_point_or_refuse() -> None:
    known = CidrSet.of_texts(["8.8.8.8/32", "1.1.1.0/24"])
    pointing = inspect(
        listed(*PUBLIC), GuardRules(warning_lists=(WarningList(name="dns", networks=known),))
    )
    assert pointing.kept.cidrs() == list(PUBLIC)
    assert [(f.entry, f.left_out) for f in pointing.findings()] == [
        ("8.8.8.0/24", False),
        ("1.1.1.1/32", False),
    ]
    assert pointing.left_out_count == 0
    refusing = inspect(
        listed(*PUBLIC),
        GuardRules(warning_lists=(WarningList(name="dns", networks=known, refuse=True),)),
    )
    assert refusing.kept.cidrs() == ["2600::/32"]
    assert "warning list dns" in causes(refusing)["1.1.1.1/32"]


def test_an_entry_left_out_is_not_pointed_at_as_well() -> None:
    rules = GuardRules(
        warning_lists=(WarningList(name="x", networks=CidrSet.of_texts(["10.0.0.0/8"])),)
    )
    assert [f.left_out for f in inspect(listed("10.1.1.1"), rules).findings()] == [True]


def test_entries_that_were_no_cidr_are_among_the_findings() -> None:
    policy_list = PolicyList(
        name="b",
        entries=Entries.of(PUBLIC),
        refused=(Refused(entry="host.example", cause="is a name"),),
        refused_count=7,
    )
    guarded = inspect(policy_list, GuardRules())
    assert causes(guarded) == {"host.example": "is a name"}
    assert guarded.left_out_count == 7
    assert guarded.counts == {"no CIDR": 7}


networks = st.one_of(
    st.builds(
        lambda a, n: str(ipaddress.ip_network((a, n), strict=False)),
        st.one_of(st.integers(0, 64), st.integers(2**32 - 64, 2**32 - 1)),
        st.integers(0, 32),
    ),
    st.builds(
        lambda a, n: str(ipaddress.IPv6Network((a, n), strict=False)),
        st.one_of(st.integers(2**64, 2**64 + 64), st.integers(2**128 - 64, 2**128 - 1)),
        st.integers(0, 128),
    ),
)


@settings(deadline=None)
@given(st.lists(networks, max_size=15), st.lists(networks, max_size=15))
def test_overlap_agrees_with_the_standard_library(one: list[str], other: list[str]) -> None:
    entries = Entries.of(one)
    known = [ipaddress.ip_network(text) for text in other]
    expected = [
        any(net.version == k.version and net.overlaps(k) for k in known)
        for net in map(ipaddress.ip_network, entries.cidrs())
    ]
    assert overlapping(entries, CidrSet.of_texts(other)).tolist() == expected


@settings(deadline=None)
@given(st.lists(networks, max_size=15))
def test_every_entry_is_either_kept_or_found(texts: list[str]) -> None:
    guarded = inspect(listed(*texts), GuardRules(widest_v4=20, widest_v6=100))
    seen = guarded.kept.cidrs() + [finding.entry for finding in guarded.findings()]
    assert sorted(seen) == sorted(Entries.of(texts).cidrs())
    assert not any(
        ipaddress.ip_network(c).prefixlen < (100 if ":" in c else 20) for c in guarded.kept.cidrs()
    )


# -- lists as a whole ---------------------------------------------------------

HUNDRED = tuple(f"8.8.{n}.1" for n in range(100))
RULES = GuardRules()


def test_the_first_list_has_nothing_to_be_compared_with() -> None:
    assert compare(None, listed(*HUNDRED), RULES) == ()


def test_an_empty_block_list_is_refused() -> None:
    assert compare(None, listed(), RULES) == (
        RiskFound(risk=Risk.SHRINK, sentence="block.example is empty"),
    )


def test_an_empty_block_list_that_was_taken_once_raises_no_alarm_again() -> None:
    """The last good list is empty only where the operator accepted that."""
    assert compare(listed(serial=1), listed(serial=2), RULES) == ()


def test_an_allow_list_may_be_empty_from_the_start() -> None:
    rules = RULES.for_allow_list()
    assert compare(None, listed(), rules) == ()
    assert compare(listed(), listed(), rules) == ()


def test_an_allow_list_that_became_empty_is_refused() -> None:
    (reason,) = compare(listed(*PUBLIC), listed(), RULES.for_allow_list())
    assert str(reason) == "block.example is empty and had 3 entries"


def test_a_list_of_another_name_is_no_measure() -> None:
    old = listed(*HUNDRED, name="old.example", serial=9)
    assert compare(old, listed(HUNDRED[0], serial=1), RULES) == ()


@pytest.mark.parametrize(("left", "refused"), [(50, False), (49, True), (1, True), (100, False)])
def test_a_list_may_lose_half_and_no_more(left: int, refused: bool) -> None:
    reasons = compare(listed(*HUNDRED), listed(*HUNDRED[:left]), RULES)
    assert bool(reasons) == refused
    if refused:
        assert f"shrank from 100 to {many(left, 'entry', 'entries')}, more than 50%" in str(
            reasons[0]
        )


def test_aggregating_is_not_shrinking() -> None:
    assert compare(listed(*HUNDRED), listed("8.8.0.0/17"), RULES) == ()


def test_duplicates_do_not_hide_that_a_list_shrank() -> None:
    assert compare(listed(*HUNDRED), listed(*(HUNDRED[:10] * 10)), RULES)


def test_an_entry_that_is_left_out_does_not_hide_that_a_list_shrank() -> None:
    rest = listed("0.0.0.0/0", "::/0", HUNDRED[0])
    (reason,) = compare(listed(*HUNDRED), rest, RULES)
    assert "shrank from 100 to 1 entry" in str(reason)
    (reason,) = compare(listed("0.0.0.0/0", *HUNDRED), listed(HUNDRED[0]), RULES)
    assert "shrank from 100 to 1 entry" in str(reason)


def test_entries_that_never_counted_may_go() -> None:
    private = [f"10.0.{n}.0/25" for n in range(200)]
    assert compare(listed(*private, *HUNDRED), listed(*HUNDRED), RULES) == ()


def test_exchanging_all_entries_is_not_shrinking() -> None:
    assert compare(listed(*HUNDRED), listed(*(f"9.9.{n}.1" for n in range(100))), RULES) == ()


def test_growth_is_refused_only_where_a_limit_is_set() -> None:
    old, new = listed(*HUNDRED[:10]), listed(*HUNDRED)
    assert compare(old, new, RULES) == ()
    (reason,) = compare(old, new, GuardRules(growth_share=2.0))
    assert "grew from 10 to 100 entries, more than 200%" in str(reason)


def test_a_list_over_the_limit_is_refused() -> None:
    (reason,) = compare(None, listed(*HUNDRED), GuardRules(max_entries=99))
    assert "has 100 entries, over the limit of 99" in str(reason)


def test_a_block_list_of_which_nothing_would_be_left_is_refused() -> None:
    (reason,) = compare(None, listed("10.0.0.1", "0.0.0.0/0"), RULES)
    assert "excludes all of block.example: 2 entries" in str(reason)


@pytest.mark.parametrize(
    ("old", "new", "back"),
    [
        (1, 2, False),
        (2, 1, True),
        (5, 5, False),
        (0xFFFFFFFF, 0, False),
        (0, 0xFFFFFFFF, True),
        (0, 0x7FFFFFFF, False),
        (0, 0x80000000, True),
        (2026010101, 2026010100, True),
    ],
)
def test_serials_follow_rfc_1982(old: int, new: int, back: bool) -> None:
    assert serial_went_back(old, new) == back
    reasons = compare(listed("8.8.8.8", serial=old), listed("8.8.8.8", serial=new), RULES)
    assert bool(reasons) == back


def test_a_list_without_a_serial_cannot_go_back() -> None:
    assert compare(listed("8.8.8.8", serial=5), listed("8.8.8.8"), RULES) == ()
    assert compare(listed("8.8.8.8"), listed("8.8.8.8", serial=0), RULES) == ()


def test_a_list_is_stale_after_five_times_its_usual_interval() -> None:
    changes = [0.0, 3600.0, 7200.0, 10800.0]
    assert stale(changes, 10800 + 5 * 3600) is None
    found = stale(changes, 10800 + 5 * 3600 + 1)
    assert found == "unchanged for 5 hours, although it usually changes every 60 minutes"


def test_one_long_pause_does_not_make_long_pauses_usual() -> None:
    hour = 3600.0
    changes = [0.0, hour, 2 * hour, 3 * hour, 90 * hour]
    assert stale(changes, 94 * hour) is None
    assert stale(changes, 95 * hour + 1) is not None


def test_edits_in_one_sitting_make_no_interval_usual() -> None:
    assert stale([0.0, 20.0, 40.0, 60.0, 80.0], 1e9) is None


def test_nothing_is_usual_after_a_few_changes() -> None:
    assert stale([0.0, 1.0, 2.0], 1e9) is None
    assert stale([5.0] * 9, 1e9) is None
