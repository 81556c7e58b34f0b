"""
The lists that are served, in step with their files.

Files are looked at every two seconds and before each answer that tells a serial.  A serial is on the
disk before any client is told, and never goes back, not even when a list goes and comes again.
"""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import UnfitFile, read_regular
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.model import Json
from tscm.plural import many
from tscm.policy.collect import ListTooLong
from tscm.policy.plain_lines import as_lines
from tscm.services.entries import list_file, list_name
from tscm.services.looking import Looker
from tscm.services.registry import LOOK_SECONDS
from tscm.services.zones import Zone, next_changes, next_serial, pack_apl, read_list, zone_digest
from tscm.settings.files import write_private

MAX_FILE_BYTES = 256 << 20
MAX_ENTRIES = 2_000_000
_SERIALS_BYTES = 64 << 20
_SETTLE_SECONDS = 0.2
_SETTLE_TRIES = 25
_SHOWN = 3
_FOLDERS = ("lists", "published")
"""Where list files lie: an operator's, and those of policies."""


BACKUP = (BackupRule("var/lib/tscm/portal/serials.json", Treatment.COPY),)
"""What a backup does with the serials; a restore raises them (`raise_serials`)."""


@frozen(kw_only=True)
class _State:
    files: Mapping[str, tuple[int, int]] = field(factory=dict)
    zones: Mapping[str, Zone] = field(factory=dict)
    faults: Mapping[str, str] = field(factory=dict)


