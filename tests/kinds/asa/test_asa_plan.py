from collections.abc import Iterable, Mapping

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kinds.asa.planned_device import (
    PREFIX,
    StrictDevice,
    addresses,
    in_force,
    is_ours,
    strangers_in_force,
)
from tscm.kinds.asa.capacity import GroupsFull, children_needed, size_for, smallest_size
from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    Group,
    RemoveMembers,
)
from tscm.kinds.asa.placing import TooManyChildren
from tscm.kinds.asa.plan import Desired, Plan, make_plan
from tscm.model import Cidr
from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER


def desire(
    block: Iterable[str] = (), allow: Iterable[str] = (), size: int = 3, mark: str = "tscm test"
) -> Desired:
    return Desired(
        prefix=PREFIX,
        block=CidrSet.of_texts(block),
        allow=CidrSet.of_texts(allow),
        size=size,
        mark=mark,
    )


def hosts(low: int, high: int, net: str = "8.8.8") -> list[str]:
    """Hosts that do not merge: every second address."""
    return [f"{net}.{2 * n}/32" for n in range(low, high)]


def wanted(cidrs: CidrSet) -> list[Cidr]:
    return cidrs.cidrs() or [PLACEHOLDER]


def carry_out(
    present: Mapping[str, Group],
    desired: Desired,
    batch: int = 1000,
    stop: int | None = None,
    room: int | None = None,
) -> tuple[dict[str, Group], Plan]:
    """Apply a plan step by step on a strict device, holding what must hold after each."""
    plan = make_plan(present, desired, batch=batch, room=room)
    device = StrictDevice(dict(present))
    news = {"Block": wanted(desired.block), "Allow": wanted(desired.allow)}
    bounds = {}
    for kind, new in news.items():
        old_addresses, new_addresses = addresses(in_force(present, kind)), addresses(new)
        bounds[kind] = (old_addresses & new_addresses, old_addresses | new_addresses)
    for step in plan.steps[:stop]:
        device.apply(step)
        for kind, (least, most) in bounds.items():
            held = addresses(in_force(device.groups, kind))
            assert least <= held, f"{step} takes away what both lists have"
            assert held <= most, f"{step} brings what neither list has"
        if isinstance(step, CreateGroup | AddMembers | RemoveMembers):
            assert len(step.members) <= batch
    for kind in bounds:
        added = strangers_in_force(device.groups, kind) - strangers_in_force(present, kind)
        assert not added, "what is not ours was brought into force"
    for name, group in present.items():
        if not is_ours(name):
            assert device.groups[name] == group, "somebody else's group was touched"
    return device.groups, plan


def strangers(group: Group) -> int:
    return group.foreign + sum(1 for child in group.children if not is_ours(child))


def check_done(groups: Mapping[str, Group], desired: Desired) -> None:
    """What holds when a plan was carried out to its end."""
    news = {"Block": wanted(desired.block), "Allow": wanted(desired.allow)}
    used: set[str] = set()
    for kind, new in news.items():
        parent = groups[f"{PREFIX}-{kind}"]
        assert parent.members == ()
        assert parent.description == desired.mark
        placed: list[Cidr] = []
        for name in parent.children:
            if not is_ours(name):
                continue
            assert name.startswith(f"{PREFIX}-{kind}-")
            child = groups[name]
            assert not [c for c in child.children if is_ours(c)]
            assert len(child.members) <= desired.size
            assert len({":" in member for member in child.members}) <= 1
            assert child.members or strangers(child)
            placed.extend(child.members)
            used.add(name)
        assert sorted(placed) == sorted(new), "every entry stands once"
        used.add(parent.name)
    for name, group in groups.items():
        if is_ours(name) and name not in used:
            nested = any(name in other.children for other in groups.values())
            assert nested or strangers(group), f"{name} is an orphan"
    again = make_plan(groups, desired)
    assert again.steps == ()
    assert "nothing to change" in again.summary


# -- tidy states --------------------------------------------------------------


