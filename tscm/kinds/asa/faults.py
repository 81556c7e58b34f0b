"""
What can go wrong with an ASA beside what can with any device (`tscm.kinds.faults`), and how its agent is revived.
"""

from collections.abc import Iterable

from tscm.errors import DeviceFault
from tscm.kinds.asa.groups import children_among, parent_name

REVIVE = (
    "enter `no rest-api agent`, then `rest-api agent` on the device; if that does not help, lower "
    "Max Policy Size{children} and run `tsadmin update {name}`"
)
_UNKNOWN = (
    "`show running-config object-group | include {prefix}-Block-` lists them; with the highest number for NUMBER: "
    "{lines}"
)
_CHILDREN_NAMED = 2


def revive(name: str, prefix: str, groups: Iterable[str] = ()) -> str:
    """
    How an agent that answers 500 is brought back (docs/develop/reference.md, section 4).

    *groups* are the names that are known to be on the device.  The last child is never named: the
    device refuses a parent that would become empty.
    """
    known = children_among(prefix, "Block", groups)
    lines = [_taken_off(prefix, child) for child in reversed(known[1:][-_CHILDREN_NAMED:])]
    if lines:
        how = f", delete the highest children by hand ({'; '.join(lines)})"
    elif known:
        how = ""
    else:
        child = f"{parent_name(prefix, 'Block')}-NUMBER"
        look = _UNKNOWN.format(prefix=prefix, lines=_taken_off(prefix, child))
        how = f", delete the highest children by hand ({look})"
    return REVIVE.format(name=name, children=how)


def highest_children(prefix: str, groups: Iterable[str]) -> tuple[str, ...]:
    """Those of *groups* that `revive` has to know."""
    return tuple(children_among(prefix, "Block", groups)[-_CHILDREN_NAMED - 1 :])


def _taken_off(prefix: str, child: str) -> str:
    parent = parent_name(prefix, "Block")
    return (
        f"`object-group network {parent}`, `no group-object {child}`, "
        f"`no object-group network {child}`"
    )


class UnitOnStandby(DeviceFault):
    """
    The address leads to a unit whose changes reach no other unit and make a pair diverge.
    """


class Replicating(DeviceFault):
    """
    The mate of a failover pair is taking the whole configuration: what is changed now may not reach it.
    """

    def __init__(self, device: str) -> None:
        super().__init__(
            device,
            (
                "it is replicating its configuration to its failover peer, which may miss "
                "changes made now"
            ),
            "wait until `show failover` shows the other unit as Standby Ready",
            retry=True,
        )
