"""
Parents that a device had and has no more: no access-list can use what is not there.

So it is another device, or an operator took the lines away first; that our groups are made again protects
nothing until an access-list uses them.  Pure.
"""

from collections.abc import Collection, Mapping, Sequence

from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.enforcing import groups_in_use
from tscm.kinds.asa.groups import KINDS, parent_name
from tscm.kinds.asa.lines import access_list_lines
from tscm.kinds.asa.running import read_running


def absent_parents(prefix: str, groups: Mapping[str, Group]) -> list[str]:
    """Those that are not among *groups*."""
    return [name for kind in KINDS if (name := parent_name(prefix, kind)) not in groups]


def still_unused(running_config: str, prefix: str, unused: Collection[str]) -> tuple[str, ...]:
    """Those of *unused* that no access-list in force names."""
    used = groups_in_use(read_running(running_config), prefix)
    return tuple(one for one in unused if one not in used)


def not_in_use(prefix: str, unused: Sequence[str]) -> tuple[str, ...]:
    """That parents made again do nothing yet, with what is to be typed; nothing where none is such."""
    if not unused:
        return ()
    names = " and ".join(unused)
    lines = access_list_lines(parent_name(prefix, "Block"), parent_name(prefix, "Allow"))
    wanted = [line for line in lines if any(line.split().count(one) for one in unused)]
    made = (
        "were no longer on the device and are"
        if len(unused) > 1
        else "was no longer on the device and is"
    )
    effect = (
        "nothing is blocked" if parent_name(prefix, "Block") in unused else "it permits nothing"
    )
    warning = (
        f"{names} {made} created again: no access-list uses what was missing, so "
        f"{effect} until these lines are entered and bound: {'; '.join(wanted)}"
    )
    return (warning,)