def test_a_first_load_makes_children_before_parents() -> None:
    desired = desire(hosts(0, 7), ["1.1.1.1", "2600::1"])
    groups, plan = carry_out({}, desired)
    check_done(groups, desired)
    assert groups["P-Block"].children == ("P-Block-1", "P-Block-2", "P-Block-3")
    assert groups["P-Allow"].children == ("P-Allow-1", "P-Allow-2")
    assert groups["P-Allow-2"].members == ("2600::1/128",)
    assert all(isinstance(step, CreateGroup | AttachChildren) for step in plan.steps)
    parent = next(one for one in plan.steps if one.group == "P-Block")
    assert parent == CreateGroup(
        group="P-Block", children=("P-Block-1",), description=desired.mark
    ), "with one child, for all of them may be too much for one request"
    assert plan.summary.startswith("block 7 entries (+7 -0), allow 2 entries (+2 -0); 9 requests")


def test_a_child_larger_than_a_batch_is_filled_before_it_is_nested() -> None:
    desired = desire(hosts(0, 7), size=10)
    groups, plan = carry_out({}, desired, batch=3)
    check_done(groups, desired)
    block = [step for step in plan.steps if "Block" in step.group]
    assert [type(step) for step in block] == [CreateGroup, AddMembers, AddMembers, CreateGroup]


def test_no_change_is_no_step() -> None:
    desired = desire(hosts(0, 7), hosts(20, 21))
    groups, _ = carry_out({}, desired)
    plan = make_plan(groups, desired)
    assert plan.steps == ()
    assert plan.block.before == plan.block.after == 7
    assert plan.estimate.bytes_before == plan.estimate.bytes_peak == plan.estimate.bytes_after


def test_entries_stay_in_their_child_and_additions_fill_free_room() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 7)))
    new = desire([*hosts(0, 2), *hosts(3, 9)])
    after, plan = carry_out(groups, new)
    check_done(after, new)
    assert set(groups["P-Block-2"].members) == set(after["P-Block-2"].members)
    assert set(after) == set(groups)
    assert [type(step) for step in plan.steps] == [AddMembers, RemoveMembers]
    assert plan.block.removed == ("8.8.8.4/32",)
    assert len(plan.block.added) == 2


def test_an_emptied_child_leaves_its_parent_before_it_is_deleted() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 7)))
    new = desire(hosts(3, 7))
    after, plan = carry_out(groups, new)
    check_done(after, new)
    assert plan.steps == (
        DetachChild(group="P-Block", child="P-Block-1"),
        DeleteGroup(group="P-Block-1"),
    )


def test_numbers_are_stable_and_holes_are_filled_again() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 7)))
    groups, _ = carry_out(groups, desire(hosts(3, 7)))
    after, _ = carry_out(groups, desire(hosts(3, 15)))
    assert sorted(after) == [
        "P-Allow",
        "P-Allow-1",
        *["P-Block", *[f"P-Block-{n}" for n in (1, 2, 3, 4)]],
    ]
    assert set(after["P-Block-2"].members) == set(groups["P-Block-2"].members)


def test_an_empty_list_stands_as_the_placeholder_and_back() -> None:
    full, empty = desire(hosts(0, 7), hosts(20, 21)), desire(hosts(0, 7))
    groups, _ = carry_out({}, empty)
    check_done(groups, empty)
    assert groups["P-Allow-1"].members == (PLACEHOLDER,)
    plan = make_plan(groups, full)
    assert plan.allow.before == 0
    assert plan.allow.added == ("8.8.8.40/32",)
    assert plan.allow.removed == ()
    groups, plan = carry_out(groups, full)
    check_done(groups, full)
    assert [type(step) for step in plan.steps] == [AddMembers, RemoveMembers]
    groups, plan = carry_out(groups, empty)
    check_done(groups, empty)
    assert plan.allow.after == 0
    assert plan.allow.added == ()


def test_the_placeholder_gives_way_to_a_list_of_the_other_family() -> None:
    groups, _ = carry_out({}, desire())
    new = desire(["2600::1"], ["2600::2"])
    after, _ = carry_out(groups, new)
    check_done(after, new)
    assert after["P-Block"].children == ("P-Block-2",)