@define(eq=False)
class ZoneFiles(Service):
    """
    `lists/NAME.txt` and `published/NAME.txt` under *portal*, each a zone; the latter counts where both are there.
    """

    _log: ClassVar[Logger] = Logger()

    portal: Path
    _clock: IReactorTime
    _threads: Threads
    _now: Callable[[], float] = time.time
    on_changed: Callable[[Zone], None] = lambda _: None
    """Told of each list whose serial is another one."""
    looked: bool = field(default=False, init=False)
    """Whether lists were read since the start; before, nothing is known of any."""
    _serials_told: dict[str, int] = field(factory=dict, init=False)
    _looker: Looker[_State] = field(init=False)
    _loop: PeriodicService = field(init=False)
    _told: dict[str, str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        look = partial(look_at_lists, self.portal, self._now)
        self._looker = Looker(self._threads, _State(), look, self._take, "lists")
        self._loop = PeriodicService(self._clock, LOOK_SECONDS, self.look_again, "check of lists")

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._loop.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when no look is in progress."""
        super().stopService()
        stopped = self._loop.stopService()
        if stopped is not None:
            stopped.addErrback(lambda _: None)
        return self._looker.when_idle()

    async def look_again(self) -> None:
        """Returns after a look at the files that began later than this call."""
        await self._looker.again()

    def zone(self, name: str) -> Zone | None:
        """The zone of this name, lower case and without the closing dot."""
        return self._looker.state.zones.get(name)

    def is_faulty(self, name: str) -> bool:
        """Whether there is a file for *name* that could not be used."""
        return name in self._looker.state.faults

    def holds(self, name: str) -> Zone | None:
        """The zone that *name* lies in or is."""
        while name:
            zone = self.zone(name)
            if zone is not None:
                return zone
            name = name.partition(".")[2]
        return None

    async def _take(self, state: _State) -> None:
        self.looked = True
        for name, zone in state.zones.items():
            if self._serials_told.get(name) != zone.serial:
                self._serials_told[name] = zone.serial
                self.on_changed(zone)
            told = f"serial {zone.serial}, {zone.refused_count} lines ignored"
            if self._told.get(name) == told:
                continue
            self._told[name] = told
            self._log.info(
                "list {name}: serial {serial}, {entries}, {refused} ignored",
                name=name,
                serial=zone.serial,
                entries=many(zone.entries, "entry", "entries"),
                refused=many(zone.refused_count, "line", "lines"),
            )
            for one in zone.refused[:_SHOWN]:
                self._log.warn("list {name}: {cause}", name=name, cause=one.cause)
        for name, fault in state.faults.items():
            if self._told.get(name) != fault:
                self._told[name] = fault
                self._log.error("list {name} is unchanged: {fault}", name=name, fault=fault)

    def figures(self) -> Json:
        """Entries, serial and lines left out, by list."""
        return {
            name: {
                "serial": zone.serial,
                "entries": zone.entries,
                "left_out": zone.refused_count,
                "fault": self._looker.state.faults.get(name),
            }
            for name, zone in sorted(self._looker.state.zones.items())
        }


def look_at_lists(portal: Path, now: Callable[[], float], before: _State) -> _State:
    """
    What is in force after a look; *before* itself where nothing has changed.  Blocking.

    A file that cannot be read or used leaves its zone as it was.
    """
    files = _files(portal, before.files)
    if files == before.files:
        return before
    zones = {name: zone for name, zone in before.zones.items() if name in files}
    faults = {name: fault for name, fault in before.faults.items() if name in files}
    serials = _Serials.load(portal / "serials.json")
    for name, state in files.items():
        if before.files.get(name) == state:
            continue
        faults.pop(name, None)
        try:
            zones[name] = _read_zone(portal, name, serials, now(), before.zones.get(name))
        except FileNotFoundError:
            zones.pop(name, None)
        except (OSError, ListTooLong) as error:
            faults[name] = str(error)
    serials.save()
    return _State(files=files, zones=zones, faults=faults)


def _files(portal: Path, before: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Sizes and times of the list files, once those that changed have come to rest."""
    found = _stat_all(portal)
    for _ in range(_SETTLE_TRIES):
        if found == before:
            return found
        time.sleep(_SETTLE_SECONDS)
        later = _stat_all(portal)
        if later == found:
            break
        found = later
    return found


def _stat_all(portal: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for folder in _FOLDERS:
        for path in (portal / folder).glob("*.txt"):
            try:
                name = list_name(path.name.removesuffix(".txt"))
                state = (portal / folder / f"{name}.txt").stat()
            except (ValueError, OSError):
                continue
            found[name] = (state.st_mtime_ns, state.st_size)
    return found


def _file_of(portal: Path, name: str) -> Path:
    """The file that counts for a list: what a policy publishes before what an operator wrote."""
    for folder in reversed(_FOLDERS[1:]):
        path: Path = portal / folder / f"{name}.txt"
        if path.exists():
            return path
    return list_file(portal, name)


def _read_zone(
    portal: Path, name: str, serials: "_Serials", now: float, before: Zone | None
) -> Zone:
    path = _file_of(portal, name)
    read = read_list(read_regular(path, MAX_FILE_BYTES), MAX_ENTRIES).to_list(
        name, serial=None, fetched_at=now, source=str(path)
    )
    digest = zone_digest(read.entries)
    serial, apl = serials.serial(name, digest, now), pack_apl(read.entries)
    return Zone(
        name=name,
        serial=serial,
        digest=digest,
        apl=apl,
        changes=next_changes(before, serial, apl),
        entries=len(read.entries),
        refused_count=read.refused_count,
        refused=read.refused,
    )


def text_of(portal: Path, zone: Zone) -> bytes | None:
    """
    The entries of a zone, a CIDR a line; None where its file holds others by now.  Blocking; raises `OSError`.
    """
    collector = read_list(read_regular(_file_of(portal, zone.name), MAX_FILE_BYTES), MAX_ENTRIES)
    entries = collector.to_list(zone.name, serial=None, fetched_at=0.0, source="").entries
    return as_lines(entries) if zone_digest(entries) == zone.digest else None


def raise_serials(portal: Path, now: float) -> None:
    """
    Put every serial above any that was given out since *portal* was copied.  Blocking.

    A firewall refuses a list whose serial goes back.  A serial is the time at which its list changed, so that
    those of a copy are raised to the time of its restore.
    """
    serials = _Serials.load(portal / "serials.json")
    serials.raise_all(now)
    serials.save()


@define(eq=False)
class _Serials:
    """
    The last serial of every list that ever was, with the content that it stood for.
    """

    _path: Path
    _last: dict[str, tuple[int, str]]
    _changed: bool = False

    @classmethod
    def load(cls, path: Path) -> "_Serials":
        try:
            table = json.loads(read_regular(path, _SERIALS_BYTES))
            last = {str(name): (int(one[0]), str(one[1])) for name, one in table.items()}
        except FileNotFoundError:
            last = {}
        except (ValueError, TypeError, AttributeError, IndexError, RecursionError, UnfitFile):
            # Serials are times: the next ones are above the lost ones all the same.
            last = {}
        return cls(path, last)

    def serial(self, name: str, digest: str, now: float) -> int:
        last = self._last.get(name)
        if last is not None and last[1] == digest:
            return last[0]
        serial = next_serial(last[0] if last else None, now)
        self._last[name] = (serial, digest)
        self._changed = True
        return serial

    def raise_all(self, now: float) -> None:
        for name, (serial, digest) in self._last.items():
            self._last[name] = (next_serial(serial, now), digest)
            self._changed = True

    def save(self) -> None:
        if self._changed:
            write_private(self._path, json.dumps(self._last, indent=1).encode())
