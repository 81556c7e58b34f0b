"""
What is shipped, and what may be put together.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.portal import warning_lists
from tscm.portal.items import (
    ALL_ON,
    THREATS,
    TRAFFIC,
    Bundle,
    ItemFaulty,
    Kind,
    PortalPolicy,
    Ref,
    Target,
    as_table,
    read_item,
    read_ref,
)
from tscm.portal.resolving import Site, check_policy, check_target, sides, used_targets, users_of
from tscm.portal.site import catalogue
from tscm.settings.feed_intervals import least_interval

LISTS = {"own-block": "block", "own-allow": "allow"}


def shipped(*on: str) -> Site:
    return Site(
        targets=catalogue().targets,
        on=frozenset(on),
        lists=LISTS,
        policies=catalogue().policies,
        refusals=frozenset({"public-resolvers", "cloudflare"}),
    )


@pytest.mark.parametrize("name", catalogue().targets)
def test_a_shipped_target_says_what_it_is(name: str) -> None:
    target = catalogue().targets[name]
    assert target.title
    assert target.publisher
    assert target.terms
    assert target.false_positives
    for feed in target.feeds:
        assert urlsplit(feed.url).scheme == "https"
        assert feed.max_entries is not None
        assert feed.may_be_empty or feed.min_entries
        assert target.interval_seconds >= least_interval(feed.url)
    assert read_item(Target, as_table(target), name) == target


@pytest.mark.parametrize("name", catalogue().policies)
def test_a_shipped_policy_can_be_published(name: str) -> None:
    policy = catalogue().policies[name]
    check_policy(name, policy, shipped())
    assert policy.fits
    assert policy.refuse
    assert not policy.allow, "nothing that others publish is ever permitted"


def test_nothing_is_fetched_that_was_not_turned_on() -> None:
    assert used_targets(shipped()) == set()
    assert used_targets(shipped("feodo")) == {"feodo"}
    assert used_targets(shipped("x4b-vpn")) == set(), "no policy uses it"


def test_public_resolvers_are_in_a_warning_list() -> None:
    for address in ("1.1.1.1", "8.8.8.8", "9.9.9.9", "2001:4860:4860::8888"):
        assert warning_lists.networks("public-resolvers").covers(address)


@pytest.fixture
def misp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of lists that a package would bring."""
    monkeypatch.setattr(warning_lists, "_misp_folder", lambda: tmp_path)
    for one in (warning_lists.known, warning_lists.networks):
        one.cache_clear()
    yield tmp_path
    for one in (warning_lists.known, warning_lists.networks):
        one.cache_clear()


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ('{"type": "cidr", "list": ["192.0.2.0/24", "2001:db8::/32"]}', ""),
        ('{"type": "hostname", "list": ["example.org"]}', "not a list of networks"),
        ('{"list": []}', "is empty"),
        ("[]", "not a list of networks"),
        ("<html>", "not a list of networks"),
    ],
)
def test_a_list_of_misp_is_read_from_its_file(misp: Path, content: str, cause: str) -> None:
    (misp / "some").mkdir()
    (misp / "some" / "list.json").write_text(content)
    assert "misp-some" in warning_lists.known()
    if not cause:
        assert warning_lists.networks("misp-some").covers("192.0.2.7")
        return
    with pytest.raises(ItemFaulty, match=cause):
        warning_lists.networks("misp-some")


@pytest.mark.usefixtures("misp")
def test_a_list_that_is_not_there_is_no_empty_one() -> None:
    with pytest.raises(ItemFaulty, match="install pymispwarninglists"):
        warning_lists.networks("misp-cloudflare")


def test_a_bundle_follows_what_is_turned_on() -> None:
    policy = PortalPolicy(block=(f"bundle:{ALL_ON}", "list:own-block"))
    assert [one.name for one in sides(policy, shipped()).block] == ["own-block"]
    on = sides(policy, shipped("feodo", "cins"))
    assert [one.name for one in on.block] == ["cins", "feodo", "own-block"]
    named = sides(PortalPolicy(block=("target:feodo",)), shipped())
    assert (named.block, named.off) == ((), ("feodo",))


