"""
Who is registered: the entries as they lie on disk, and the addresses behind dynamic ones.

Files are read and names looked up in threads; what the services ask here is answered from memory.
"""

import socket
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.services.entries import PortalEntry, entries_folder, read_entries
from tscm.services.looking import Looker

LOOK_SECONDS = 2.0
RESOLVE_SECONDS = 60.0
STRANGER_SECONDS = 0.5
"""Between two looks for the sake of strangers, however many ask."""

Signature = tuple[tuple[str, int, int], ...]
Resolve = Callable[[str], frozenset[str]]


def plain_address(text: str) -> str:
    """An address in its normal spelling; IPv4 mapped into IPv6 becomes IPv4."""
    address = ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def addresses_of(name: str) -> frozenset[str]:
    """All addresses of *name*.  Blocking; empty when it has none."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(plain_address(str(one[4][0])) for one in found)


def signature_of(folder: Path, suffix: str) -> Signature:
    """What changes when a file of *folder* does: names, sizes, times.  Blocking."""
    found = []
    for path in sorted(folder.glob(f"*{suffix}")):
        try:
            state = path.stat()
        except OSError:
            continue
        found.append((path.name, state.st_mtime_ns, state.st_size))
    return tuple(found)


@frozen(kw_only=True)
class _Seen:
    signature: Signature | None = None
    entries: tuple[PortalEntry, ...] = ()
    faults: tuple[TscmError, ...] = ()


@define(eq=False)
class Registry(Service):
    """
    The entries in force, looked at every two seconds, and at once before a client is turned away.

    A dynamic entry keeps the addresses it last had while its name cannot be looked up.
    """

    _log: ClassVar[Logger] = Logger()

    portal: Path
    _clock: IReactorTime
    _threads: Threads
    _resolve: Resolve = addresses_of
    _looker: Looker[_Seen] = field(init=False)
    _by_id: Mapping[str, PortalEntry] = field(factory=dict, init=False)
    _by_tsig: Mapping[str, PortalEntry] = field(factory=dict, init=False)
    _static: frozenset[str] = field(default=frozenset(), init=False)
    _dynamic: dict[str, frozenset[str]] = field(factory=dict, init=False)
    _without: set[str] = field(factory=set, init=False)
    _loops: tuple[PeriodicService, ...] = field(default=(), init=False)
    _strangers: list[Deferred[None]] = field(factory=list, init=False)
    _strangers_turn: IDelayedCall | None = field(default=None, init=False)
    _strangers_at: float | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        look = partial(_look, self.portal)
        self._looker = Looker(self._threads, _Seen(), look, self._take, "device entries")

    def startService(self) -> None:
        """Begin to look; `look_again` tells when the first look is over."""
        super().startService()
        self._loops = (
            PeriodicService(self._clock, LOOK_SECONDS, self.look_again, "check of device entries"),
            PeriodicService(self._clock, RESOLVE_SECONDS, self._look_up, "look up device entries"),
        )
        for loop in self._loops:
            loop.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when no look is in progress."""
        super().stopService()
        for loop in self._loops:
            stopped = loop.stopService()
            if stopped is not None:
                stopped.addErrback(lambda _: None)
        if self._strangers_turn is not None:
            self._strangers_turn.cancel()
            self._look_for_strangers()
        return self._looker.when_idle()

    def entry(self, device_id: str) -> PortalEntry | None:
        """The entry with this device ID."""
        return self._by_id.get(device_id)

    def entry_of_key(self, name: str) -> PortalEntry | None:
        """The entry whose TSIG key has this name."""
        return self._by_tsig.get(name)

    def lists_of(self, address: str) -> frozenset[str]:
        """The lists of all entries that stand for *address*."""
        plain = plain_address(address)
        return frozenset(
            name for one in self.entries() if plain in self._addresses(one) for name in one.lists
        )

    def listeners_of(self, list_name: str) -> list[tuple[str, int]]:
        """Addresses and ports that want to hear of a change of a list."""
        return sorted(
            {
                (address, one.notify_port)
                for one in self.entries()
                if one.notify_port is not None and list_name in one.lists
                for address in self._addresses(one)
            }
        )

    def _addresses(self, one: PortalEntry) -> frozenset[str]:
        if one.address:
            return frozenset((one.address,))
        return self._dynamic.get(one.domain or "", frozenset())

    def registers(self, address: str) -> bool:
        """Whether any entry stands for *address*."""
        plain = plain_address(address)
        return plain in self._static or any(plain in one for one in self._dynamic.values())

    def entries(self) -> tuple[PortalEntry, ...]:
        """All entries in force."""
        return self._looker.state.entries

    async def look_again(self) -> None:
        """Returns after a look at the files that began later than this call."""
        await self._looker.again()

    async def look_for_stranger(self) -> None:
        """
        Returns after a look as `look_again` does, which all strangers of half a second share.

        So a new entry counts at once, and a flood of strangers reads no more files than one does.
        """
        turn: Deferred[None] = Deferred()
        self._strangers.append(turn)
        if self._strangers_turn is None:
            wait = 0.0
            if self._strangers_at is not None:
                wait = self._strangers_at + STRANGER_SECONDS - self._clock.seconds()
            if wait > 0:
                self._strangers_turn = self._clock.callLater(wait, self._look_for_strangers)
            else:
                self._look_for_strangers()
        await turn

    def _look_for_strangers(self) -> None:
        self._strangers_turn, self._strangers_at = None, self._clock.seconds()
        served, self._strangers = self._strangers, []

        def tell(_: object) -> None:
            for turn in served:
                turn.callback(None)

        Deferred.fromCoroutine(self.look_again()).addBoth(tell)

    async def _take(self, seen: _Seen) -> None:
        self._by_id = {one.device_id: one for one in seen.entries}
        self._by_tsig = {one.tsig_name: one for one in seen.entries}
        self._static = frozenset(one.address for one in seen.entries if one.address)
        for fault in seen.faults:
            self._log.warn("device entry skipped: {fault}", fault=str(fault))
        names = {one.domain for one in seen.entries if one.domain}
        self._without &= names
        self._dynamic = {name: at for name, at in self._dynamic.items() if name in names}
        await self._look_up(only_new=True)

    async def _look_up(self, *, only_new: bool = False) -> None:
        names = dict.fromkeys(one.domain for one in self._looker.state.entries if one.domain)
        for name in names:
            if only_new and name in self._dynamic:
                continue
            found = await self._threads.run(self._resolve, name)
            if all(one.domain != name for one in self._looker.state.entries):
                continue  # removed meanwhile
            if found:
                self._dynamic[name] = found
                self._without.discard(name)
            elif name not in self._without:
                self._without.add(name)
                self._log.warn("{name} of a dynamic device entry has no address now", name=name)


def _look(portal: Path, before: _Seen) -> _Seen:
    signature = signature_of(entries_folder(portal), ".toml")
    if signature == before.signature:
        return before
    found, faults = read_entries(portal)
    return _Seen(signature=signature, entries=tuple(found), faults=tuple(faults))