def test_permits_come_before_denies_and_go_after_them() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 2), hosts(10, 12)))
    _, plan = carry_out(groups, desire(hosts(1, 3), hosts(11, 13)))
    assert [(type(step), step.group) for step in plan.steps] == [
        (AddMembers, "P-Allow-1"),
        (AddMembers, "P-Block-1"),
        (RemoveMembers, "P-Block-1"),
        (RemoveMembers, "P-Allow-1"),
    ]


def test_a_smaller_object_group_size_moves_only_what_is_over() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 9), size=9))
    new = desire(hosts(0, 9), size=6)
    after, plan = carry_out(groups, new)
    check_done(after, new)
    assert after["P-Block-1"].members == groups["P-Block-1"].members[:6]
    assert plan.estimate.sent == plan.estimate.removed == 3
    assert plan.block.added == plan.block.removed == ()


def test_a_one_percent_change_in_ten_children_costs_two_requests_for_each() -> None:
    old = [f"{a}.{b}.{c}.1/32" for a in (8, 9) for b in range(50) for c in range(10)]
    groups, _ = carry_out({}, desire(old, size=100), batch=100)
    new = desire([*old[5:], "11.0.0.1/32", "11.0.0.3/32", "11.0.0.5/32"], size=100)
    _, plan = carry_out(groups, new, batch=100)
    assert len(plan.steps) == 2
    spread = desire([*(c for n, c in enumerate(old) if n % 100), *hosts(0, 10, "11.0.0")], size=100)
    _, plan = carry_out(groups, spread, batch=100)
    assert plan.estimate.requests == 20
    assert (plan.estimate.sent, plan.estimate.removed) == (10, 10)


def test_too_long_names_are_refused_before_anything_starts() -> None:
    desired = evolve(desire(hosts(0, 120), size=1), prefix="x" * 56)
    with pytest.raises(TooManyChildren, match="raise Object-Group Size"):
        make_plan({}, desired)


def test_a_size_of_nothing_is_refused_instead_of_planned_for_ever() -> None:
    with pytest.raises(ValueError, match="size"):
        desire(hosts(0, 2), size=0)
    with pytest.raises(ValueError, match="most"):
        make_plan({}, desire(hosts(0, 2)), batch=0)


def test_a_mark_of_somebody_else_is_shown() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 2), mark="tscm other"))
    plan = make_plan(groups, desire(hosts(0, 2), mark="tscm test"))
    assert plan.other_mark == "tscm other"
    assert [type(step) for step in plan.steps] == [Describe, Describe]
    assert make_plan(groups, desire(hosts(0, 2), mark="tscm other")).other_mark == ""


# -- messy states -------------------------------------------------------------


def test_a_broken_off_first_load_is_taken_up_where_it_stopped() -> None:
    desired = desire(hosts(0, 7))
    half, plan = carry_out({}, desired, stop=4)
    assert "P-Block" not in half
    after, rest = carry_out(half, desired)
    check_done(after, desired)
    assert len(rest.steps) == len(plan.steps) - 4


def test_an_orphan_is_cleaned_before_it_is_nested() -> None:
    desired = desire(hosts(0, 3))
    groups, _ = carry_out({}, desire(hosts(9, 11)))
    groups["P-Block-2"] = Group(
        name="P-Block-2", members=(*map(Cidr, hosts(0, 2)), Cidr("9.9.9.9/32"))
    )
    after, _ = carry_out(groups, desired)
    check_done(after, desired)
    assert set(hosts(0, 2)) <= set(after["P-Block-2"].members)


def test_what_is_not_ours_keeps_a_child_in_its_parent_and_is_noted() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 4)))
    groups["P-Block-1"] = evolve(groups["P-Block-1"], foreign=2)
    new = desire(hosts(3, 4))
    after, plan = carry_out(groups, new)
    check_done(after, new)
    assert after["P-Block-1"] == Group(name="P-Block-1", foreign=2)
    assert after["P-Block"].children == ("P-Block-1", "P-Block-2")
    assert any("P-Block-1 contains 2 not managed by tscm" in note for note in plan.notes)


