"""
What an update is given: settings, what is known, and the ways to the outside.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from tscm.kinds.driver import Driver
from tscm.model import Json
from tscm.policy.by_hand import HandEntry
from tscm.risks import NOTHING, Consent
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.store.generations import Generation, StoredList
from tscm.update.lookups import LookUp

if TYPE_CHECKING:  # they bring numpy and dnspython, which a manager needs at its first update
    from tscm.policy.lists import PolicyList
    from tscm.policy.rank import Hits
    from tscm.retrieve.sources import ListSource
    from tscm.update.known_name import KnownName

MAX_FAILURES = 5
"""At the fifth failure a run stops and says what to do (docs/develop/reference.md, section 7)."""


class Fetch(Protocol):
    """`retrieve.sources.fetch_list`, or its twin in a test."""

    def __call__(
        self, source: "ListSource", known: "PolicyList | None", now: float, /
    ) -> "PolicyList | None":
        """The list, None when unchanged since *known*; raises `ListUnavailable`."""


AskedAt = Callable[["ListSource"], float | None]
"""When a feed's publisher last confirmed its list; None where that is not known, or no feed."""


@frozen(kw_only=True)
class Seen:
    """
    What was seen of a firewall: its *serials*, and *layout*, the digest of our groups there.
    """

    serials: Collection[str]
    layout: str


Stored = Callable[[], Collection[str] | None]
"""Names of the devices that have a file; None where that is unknown."""
Claimed = Callable[[DeviceSettings, Seen, LookUp], tuple[str, str] | None]
"""Another device that is the firewall which was seen, with the same prefix, and by what that is known.  Blocks."""


def nobody_knows() -> None:
    """For who has no folder of settings."""
    return


def unclaimed(_: DeviceSettings, __: Seen, ___: LookUp, /) -> None:
    """Where there is no other device."""


def never_asked(_: "ListSource", /) -> float | None:
    """For lists that are asked for at each fetch."""
    return None


class Opener(Protocol):
    """`Kind.connect` of the device's kind, or its twin in a test."""

    def __call__(
        self,
        settings: DeviceSettings,
        node: NodeSettings,
        learnt: Mapping[str, Any],
        /,
        *,
        accept_certificate: str | None,
    ) -> Driver:
        """A driver for the device, which connects with its first call."""


@frozen(kw_only=True)
class UpdateJob:
    """
    One update of one device.

    *known* are the last good lists by name, *applied* what the device was last made to hold,
    *memory* what the last run left in `UpdateOutcome.memory`.  With *rollback* no list is fetched:
    that generation is what the device is to hold.  *patient* false means one try and no
    pauses: the device failed too often of late.
    """

    settings: DeviceSettings
    node: NodeSettings
    installation: str = ""
    """What tells this manager from another with the same `node_id`."""
    entry: str = ""
    """The permanent id of the device's entry."""
    others: Mapping[str, str] = field(factory=dict)
    """The manager's other devices, by the ids of their entries."""
    known: Mapping[str, StoredList] = field(factory=dict)
    applied: Generation | None = None
    names: "Mapping[str, KnownName]" = field(factory=dict)
    """What is known of names that must not be blocked."""
    memory: Json = field(factory=dict)
    largest: Generation | None = None
    """What held most block entries of all that was in force in the days that are looked back on."""
    consent: Consent = NOTHING
    survey: bool = False
    """For a dry run: go on behind what is not accepted, so that every risk is found."""
    plan: str | None = None
    """Push this plan and no other, by its ID (`tscm.update.plan_id`)."""
    rollback: Generation | None = None
    repair: str = ""
    """
    What the firewall said of itself: *applied* is put back as it was, and no list is fetched.

    A device that does not answer yet ends the run at once: it is looked at again, out of turn.
    """
    kept: bool = False
    """The lists cannot be used: *applied* is put back as it was, for groups may have been changed by hand."""
    by_hand: tuple[HandEntry, ...] = ()
    """The entries by hand that the device is to hold, beside what comes from the lists."""
    only_entries: bool = False
    """Entries by hand come and go, no list is fetched: all else stays as *applied* has it."""
    published: Path | None = None
    """The folder in which lists are published for firewalls that pull them."""
    patient: bool = True
    hits: "Hits | None" = None
    """What was seen hitting lately, for the choice of what is cut."""
    claimed: Claimed = unclaimed
    fetch: Fetch
    asked_at: AskedAt = never_asked
    opener: Opener
    look_up: LookUp
    now: Callable[[], float]
    pause: Callable[[float], bool]
    """Wait so many seconds; True when the run must end now."""
    stopped_by: Callable[[], str] = str
    """Who wants it to end; empty where the manager does, for it is stopping."""

    @property
    def keeps_lists(self) -> bool:
        """Does what comes from the lists stay as it is in force, so that no other choice counts?"""
        asked = bool(self.repair) or self.only_entries or self.kept
        return asked and self.applied is not None and not self.applied.purged

    @property
    def site(self) -> str:
        """The manager, as the mark on the device's groups calls it."""
        name = self.node.node_id
        return f"{name}/{self.installation}" if self.installation else name

    @property
    def owner(self) -> str:
        """Whose the groups are: the manager, and the device's entry in it."""
        return f"{self.site}/{self.entry}" if self.entry else self.site

    def pause_before(self, failures: int) -> float:
        """Seconds to wait after so many failures: the first pause, doubled each time."""
        return float(self.node.policy.retry_seconds * 2 ** max(0, failures - 1))