TARGETS = st.builds(
    Target,
    severity=st.integers(0, 5),
    confidence=st.integers(0, 100),
    threat=st.sampled_from(THREATS),
    traffic=st.sampled_from(TRAFFIC),
)
RULES = st.builds(
    Bundle,
    min_severity=st.integers(0, 5),
    min_confidence=st.integers(0, 100),
    threats=st.lists(st.sampled_from(THREATS), max_size=3).map(tuple),
    traffic=st.lists(st.sampled_from(TRAFFIC), max_size=2).map(tuple),
)


@given(TARGETS, RULES)
def test_a_rule_that_asks_for_less_takes_as_much(target: Target, rule: Bundle) -> None:
    assert Bundle().takes(target)
    if rule.takes(target):
        assert Bundle(min_severity=rule.min_severity, threats=rule.threats).takes(target)
        assert target.severity >= rule.min_severity
        assert read_item(Bundle, as_table(rule), "x") == rule


@pytest.mark.parametrize(
    ("table", "cause"),
    [
        ({}, "no block side"),
        ({"allow": ["list:own-allow"]}, "no block side"),
        ({"block": ["target:nothing"]}, "no target 'nothing'"),
        ({"block": ["list:own-allow"]}, "is a list to allow"),
        ({"block": ["list:own-block"], "allow": ["list:own-block"]}, "is a list to block"),
        ({"block": ["list:own-block"], "allow": ["target:feodo"]}, "cannot be on the allow side"),
        ({"block": ["list:own-block"], "allow": ["bundle:all-on"]}, "cannot be on the allow side"),
        ({"block": ["list:own-block"], "refuse": ["aws"]}, "no warning list 'aws'"),
        ({"block": ["nonsense"]}, "not a part of a policy"),
        ({"block": "target:feodo"}, "is not such a list"),
        ({"block": ["list:own-block"], "block_name": "a.b", "allow_name": "a.b"}, "the same name"),
        (
            {"block": ["list:own-block"], "block_name": "block.edge-core.tscm.internal"},
            "policy 'edge-core' publishes",
        ),
        ({"block": ["list:own-block"], "block_name": "a." * 121 + "b"}, "is too long"),
    ],
)
def test_a_policy_that_cannot_be_published_is_told_why(
    table: dict[str, object], cause: str
) -> None:
    names = {"block_name": "b.example", "allow_name": "a.example"}
    with pytest.raises(ItemFaulty, match=cause):
        check_policy("mine", read_item(PortalPolicy, {**names, **table}, "policy"), shipped())


@pytest.mark.parametrize(
    ("table", "cause"),
    [
        ({}, "neither feeds nor lists"),
        ({"lists": ["nothing"]}, "no list 'nothing'"),
        ({"lists": ["own-allow"]}, "is a list to allow"),
        ({"severity": 6, "lists": ["own-block"]}, "severity"),
        ({"feeds": [{"url": "file:///etc/shadow"}]}, "uses a file of the manager's host"),
        (
            {"feeds": [{"url": "https://a.example/", "header": "K", "secret_file": "/etc/shadow"}]},
            "uses a file of the manager's host",
        ),
        ({"feeds": [{"url": "http://a.example/"}]}, "without TLS"),
        ({"feeds": [{"url": "https://a.example/"}] * 20}, "up to 16"),
        ({"feeds": "x"}, "up to 16"),
    ],
)
def test_a_target_that_cannot_be_is_told_why(table: dict[str, object], cause: str) -> None:
    with pytest.raises(ItemFaulty, match=cause):
        check_target("mine", read_item(Target, table, "target"), shipped())


def test_who_uses_what_is_known() -> None:
    site = shipped()
    assert "policy edge-core" in users_of(site, Ref(Kind.TARGET, "feodo"))
    assert users_of(site, read_ref("list:own-block")) == []
