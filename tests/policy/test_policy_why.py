import pytest
from attrs import evolve

from tscm.policy.by_hand import LIST_NAME
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.guard import GuardRules, Protected, inspect
from tscm.policy.lists import PolicyList, Refused
from tscm.policy.rank import cut
from tscm.policy.standing import Standing
from tscm.policy.why import SHOWN, ListView, left_out, meeting, not_in_force, verdict, why

RULES = GuardRules(protected=(Protected("9.9.9.9", "the policy service"),))
BLOCK = ("8.8.8.0/25", "8.8.8.128/25", "8.8.9.1", "8.8.11.1", "9.9.9.0/24", "10.0.0.0/8")
ALLOW = ("8.8.8.8", "10.1.1.1")


def views(maximum: int = 100) -> list[ListView]:
    lists = [
        PolicyList(name="block.example", entries=Entries.of(BLOCK)),
        PolicyList(name="allow.example", entries=Entries.of(ALLOW)),
    ]
    rules = [RULES, RULES.for_allow_list()]
    merged = [CidrSet.of(inspect(one, its).kept) for one, its in zip(lists, rules, strict=True)]
    fitting = cut(merged[0], merged[1], maximum)
    return [
        ListView(kind="block", published=lists[0], rules=rules[0], in_force=fitting.block),
        ListView(kind="allow", published=lists[1], rules=rules[1], in_force=fitting.allow),
    ]


def ask(asked: str, maximum: int = 100) -> tuple[Standing, Standing, str]:
    block, allow = why(asked, views(maximum))
    return block, allow, verdict((block, allow))


def test_a_merged_entry_still_names_the_entries_that_were_published() -> None:
    block, allow, word = ask("8.8.8.200")
    assert block.covered == "all"
    assert block.in_force.cidrs == ("8.8.8.0/24",)
    assert block.published.cidrs == ("8.8.8.128/25",)
    assert allow.covered == "none"
    assert word == "blocked"
    assert str(block) == (
        "block list block.example: 8.8.8.200/32 is in force as 8.8.8.0/24; "
        "published as 8.8.8.128/25"
    )
    assert str(allow).endswith("is not in force; it is not in the list")


def test_of_several_lists_only_those_that_publish_an_entry_are_named_as_its_source() -> None:
    block, allow = views()
    other = PolicyList(name="other.example", entries=Entries.of(["8.8.11.1"]))
    block = evolve(block, in_force=CidrSet.of_texts(["8.8.9.1/32", "8.8.11.1/32"]))
    beside = evolve(block, published=other)

    def told(asked: str) -> list[str]:
        return [str(one) for one in why(asked, [block, beside, allow])]

    assert told("8.8.9.1")[:2] == [
        "block list block.example: 8.8.9.1/32 is in force as 8.8.9.1/32; published as 8.8.9.1/32",
        "block list other.example: 8.8.9.1/32 is not in the list",
    ]
    assert all("published as 8.8.11.1/32" in line for line in told("8.8.11.1")[:2])
    assert verdict(why("8.8.9.1", [block, beside, allow])) == "blocked"


def test_the_allow_list_comes_first() -> None:
    block, allow, word = ask("8.8.8.8")
    assert (block.covered, allow.covered) == ("all", "all")
    assert word.startswith("permitted")
    assert ask("8.8.8.0/24")[2] == "blocked, except for what the allow list holds"


def test_what_the_guard_left_out_is_said_with_its_cause() -> None:
    block, _, word = ask("9.9.9.9")
    assert block.covered == "none"
    assert [finding.cause for finding in block.left_out] == [
        "would block 9.9.9.9/32, the policy service"
    ]
    assert block.waiting.count == 0
    assert word == "not touched by this policy"
    assert "9.9.9.0/24 excluded: would block" in str(block)


def test_what_was_cut_is_said() -> None:
    block, _, word = ask("8.8.11.1", 3)
    assert block.covered == "none"
    assert block.waiting.cidrs == ("8.8.11.1/32",)
    assert word == "not touched by this policy"
    assert "cut to fit Max Policy Size or not yet applied: 8.8.11.1/32" in str(block)


def test_an_entry_by_hand_is_never_cut() -> None:
    published = PolicyList(name=LIST_NAME, entries=Entries.of(["8.8.11.1"]))
    view = ListView(kind="block", published=published, rules=RULES, in_force=CidrSet())
    assert str(why("8.8.11.1", [view])[0]).endswith("; not yet pushed: 8.8.11.1/32")


def test_a_network_may_be_held_in_part() -> None:
    block, _, word = ask("8.8.0.0/16")
    assert block.covered == "part"
    assert block.in_force.count == 3
    assert word == "partly blocked"


def test_a_question_about_everything_is_answered_in_short() -> None:
    texts = [f"8.{n}.0.1" for n in range(200)] + [f"10.{n}.0.1" for n in range(200)]
    policy_list = PolicyList(name="b", entries=Entries.of(texts))
    in_force = CidrSet.of(inspect(policy_list, RULES).kept)
    view = ListView(kind="block", published=policy_list, rules=RULES, in_force=in_force)
    (standing,) = why("0.0.0.0/0", [view])
    assert standing.in_force.count == 200
    assert standing.published.count == 400
    assert len(standing.in_force.cidrs) == len(standing.left_out) == SHOWN
    assert "and 180 more" in str(standing)


def test_what_is_not_in_force_can_be_listed_and_searched() -> None:
    view = views(3)[0]
    out = not_in_force(view)
    assert out.cidrs() == ["8.8.11.1/32"]
    assert meeting(out, "8.8.0.0/16").cidrs() == ["8.8.11.1/32"]
    assert meeting(out, "8.8.11.2").cidrs() == []
    assert not len(not_in_force(views()[0]))


def test_what_the_guard_left_out_can_be_listed_and_searched() -> None:
    view = views()[0]
    refused = Refused(entry="nonsense", cause="'nonsense' is a name, not an address")
    published = evolve(view.published, refused=(refused,), refused_count=2)
    view = evolve(view, published=published)
    found = left_out(view)
    assert [one.entry for one in found.findings()] == ["9.9.9.0/24", "10.0.0.0/8", "nonsense"]
    assert found.left_out_count == 4
    assert [one.entry for one in left_out(view, "10.1.2.3").findings()] == ["10.0.0.0/8"]
    with pytest.raises(ValueError, match="is a name"):
        left_out(view, "host.example")


def test_what_is_no_address_is_refused_with_its_cause() -> None:
    with pytest.raises(ValueError, match="is a name"):
        why("host.example", views())
