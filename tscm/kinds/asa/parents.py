"""
Parents that a device has not yet, or had and has no more: no access-list can use what is not there.

Where they are gone it is another device, or an operator took the lines away first.  That our groups are made
protects nothing until an access-list uses them.  Pure.
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


def not_in_use(prefix: str, unused: Sequence[str], *, new: bool) -> tuple[str, ...]:
    """
    That parents do nothing yet, with the lines to enter; nothing where none is such.

    *new* ones were made for the first time, others again.
    """
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
    cause = (
        f"no access-list uses {names} yet"
        if new
        else f"{names} {made} created again: no access-list uses what was missing"
    )
    return (f"{cause}, so {effect} until these lines are entered and bound: {'; '.join(wanted)}",)
