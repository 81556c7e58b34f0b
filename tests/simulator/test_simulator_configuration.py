"""
The configuration store: graph rules, transactions, text and back.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.simulator import members
from tscm.simulator.cli import Console
from tscm.simulator.configuration import Configuration
from tscm.simulator.device import Device
from tscm.simulator.loading import load
from tscm.simulator.refusal import Cause, Refused


def device(*lines: str) -> Device:
    made = Device()
    load(made, "\n".join(lines), 0.0)
    assert made.load_errors == []
    return made


NESTED = (
    "object-group network B-1",
    " network-object host 192.0.2.1",
    "object-group network B",
    " group-object B-1",
)


SPELLINGS = [
    ("network-object host 192.0.2.1", "network-object host 192.0.2.1"),
    ("network-object 192.0.2.0 255.255.255.0", "network-object 192.0.2.0 255.255.255.0"),
    ("network-object 192.0.2.7 255.255.255.255", "network-object host 192.0.2.7"),
    ("network-object 2001:DB8:0::/32", "network-object 2001:db8::/32"),
    ("network-object 2001:db8::7/128", "network-object host 2001:db8::7"),
    ("network-object object web", "network-object object web"),
    ("group-object B-1", "group-object B-1"),
]

REFUSED = [
    "network-object host 010.1.1.1",
    "network-object host 192.0.2",
    "network-object 192.0.2.1 255.255.255.0",
    "network-object 192.0.2.0 255.0.255.0",
    "network-object 2001:db8::1/32",
    "network-object 2001:db8::/129",
    "network-object host",
    "network-object",
    "group-object",
    "network-object range 192.0.2.1 192.0.2.9",
]


def test_equal_members_have_equal_text() -> None:
    for words, text in SPELLINGS:
        assert members.from_words(words.split()) == text


def test_a_member_that_the_command_line_refuses_changes_nothing() -> None:
    held = device(*NESTED)
    before = held.running_config()
    for words in REFUSED:
        console = Console.of(held)
        assert console.run("object-group network B-1", 0) == ""
        assert console.run(" " + words, 0) != "", words
        assert held.running_config() == before, words


def test_an_empty_group_cannot_be_nested() -> None:
    held = device(*NESTED, "object-group network E")
    with pytest.raises(Refused) as refused:
        held.configuration.add_member("B", members.group("E"))
    assert refused.value.cause is Cause.EMPTY
    assert refused.value.text == (
        "object-group (E) is empty. Cannot add an empty group-object to object-group"
    )


def test_groups_cannot_form_a_loop() -> None:
    held = device(*NESTED, "object-group network A", " group-object B")
    for name, child in (("B-1", "A"), ("B-1", "B"), ("B", "B")):
        with pytest.raises(Refused) as refused:
            held.configuration.add_member(name, members.group(child))
        assert refused.value.cause is Cause.LOOP
        assert refused.value.text == (
            f"Adding obj (group-object {child}) to grp ({name}) failed; "
            "cause a loop in grp hierarchy"
        )


def test_a_group_in_use_is_neither_emptied_nor_removed() -> None:
    held = device(*NESTED, "access-list X extended deny ip object-group B any log")
    for name, member in (("B", "group-object B-1"), ("B-1", "network-object host 192.0.2.1")):
        with pytest.raises(Refused) as refused:
            held.configuration.remove_member(name, member)
        assert refused.value.cause is Cause.WOULD_EMPTY
        with pytest.raises(Refused) as refused:
            held.configuration.remove_group(name)
        assert refused.value.cause is Cause.IN_USE
        with pytest.raises(Refused):
            held.configuration.replace_members(name, [])
    assert Console.of(held).run("no object-group network B", 0) == (
        "Removing object-group (B) not allowed, it is being used.\n"
    )


def test_forward_reference_lifts_the_rules_of_use() -> None:
    held = device(
        *NESTED, "access-list X extended deny ip object-group B any", "forward-reference enable"
    )
    held.configuration.remove_member("B", "group-object B-1")
    held.configuration.remove_group("B")
    console = Console.of(held)
    assert console.run("access-list X extended deny ip object-group NONE any", 0) == ""


def test_objects_and_groups_of_all_types_share_one_set_of_names() -> None:
    held = device("object network web", " host 192.0.2.1", "object-group service S tcp", *NESTED)
    console = Console.of(held)
    assert "same id" in console.run("object-group network web", 0)
    assert "different type (service)" in console.run("object-group network S", 0)
    assert "already exists" in console.run("object network B", 0)
    assert console.run("object-group network b", 0) == ""  # names are case-sensitive


def test_a_broken_transaction_leaves_no_trace() -> None:
    held = device(*NESTED, "access-list X extended permit ip any any")
    before = held.running_config()
    group = held.configuration.groups["B-1"]

    def change() -> None:
        with held.configuration.transaction():
            held.configuration.add_member("B-1", members.host("192.0.2.2"))
            held.configuration.create_group("N")
            held.configuration.add_member("N", members.host("192.0.2.3"))
            held.configuration.describe("B", "new")
            held.configuration.remove_member("B-1", members.host("192.0.2.1"))
            held.configuration.clear_access_list("X")
            held.configuration.remove_group("B-1")

    with pytest.raises(Refused):
        change()
    assert held.running_config() == before
    assert held.configuration.groups["B-1"] is group


def test_the_running_configuration_is_what_a_reload_reads_back() -> None:
    held = device(
        "hostname fw-1",
        "interface GigabitEthernet0/0",
        " nameif outside",
        " security-level 0",
        "object network web",
        " host 192.0.2.1",
        " description a server",
        "object-group service S tcp",
        " port-object eq www",
        *NESTED,
        " description blocked ones",
        "access-list X remark why",
        "access-list X extended permit tcp any host 192.0.2.9 eq https log interval 60",
        "access-list X extended deny udp 10.0.0.0 255.0.0.0 range 1 99 any6 log disable",
        "access-list X extended deny ip object-group B any log notifications inactive",
        "access-group X in interface outside",
        "logging enable",
        "logging host outside 192.0.2.9 6/1470",
        "username u password p privilege 5",
    )
    text = held.running_config()
    again = device(*text.splitlines())
    assert again.running_config() == text
    assert again.accounts.check("u", "p") is not None
    assert again.accounts.check("u", "q") is None


def test_the_counted_size_is_the_rendered_size() -> None:
    held = device("object network web", " host 192.0.2.1", *NESTED, "logging enable")
    console = Console.of(held)
    console.run("object-group network B-1", 0)
    for at in range(50):
        console.run(f" network-object host 198.51.100.{at}", 0)
    for at in range(20):
        console.run(f" no network-object host 198.51.100.{at}", 0)
    rendered = sum(len(line) + 1 for line in held.configuration.object_lines())
    rendered += len("logging enable\n")
    assert held.configuration.size == rendered


NAMES = st.sampled_from(["A", "B", "C", "D"])
MEMBERS = st.one_of(
    st.integers(1, 6).map(lambda n: members.host(f"192.0.2.{n}")), NAMES.map(members.group)
)
STEPS = st.one_of(
    st.tuples(st.just("create"), NAMES),
    st.tuples(st.just("add"), NAMES, MEMBERS),
    st.tuples(st.just("remove"), NAMES, MEMBERS),
    st.tuples(st.just("replace"), NAMES, st.lists(MEMBERS, max_size=4)),
    st.tuples(st.just("delete"), NAMES),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(STEPS, max_size=40))
def test_whatever_is_typed_no_used_group_is_empty_absent_or_in_a_loop(
    steps: list[tuple[Any, ...]],
) -> None:
    held = Configuration()
    for step in steps:
        changes: dict[str, Callable[..., None]] = {
            "create": held.create_group,
            "add": held.add_member,
            "remove": held.remove_member,
            "replace": held.replace_members,
            "delete": held.remove_group,
        }
        before = {name: list(group.members) for name, group in held.groups.items()}
        try:
            changes[step[0]](*step[1:])
        except Refused:
            assert {name: list(group.members) for name, group in held.groups.items()} == before
        for group in held.groups.values():
            assert group.children == {
                child for one in group.members if (child := members.nested_name(one))
            }
            for child in group.children:
                assert held.groups[child].members
                assert not held._reaches(child, group.name)
        lines = list(held.object_lines())
        assert held.size == sum(len(line) + 1 for line in lines)
