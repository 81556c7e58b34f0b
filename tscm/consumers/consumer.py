"""
A consumer of the logs: what it wants of a device's settings, and how it is made.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen

from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings

Means = TypeVar("Means")


class ReaderService(Protocol):
    """
    The service of one reader: a Twisted service that says when it stands otherwise.
    """

    @property
    def stamp(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as failures and last error stay."""

    def startService(self) -> Any:
        """Begin to read."""

    def stopService(self) -> Any:
        """Stop reading; a Deferred that fires when nothing is in progress, or None."""


@frozen(kw_only=True)
class Wanted:
    """
    A reader of a device's log that its settings ask for.

    *user* is who uses it, as tables show it.  *setup* is what its service is made of: a service goes on for
    as long as that stays equal; None: nothing reads at present, and its backlog is kept.  A reader whose
    *place* differs has another target.
    """

    user: str
    setup: object
    place: object = None


@frozen(kw_only=True)
class Consumer(Generic[Means]):
    """
    One sort of reader that every device's log may have.
    """

    name: str
    owns: Callable[[str], bool]
    """Is this the name of a reader of this consumer?"""
    wants: Callable[[DeviceSettings, NodeSettings], Mapping[str, Wanted]]
    """The readers that the settings of a device and of the manager ask for, by name."""
    make: Callable[[Means, DeviceSettings, str], ReaderService] | None = None
    """The service of the reader of that name.  None: one service of the manager's follows all devices."""