def test_a_child_that_somebody_else_uses_is_not_deleted() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 4)))
    groups["P-Custom"] = Group(name="P-Custom", children=("P-Block-2",))
    new = desire(hosts(0, 3))
    after, plan = carry_out(groups, new)
    check_done(after, new)
    assert after["P-Block"].children == ("P-Block-1",)
    assert "P-Block-2" in after
    assert any("P-Block-2 is also nested in P-Custom" in note for note in plan.notes)


def test_an_orphan_that_holds_what_is_not_ours_is_never_nested() -> None:
    groups, _ = carry_out({}, desire(hosts(9, 11)))
    groups["P-Block-2"] = Group(name="P-Block-2", members=tuple(map(Cidr, hosts(0, 3))), foreign=1)
    groups["P-Block-3"] = Group(
        name="P-Block-3", members=tuple(map(Cidr, hosts(3, 5))), children=("their-group",)
    )
    new = desire(hosts(0, 6))
    after, _ = carry_out(groups, new)
    check_done(after, new)
    assert after["P-Block-2"] == groups["P-Block-2"]
    assert after["P-Block-3"] == groups["P-Block-3"]


def test_references_to_children_that_are_gone_are_ours_and_leave() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 9)))
    del groups["P-Block-2"]  # which a device with `forward-reference enable` allows
    groups["P-Block-1"] = evolve(groups["P-Block-1"], children=("P-Block-44",))
    new = desire(hosts(0, 9))
    after, plan = carry_out(groups, new)
    check_done(after, new)
    assert after["P-Block"].children == ("P-Block-1", "P-Block-3", "P-Block-4")
    assert after["P-Block-1"].children == ()
    assert plan.notes == ()


@pytest.mark.parametrize("kind", ["Block", "Allow"])
def test_a_parent_that_is_gone_and_still_nested_does_not_come_into_force_there(kind: str) -> None:
    groups, _ = carry_out({}, desire(hosts(0, 5), hosts(20, 23)))
    other = "Allow" if kind == "Block" else "Block"
    del groups[f"P-{kind}"]
    parent = groups[f"P-{other}"]
    groups[parent.name] = evolve(parent, children=(*parent.children, f"P-{kind}"))
    new = desire(hosts(0, 5), hosts(20, 23))
    after, _ = carry_out(groups, new)
    check_done(after, new)


def test_names_that_something_else_has_are_left_out() -> None:
    new = desire(hosts(0, 9))
    plan = make_plan({}, new, taken={"P-Block-1", "P-Block-3"})
    made = [step.group for step in plan.steps if isinstance(step, CreateGroup)]
    assert made == ["P-Allow-1", "P-Allow", "P-Block-2", "P-Block-4", "P-Block-5", "P-Block"]


def test_a_child_nested_in_a_child_is_replaced() -> None:
    groups = {
        "P-Block": Group(name="P-Block", children=("P-Block-1",)),
        "P-Block-1": Group(
            name="P-Block-1", members=tuple(map(Cidr, hosts(10, 13))), children=("P-Block-2",)
        ),
        "P-Block-2": Group(name="P-Block-2", members=(Cidr("8.8.8.0/30"), *map(Cidr, hosts(5, 7)))),
    }
    new = desire([*hosts(10, 13), "8.8.8.2", *hosts(5, 7)])
    after, _ = carry_out(groups, new)
    check_done(after, new)
    assert "P-Block-2" not in after


@pytest.mark.parametrize(("outer", "inner"), [("Block", "Allow"), ("Allow", "Block")])
def test_a_parent_nested_below_the_other_is_put_right(outer: str, inner: str) -> None:
    groups, _ = carry_out({}, desire(hosts(0, 2), hosts(10, 12)))
    name = f"P-{outer}"
    groups[name] = evolve(groups[name], children=(*groups[name].children, f"P-{inner}"))
    new = desire(hosts(1, 3), hosts(11, 13))
    after, _ = carry_out(groups, new)
    check_done(after, new)


def test_a_child_shared_by_both_lists_is_replaced() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 2), hosts(10, 12)))
    groups["P-Allow"] = evolve(groups["P-Allow"], children=("P-Allow-1", "P-Block-1"))
    new = desire(hosts(0, 3), hosts(10, 13))
    after, _ = carry_out(groups, new)
    check_done(after, new)
    assert "P-Block-1" not in after


