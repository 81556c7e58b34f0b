"""
What the doctor asks of a kind: to look at its device, and to judge what was seen.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from attrs import frozen

from tscm.doctor.finding import Finding
from tscm.kinds.driver import Driver
from tscm.kinds.kind import kind_of, loaded
from tscm.model import Report
from tscm.settings.device import DeviceSettings

Opener = Callable[[], Driver]


@frozen(kw_only=True)
class Collector:
    """
    Where this manager can be reached: its *addresses*, and ports by protocol (`udp`, `tcp`, `tls`).

    *hears* says that lines of the device have come lately, whatever its configuration says.
    """

    addresses: frozenset[str]
    ports: Mapping[str, Sequence[int]]
    hears: bool = False


@frozen(kw_only=True)
class Heard:
    """
    What the event reader knows of a device.

    *awaited*: a line about the address that was asked about followed.  *hits*: what the lists did in the last day (None:
    not known).  *counted*: the event reader works; *fault*: else what it says itself.
    """

    awaited: bool = False
    hits: int | None = None
    counted: bool = True
    fault: str | None = None


class FirewallLook(ABC):
    """
    What was seen of one device, as far as it went.
    """

    @property
    def refused(self) -> bool:
        """Was the password rejected?"""
        return False

    @property
    def awaited(self) -> str | None:
        """An address about which the device may send a line now."""
        return None

    @abstractmethod
    def judge(self, collector: Collector) -> list[Finding]:
        """The way to the device, and what it says of itself.  Pure."""

    @abstractmethod
    def judge_effect(self, heard: Heard) -> list[Finding]:
        """Whether what the lists block is blocked, and comes back as an event.  Pure."""


class Look(Protocol):
    """How a kind's device is looked at."""

    def __call__(
        self,
        settings: DeviceSettings,
        opener: Opener,
        now: Callable[[], float],
        report: Report,
        /,
        *,
        resting: str | None = None,
    ) -> FirewallLook:
        """
        One session with the device, which changes nothing; *resting* says why there is none.

        Blocking; a fault of the device ends the look and is part of it.
        """


def look_of(settings: DeviceSettings) -> Look:
    """How the device's kind has it looked at."""
    look: Look = loaded(kind_of(settings).doctor)
    return look
