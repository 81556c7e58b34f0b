"""
Steps of a plan as lines of configuration.  Pure.

A `Block` is what is typed below one line, such as `object-group network NAME`, and is left by `exit`: so it shows in
the prompt whether the lines below were taken by the group that they are for.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from attrs import frozen

from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    RemoveMembers,
    Step,
)
from tscm.model import Cidr


@frozen
class Block:
    """
    *lines* below *header*; without a header they stand in plain configuration mode.
    """

    header: str
    lines: tuple[str, ...]


def member_line(cidr: Cidr) -> str:
    """One network as a member, as an ASA writes it."""
    address, _, length = cidr.partition("/")
    if ":" in address:
        return f"network-object {'host ' + address if length == '128' else cidr}"
    if length == "32":
        return f"network-object host {address}"
    mask = ipaddress.IPv4Network(f"0.0.0.0/{length}").netmask
    return f"network-object {address} {mask}"


def blocks(steps: Sequence[Step]) -> Iterator[Block]:
    """What to type for *steps*, in their order."""
    for step in steps:
        if isinstance(step, DeleteGroup):
            block = Block("", (f"no object-group network {step.group}",))
        else:
            block = Block(f"object-group network {step.group}", tuple(_below(step)))
        for line in (block.header, *block.lines):
            # `?` asks for help at once, and a control character can end the line.
            if not line.isprintable() or "?" in line:
                raise ValueError(f"{line!r} cannot be typed")
        yield block


def _below(step: Step) -> Iterator[str]:
    match step:
        case CreateGroup():
            if step.description:
                yield f"description {step.description}"
            yield from map(member_line, step.members)
            yield from (f"group-object {child}" for child in step.children)
        case AddMembers():
            yield from map(member_line, step.members)
        case RemoveMembers():
            yield from (f"no {member_line(one)}" for one in step.members)
        case AttachChildren():
            yield from (f"group-object {child}" for child in step.children)
        case DetachChild():
            yield f"no group-object {step.child}"
        case Describe():
            yield f"description {step.description}" if step.description else "no description"