def test_members_put_into_a_parent_by_hand_move_into_a_child() -> None:
    flat = {
        "P-Block": Group(name="P-Block", members=tuple(map(Cidr, hosts(0, 3)))),
    }
    desired = desire(hosts(1, 5))
    after, _ = carry_out(flat, desired)
    check_done(after, desired)


v4_nets = st.builds(
    lambda a, n: str(Cidr(f"198.18.0.{a >> (32 - n) << (32 - n)}/{n}")),
    st.integers(0, 15),
    st.integers(28, 32),
)
v6_nets = st.builds(
    lambda a, n: CidrSet.of_texts([f"2600::{a:x}/{n}"]).cidrs()[0],
    st.integers(0, 7),
    st.integers(125, 128),
)
nets = st.one_of(v4_nets, v4_nets, v6_nets, st.just(str(PLACEHOLDER)))
net_lists = st.lists(nets, max_size=9)
NAMES = [
    *("P-Block", "P-Block-1", "P-Block-2", "P-Block-3", "P-Block-7"),
    *("P-Allow", "P-Allow-1", "P-Allow-2", "P-Custom", "P-Block-01", "P-Allow-x"),
]


@st.composite
def messy(draw: st.DrawFn) -> dict[str, Group]:
    """Whatever earlier runs and hands may have left, as far as a device lets it be."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]
    if draw(st.booleans()):
        names.sort(key=lambda name: (name not in {"P-Block", "P-Allow"}, name))
    groups: dict[str, Group] = {}
    # From the innermost outwards, so that there are no loops.
    for name in reversed(names):
        usable = [n for n, g in groups.items() if g.members or g.children or g.foreign]
        natural = [n for n in usable if n.startswith(f"{name}-") and is_ours(n)]
        parent = name in {"P-Block", "P-Allow"}
        children: list[str] = []
        if parent and natural:
            children = draw(st.lists(st.sampled_from(natural), unique=True))
        if usable and draw(st.integers(0, 4)) == 0:
            odd = draw(st.sampled_from([*usable, "their-group", "P-Block-77", "P-Allow-77"]))
            children += [odd] if odd not in children else []
        members: list[str] = []
        if not parent or draw(st.integers(0, 4)) == 0:
            members = draw(st.lists(nets, max_size=6, unique=True))
        groups[name] = Group(
            name=name,
            members=tuple(map(Cidr, members)),
            children=tuple(children),
            description=draw(st.sampled_from(["", "tscm test", "other"])),
            foreign=draw(st.sampled_from([0, 0, 0, 0, 1])),
        )
    return groups


rooms = st.sampled_from([None, 0, 100, 300])
desires = st.builds(desire, net_lists, net_lists, st.integers(1, 5))


@settings(deadline=None, max_examples=150)
@given(messy(), desires, st.integers(1, 4), rooms)
def test_from_any_state_protection_never_dips_and_the_end_is_reached(
    present: dict[str, Group], desired: Desired, batch: int, room: int | None
) -> None:
    after, plan = carry_out(present, desired, batch, room=room)
    check_done(after, desired)
    assert plan.estimate.requests == len(plan.steps)


@settings(deadline=None, max_examples=100)
@given(messy(), desires, desires, st.integers(1, 3), st.data())
def test_a_run_may_break_off_anywhere_and_the_next_one_converges(
    present: dict[str, Group],
    first: Desired,
    second: Desired,
    batch: int,
    data: st.DataObject,
) -> None:
    room = data.draw(rooms)
    steps = len(make_plan(present, first, batch=batch, room=room).steps)
    stop = data.draw(st.integers(0, steps))
    half, _ = carry_out(present, first, batch, stop, room)
    after, _ = carry_out(half, second, batch)
    check_done(after, second)


@settings(deadline=None, max_examples=100)
@given(desires, net_lists, net_lists, rooms)
def test_between_tidy_states_only_the_difference_is_sent(
    first: Desired, block: list[str], allow: list[str], room: int | None
) -> None:
    groups, _ = carry_out({}, first)
    second = desire(block, allow, first.size)
    after, plan = carry_out(groups, second, room=room)
    check_done(after, second)
    new = [*wanted(second.block), *wanted(second.allow)]
    sent = gone = 0
    for kind, cidrs in (("Block", wanted(second.block)), ("Allow", wanted(second.allow))):
        old = in_force(groups, kind)
        sent += len(set(cidrs) - old)
        gone += len(old - set(cidrs))
    assert len(new) >= sent == plan.estimate.sent
    assert plan.estimate.removed <= gone


@settings(deadline=None, max_examples=100)
@given(messy(), desires)
def test_the_estimate_is_the_size_of_what_the_device_prints(
    present: dict[str, Group], desired: Desired
) -> None:
    after, plan = carry_out(present, desired)
    before = {n: g for n, g in present.items() if is_ours(n)}
    ours = {n: g for n, g in after.items() if is_ours(n)}
    assert plan.estimate.bytes_before == len(printed(before))
    assert plan.estimate.bytes_after == len(printed(ours))
    assert plan.estimate.bytes_peak >= max(plan.estimate.bytes_before, plan.estimate.bytes_after)


def printed(groups: Mapping[str, Group]) -> str:
    """The groups as a running configuration has them."""
    import ipaddress

    lines = []
    for group in groups.values():
        lines.append(f"object-group network {group.name}")
        if group.description:
            lines.append(f" description {group.description}")
        for member in group.members:
            net = ipaddress.ip_network(member)
            if net.prefixlen == net.max_prefixlen:
                lines.append(f" network-object host {net.network_address}")
            elif net.version == 4:
                lines.append(f" network-object {net.network_address} {net.netmask}")
            else:
                lines.append(f" network-object {net}")
        lines.extend(f" group-object {child}" for child in group.children)
    return "".join(f"{line}\n" for line in lines)


def test_a_plan_over_the_budget_says_so_beforehand() -> None:
    plan = make_plan({}, desire(hosts(0, 100), size=100))
    assert plan.estimate.over(10_000) is None
    assert "lower Max Policy Size" in (plan.estimate.over(1_000) or "")
    assert "lower Max Policy Size" in (plan.estimate.over(10_000, 9_000) or "")
    groups, _ = carry_out({}, desire(hosts(0, 100), size=100))
    turnover = make_plan(groups, desire(hosts(0, 100, "9.9.9"), size=100)).estimate
    assert turnover.bytes_after < turnover.bytes_peak
    assert "temporarily reach" in (turnover.over(turnover.bytes_peak - 1) or "")


def test_where_adding_first_would_burst_the_device_what_is_lost_leaves_first() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 100), size=30))
    turnover = desire([*hosts(0, 2), *hosts(0, 98, "9.9.9")], size=30)
    usual = make_plan(groups, turnover).estimate
    after, plan = carry_out(groups, turnover, room=usual.bytes_before)
    check_done(after, turnover)
    assert plan.estimate.bytes_peak < usual.bytes_before + 100 < usual.bytes_peak
    halfway = make_plan(groups, turnover, room=usual.bytes_before + 1000).estimate
    assert usual.bytes_before + 900 < halfway.bytes_peak <= usual.bytes_before + 1000
    roomy = make_plan(groups, turnover, room=usual.bytes_peak)
    assert roomy.estimate == usual


def test_to_make_room_no_child_leaves_that_brings_in_what_stays() -> None:
    groups = {
        "P-Block": Group(name="P-Block", children=("P-Block-1", "P-Block-2")),
        "P-Block-1": Group(
            name="P-Block-1", members=(Cidr("7.7.7.7/32"),), children=("P-Block-3",)
        ),
        "P-Block-2": Group(name="P-Block-2", members=(Cidr("8.8.8.2/32"),)),
        "P-Block-3": Group(name="P-Block-3", members=(Cidr("9.9.9.9/32"),)),
    }
    new = desire(["8.8.8.2", "9.9.9.9"])
    after, _ = carry_out(groups, new, room=0)
    check_done(after, new)


def test_in_a_full_turnover_no_child_is_emptied_to_make_room() -> None:
    groups, _ = carry_out({}, desire(hosts(0, 60), size=30))
    turnover = desire(hosts(0, 60, "9.9.9"), size=30)
    after, plan = carry_out(groups, turnover, room=0)
    check_done(after, turnover)
    assert set(after) == set(groups)
    assert plan.estimate.bytes_peak < plan.estimate.bytes_before + 100


def test_a_first_load_begins_with_little() -> None:
    nets = [f"8.{n >> 8}.{n & 255}.1" for n in range(2000)]
    groups, plan = carry_out({}, desire(nets, size=2000))
    sizes = [
        len(step.members)
        for step in plan.steps
        if isinstance(step, CreateGroup | AddMembers) and "P-Block-" in step.group
    ]
    assert sizes == [200, 400, 800, 600]
    again = desire([f"9.{n >> 8}.{n & 255}.1" for n in range(900)], size=2000)
    _, plan = carry_out(groups, again)
    assert [len(s.members) for s in plan.steps if isinstance(s, AddMembers)] == [900]


def test_a_load_of_more_than_there_was_begins_with_little_too() -> None:
    groups, _ = carry_out({}, desire([f"8.0.{n}.1" for n in range(200)], size=2000))
    nets = [f"9.{n >> 8}.{n & 255}.1" for n in range(1000)]
    _, plan = carry_out(groups, desire(nets, size=2000))
    assert [len(s.members) for s in plan.steps if isinstance(s, AddMembers)] == [100, 200, 400, 300]


# -- a device that bears few members a group ----------------------------------


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 12))
def test_the_smallest_size_is_the_first_that_fits(v4: int, v6: int, limit: int) -> None:
    fits = [size for size in range(1, limit + 1) if children_needed(v4, v6, size) <= limit]
    assert smallest_size(v4, v6, limit) == (fits[0] if fits else None)
    enough = size_for(v4 + v6, limit)
    assert enough is None or children_needed(v4, v6, enough) <= limit, "for any mixture"


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), unique=True), min_size=1, max_size=5),
    st.lists(st.integers(0, 6), unique=True),
    st.integers(1, 7),
    st.integers(2, 7),
)
def test_no_group_ever_holds_more_than_the_device_bears(
    lists: list[list[int]], v6: list[int], size: int, limit: int
) -> None:
    groups: dict[str, Group] = {}
    for numbers in lists:
        texts = [f"8.8.8.{2 * n}/32" for n in numbers] + [f"2600::{2 * n}" for n in v6]
        desired = evolve(desire(texts, size=size), limit=limit)
        try:
            plan = make_plan(groups, desired)
        except GroupsFull:
            continue
        device = StrictDevice(dict(groups))
        for step in plan.steps:
            device.apply(step)
            held = [len(one.members) + len(one.children) for one in device.groups.values()]
            assert max(held) <= limit
        groups = device.groups
        assert make_plan(groups, desired).steps == ()
        block = [one for one in in_force(groups, "Block") if one != PLACEHOLDER]
        assert sorted(block) == sorted(desired.block.cidrs())


def test_children_are_enlarged_where_their_parent_would_be_full() -> None:
    entries = hosts(0, 100)
    groups = {}
    for number in range(10):  # a run that broke off at a full parent: 20 more are nested nowhere
        name = f"{PREFIX}-Block-{number + 1}"
        groups[name] = Group(
            name=name, members=tuple(map(Cidr, entries[3 * number : 3 * number + 3]))
        )
    parent = f"{PREFIX}-Block"
    nested = tuple(f"{parent}-{number + 1}" for number in range(5))
    groups[parent] = Group(name=parent, children=nested, description="tscm test")
    desired = evolve(desire(entries, size=3), limit=10, enough=10)
    with pytest.raises(GroupsFull, match="would hold 11 members"):
        make_plan(groups, evolve(desire(hosts(0, 101), size=3), limit=10))
    device = StrictDevice(groups)
    plan = make_plan(groups, desired)
    for step in plan.steps:
        device.apply(step)
    assert plan.sizes == {"Block": 10, "Allow": 3}
    assert len(device.groups[parent].children) == 10
    assert sorted(in_force(device.groups, "Block")) == sorted(map(Cidr, entries))
