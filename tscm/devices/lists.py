"""
What the guard will say of a list at its first update, told before the list is chosen.

Blocking, for a thread: the files of known networks are read.
"""

from collections.abc import Iterator

from tscm.errors import TscmError
from tscm.plural import many
from tscm.policy.guard import compare, inspect
from tscm.policy.lists import PolicyList
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.update.rules import known_rules, rules_of


def remarks(
    found: PolicyList,
    kind: str,
    settings: DeviceSettings,
    node: NodeSettings,
    known: tuple[str, PolicyList] | None = None,
) -> Iterator[str]:
    """
    Whether an update would refuse *found*, a block or allow list, and how much of it is left out: a sentence each.

    *known* is the last good list of that name, and the device that has it.  An update compares with the device's own;
    where there is none nothing measures the first one, so what is unlike another device's is told.  Judged
    without the addresses of hosts that are known by name only: those an update looks up.
    """
    try:
        rules, _ = known_rules(settings, node, {}, ())
    except TscmError as error:  # a file of networks, which no update does without
        yield f"No update can use list {found.name}: {error}"
        return
    if kind == "allow":
        rules = rules.for_allow_list()
    its_rules = rules_of(node, found.name, rules)
    theirs, last = known or ("", None)
    own = last if theirs == settings.name else None
    risks = compare(own, found, its_rules)
    if risks:
        options = " ".join(dict.fromkeys(one.option for one in risks))
        yield (
            f"The next update will reject the {kind} list: "
            f"{'; '.join(one.sentence for one in risks)}; correct the list or choose "
            f"another one, or if this is intended, `tsadmin update {settings.name} "
            f"{options}`"
        )
    if own is None and last is not None:
        unlike = [one for one in compare(last, found, its_rules) if one not in risks]
        if unlike:
            yield (
                f"The last good {kind} list of {theirs} was another one: {'; '.join(one.sentence for one in unlike)}; the "
                f"first update of {settings.name} has no list of its own to compare with and pushes it, so look at the "
                f"list before"
            )
    guarded = inspect(found, rules)
    if guarded.left_out_count:
        left = many(guarded.left_out_count, "entry", "entries")
        causes = "; ".join(f"{cause} ({count:,})" for cause, count in guarded.counts.items())
        yield f"{left} of list {found.name} will be excluded: {causes}"
