"""
From what a device holds and what it should hold to ordered steps.

Adding comes before removing, children before parents, and what leaves a parent is deleted
last.  So at every point between two steps the groups of each list hold at least what old and new
list have in common and at most both together, and no parent is ever empty: a run may break off
anywhere, and the next one plans again from what is there.

A plan is data and nothing else: it can be shown, kept and compared.  Sending it is the work of
a driver.

An empty list stands as one child with `PLACEHOLDER`.  In these rules the placeholder is an entry
like any other: it is added before the last real entry goes, and goes after the first one came.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import field, frozen
from attrs.validators import ge

from tscm.kinds.asa.capacity import GroupsFull, children_needed, smallest_size
from tscm.kinds.asa.config_size import Estimate, estimate
from tscm.kinds.asa.driver import DeleteGroup, Group, Step
from tscm.kinds.asa.groups import KINDS, Present, is_v6, parent_name
from tscm.kinds.asa.placing import Child, held_at_most, place, shared
from tscm.kinds.asa.stages import Portions, Work, memory_bounded_order, order
from tscm.model import Cidr
from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER

BATCH = 1000
FIRST_PORTION = 100


@frozen(kw_only=True)
class Desired:
    """
    What a device should hold: both lists after merging and cutting.

    *size* is the Object-Group Size; *mark* the description that our parents bear.  *limit* is how many
    members the device was seen to take in a group: children hold no more, and their size is raised where the parent
    could not hold all of them, at least to *enough*, so that it need not change with each list.
    """

    prefix: str
    block: CidrSet
    allow: CidrSet
    size: int = field(validator=ge(1))
    mark: str = ""
    limit: int | None = None
    enough: int = 1


@frozen(kw_only=True)
class ListChange:
    """
    One list before and after, as entries in force; the placeholder is no entry.
    """

    kind: str
    before: int
    after: int
    added: tuple[Cidr, ...]
    removed: tuple[Cidr, ...]

    def __str__(self) -> str:
        change = f"+{len(self.added):,} -{len(self.removed):,}"
        return f"{self.kind.lower()} {many(self.after, 'entry', 'entries')} ({change})"


@frozen(kw_only=True)
class Plan:
    """
    What will be done, in this order, and what it comes to.

    *notes* are sentences for the operator: what was found on the device that is not ours to touch.
    *other_mark* is a description on our parents that is not this manager's, else empty.  *sizes* are those of
    children by kind: the wished one, or another where the device's limit of members a group asks for it.
    """

    steps: tuple[Step, ...]
    block: ListChange
    allow: ListChange
    estimate: Estimate
    notes: tuple[str, ...] = ()
    other_mark: str = ""
    sizes: Mapping[str, int] = field(factory=dict)

    @property
    def summary(self) -> str:
        """The plan in one line."""
        if not self.steps:
            return f"nothing to change: {self.block}, {self.allow}"
        cost = self.estimate
        return (
            f"{self.block}, {self.allow}; {many(cost.requests, 'request', 'requests')}; groups "
            f"{cost.bytes_before:,} bytes before, {cost.bytes_after:,} after"
        )


def make_plan(
    present: Mapping[str, Group],
    desired: Desired,
    *,
    batch: int = BATCH,
    room: int | None = None,
    taken: Collection[str] = (),
) -> Plan:
    """
    The steps from *present* to *desired*, at most *batch* members in each.

    *present* holds all groups of the prefix by name, in whatever state an earlier run or a hand left
    them.  The same call on the result gives no steps.

    *taken* are names that something else on the device has; no child gets one of them.

    *room* is the number of bytes that the device has for our groups.  When the usual order would pass
    through more, entries that are in no way in the new list leave as soon as room is wanted.

    Raises `GroupsFull` where the device's limit of members a group leaves no way.
    """
    found = Present.of(desired.prefix, present)
    placeholder = CidrSet.of_texts((PLACEHOLDER,))
    new = {"Block": desired.block or placeholder, "Allow": desired.allow or placeholder}
    wanted = {kind: one.cidrs() for kind, one in new.items()}
    changes = {kind: _change(found, kind, wanted[kind]) for kind in KINDS}
    # As at a first load: it is not known yet whether the agent bears so much.
    more_than_doubles = sum(len(one.added) for one in changes.values()) > sum(
        one.before for one in changes.values()
    )

    sizes: dict[str, int] = {}

    def works() -> dict[str, Work]:
        portions = Portions(batch, FIRST_PORTION if more_than_doubles else None)
        made = {}
        for kind in KINDS:
            sizes[kind], children = _placed(found, kind, wanted[kind], desired, frozenset(taken))
            made[kind] = Work(found, kind, children, desired.mark, portions)
        return made

    ours = [found.groups[name] for name in found.places]
    steps = order(found, works())
    cost = estimate(ours, steps)
    if room is not None and cost.bytes_peak > max(room, cost.bytes_after):
        steps = memory_bounded_order(found, works(), new, room)
        cost = estimate(ours, steps)
    return Plan(
        steps=tuple(steps),
        block=changes["Block"],
        allow=changes["Allow"],
        estimate=cost,
        notes=tuple(_notes(found, steps)),
        sizes=sizes,
        other_mark=_other_mark(found, desired.mark),
    )


def _placed(
    present: Present,
    kind: str,
    wanted: Sequence[Cidr],
    desired: Desired,
    taken: frozenset[str],
) -> tuple[int, list[Child]]:
    """
    The size of children and the children: as wished, or as large as the device's limit asks for.

    Raises `GroupsFull`.
    """
    avoid, limit = shared(present, kind), desired.limit
    size = desired.size if limit is None else min(desired.size, limit)
    found = place(present, kind, wanted, size, avoid, taken=taken, limit=limit)
    if limit is None or held_at_most(present, kind, found) <= limit:
        return size, found
    v6 = sum(map(is_v6, wanted))
    smallest = smallest_size(len(wanted) - v6, v6, limit)
    if smallest is None:
        needed = children_needed(len(wanted) - v6, v6, limit)
        raise GroupsFull(parent_name(present.prefix, kind), needed, limit)
    parent = present.parent(kind)
    nested = set(parent.children) if parent else set()
    # What a run left that was interrupted is not nested as well: larger children take its entries.
    avoid |= {group.name for group in present.children(kind)} - nested
    for larger in (min(limit, max(size, smallest, desired.enough)), limit):
        found = place(present, kind, wanted, larger, avoid, taken=taken, limit=limit)
        if held_at_most(present, kind, found) <= limit:
            return larger, found
    raise GroupsFull(parent_name(present.prefix, kind), held_at_most(present, kind, found), limit)


def _change(present: Present, kind: str, wanted: Sequence[Cidr]) -> ListChange:
    before, after = (
        {} if list(found) == [PLACEHOLDER] else found
        for found in (dict.fromkeys(present.in_force(kind)), dict.fromkeys(wanted))
    )
    return ListChange(
        kind=kind,
        before=len(before),
        after=len(after),
        added=tuple(cidr for cidr in after if cidr not in before),
        removed=tuple(cidr for cidr in before if cidr not in after),
    )


def _notes(present: Present, steps: Sequence[Step]) -> Iterator[str]:
    deleted = {step.group for step in steps if isinstance(step, DeleteGroup)}
    for name in sorted(present.places):
        group = present.groups[name]
        strangers = present.strangers(group)
        if strangers:
            yield (
                f"{name} contains {strangers} not managed by tscm (objects, ranges or groups); "
                "they are left unchanged"
            )
        users = [user for user in present.users(name) if user not in present.places]
        if users and name not in deleted:
            yield f"{name} is also nested in {', '.join(users)}"


def _other_mark(present: Present, mark: str) -> str:
    for kind in KINDS:
        parent = present.parent(kind)
        if parent is not None and parent.description not in {"", mark}:
            return parent.description
    return ""
