"""
An ASA's object-groups as values, the steps that change them, and what a driver does with those.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, cast

from attrs import frozen

from tscm.kinds.driver import Driver
from tscm.model import Cidr


@frozen(kw_only=True)
class Group:
    """
    A network object-group as the device holds it.

    *members* are addresses and networks, *children* names of nested groups, in
    the device's order; *foreign* counts members of other kinds (objects, ranges), which
    are never touched.
    """

    name: str
    members: tuple[Cidr, ...] = ()
    children: tuple[str, ...] = ()
    description: str = ""
    foreign: int = 0


@frozen(kw_only=True)
class Configuration:
    """
    A running configuration: *size* of the whole in bytes, and the lines of it that are asked for.
    """

    size: int = 0
    text: str = ""


@frozen(kw_only=True)
class CreateGroup:
    """Make a group with *members* or *children*, never empty."""

    group: str
    members: tuple[Cidr, ...] = ()
    children: tuple[str, ...] = ()
    description: str = ""


@frozen(kw_only=True)
class AddMembers:
    """Add *members* to a group that exists."""

    group: str
    members: tuple[Cidr, ...]


@frozen(kw_only=True)
class RemoveMembers:
    """Take *members* out of a group; never all that it holds."""

    group: str
    members: tuple[Cidr, ...]


@frozen(kw_only=True)
class AttachChildren:
    """Nest *children* in *group*."""

    group: str
    children: tuple[str, ...]


@frozen(kw_only=True)
class DetachChild:
    """Take *child* out of *group*, which keeps at least one other."""

    group: str
    child: str


@frozen(kw_only=True)
class DeleteGroup:
    """Delete a group that nothing uses any more."""

    group: str


@frozen(kw_only=True)
class Describe:
    """Set a group's description (the ownership mark)."""

    group: str
    description: str


Step = (
    CreateGroup | AddMembers | RemoveMembers | AttachChildren | DetachChild | DeleteGroup | Describe
)


class AsaDriver(Driver, Protocol):
    """
    A way to read and change the object-groups of one device.

    Blocking, for one thread at a time, with one request in flight.  Every method
    raises `DeviceFault`.  No word of any transport stands in this protocol.
    """

    @property
    def told(self) -> Collection[str]:
        """What the device warned of when it was changed, each once, in words that can be quoted."""

    def read_groups(self, prefix: str) -> Mapping[str, Group]:
        """All groups whose name starts with *prefix* and `-`, by name."""

    def apply(self, step: Step) -> None:
        """
        Carry out one step.  After a fault it may or may not have taken effect: read again.
        """

    def portions(self, steps: Sequence[Step]) -> Sequence[Sequence[Step]]:
        """
        *steps*, in order, in the portions that this driver carries out at once.
        """

    def apply_all(self, steps: Sequence[Step]) -> None:
        """
        Carry out one portion, in order.  After a fault any part of it may have taken effect.
        """

    def running_config(self, prefix: str) -> Configuration:
        """The running configuration, as far as it is about groups of *prefix*, interfaces and logging."""

    def look(self, command: str) -> str:
        """What the device prints on *command*, which is one that changes nothing."""

    def save(self) -> None:
        """Make the running configuration the one that is loaded at start."""


def asa_driver(driver: Driver) -> AsaDriver:
    """*driver* of a device whose kind is one of the ASA's."""
    return cast("AsaDriver", driver)


def layout_digest(groups: Mapping[str, Group]) -> str:
    """One text for a set of groups, whatever order the device lists members in."""
    digest = hashlib.sha256()
    for name in sorted(groups):
        group = groups[name]
        for part in (name, group.description, str(group.foreign)):
            digest.update(part.encode() + b"\0")
        for part in (*sorted(group.children), "", *sorted(group.members), ""):
            digest.update(part.encode() + b"\n")
    return digest.hexdigest()
