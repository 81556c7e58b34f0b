"""
Which entries of access-lists let our groups do their work.  Pure.
"""

from tscm.kinds.asa.access_lists import Entry
from tscm.kinds.asa.groups import KINDS, parent_name
from tscm.kinds.asa.running import RunningConfig

ACTIONS = {"Block": "deny", "Allow": "permit"}


def entries_in_force(config: RunningConfig, prefix: str, kind: str) -> list[Entry]:
    """
    Entries that let *kind*'s group do its work: its action, active, in a list that is bound.
    """
    group = parent_name(prefix, kind)
    return [
        entry
        for entry in config.using(group)
        if entry.action == ACTIONS[kind]
        and not (entry.inactive or entry.timed)
        and config.bound(entry.access_list)
    ]


def groups_in_use(config: RunningConfig, prefix: str) -> set[str]:
    """Our parents that such an entry names."""
    return {parent_name(prefix, kind) for kind in KINDS if entries_in_force(config, prefix, kind)}
