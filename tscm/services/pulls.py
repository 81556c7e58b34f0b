"""
What is known of those who pull: who fetched which generation, and when, in memory and in the database.

Only who knew the secret part of the path, and the account where there is one, is in it.
"""

from collections.abc import Iterable
from contextlib import suppress

from attrs import define, evolve, field

from tscm.errors import TscmError
from tscm.services.figures import PulledBy
from tscm.store.pulls import GENERATIONS_KEPT, Pulls, StoredPulls

PEERS_KEPT = 64
OTHERS = "others"
"""Stands for every address beyond those."""

_Key = tuple[str, str, str, int]


def _key(one: Pulls) -> _Key:
    return one.device, one.peer, one.file, one.generation


@define(eq=False)
class PullBook:
    """
    Counts pulls, and writes what is new when it is told to.
    """

    _stored: StoredPulls
    _known: dict[str, dict[_Key, Pulls]] = field(factory=dict, init=False)
    """By device."""
    _new: set[_Key] = field(factory=set, init=False)
    _loaded: bool = field(default=False, init=False)

    def load(self) -> None:
        """Take in what the database has; again where it could not be read before.  Raises `TscmError`."""
        if self._loaded:
            return
        for one in self._stored.all():
            known = self._known.setdefault(one.device, {})
            seen = known.get(_key(one))
            known[_key(one)] = one if seen is None else _together(one, seen)
        self._loaded = True

    def pulled(self, device: str, peer: str, file: str, generation: int, at: float) -> None:
        """*peer* has the *file* of that *generation*."""
        known = self._known.setdefault(device, {})
        peers = {one.peer for one in known.values()}
        if peer not in peers and len(peers) >= PEERS_KEPT:
            peer = OTHERS
        one = Pulls(
            device=device, peer=peer, file=file, generation=generation, first_at=at, last_at=at
        )
        seen = known.get(_key(one))
        known[_key(one)] = one if seen is None else _together(seen, one)
        self._new.add(_key(one))
        if seen is None:
            for old in [key for key in known if key[3] <= generation - GENERATIONS_KEPT]:
                del known[old]
                self._new.discard(old)

    def looked(
        self, device: str, peer: str, file: str, generations: tuple[int, int], at: float
    ) -> None:
        """
        *peer* asked whether *file* has changed, by its head or its checksum.

        It has what is served if it has fetched one of the *generations*, first and last, that hold the same.
        """
        first, last = generations
        known = self._known.get(device, {}).values()
        if any(
            (one.peer, one.file) == (peer, file) and first <= one.generation <= last
            for one in known
        ):
            self.pulled(device, peer, file, last, at)

    def forget(self, device: str) -> None:
        """The device is gone; the database forgets it with the rest of what it has of it."""
        self._known.pop(device, None)
        self._new = {key for key in self._new if key[0] != device}

    def rename(self, device: str, to: str) -> None:
        """The device is called *to* now; what the database has of it is renamed with the rest."""
        self.forget(to)
        mine = self._known.pop(device, {}).values()
        known = {_key(one): one for one in (evolve(pulls, device=to) for pulls in mine)}
        new = {(to, *key[1:]) for key in self._new if key[0] == device}
        self._new = {key for key in self._new if key[0] != device} | new
        if known:
            self._known[to] = known

    def write(self) -> None:
        """Keep what is new.  Raises `TscmError`; then it is tried again with the next."""
        self.load()
        if not self._new:
            return
        rows = [self._known[key[0]][key] for key in sorted(self._new)]
        self._stored.keep(rows)
        self._new.clear()

    def write_or_wait(self) -> None:
        """The same; a database that cannot be used is told of elsewhere."""
        with suppress(TscmError):
            self.write()

    def latest(self, device: str, files: Iterable[str] = ()) -> tuple[PulledBy, ...]:
        """
        What each address fetched last, the latest first; of *files* alone, where some are named.

        The generation is the newest that it has fetched: it may come again with an older one only by way of a cache.
        """
        wanted = set(files)
        found: dict[str, PulledBy] = {}
        for one in self._known.get(device, {}).values():
            if wanted and one.file not in wanted:
                continue
            seen = found.get(one.peer)
            now = PulledBy(
                peer=one.peer,
                file=one.file,
                generation=one.generation,
                first_at=one.first_at,
                last_at=one.last_at,
                count=one.count,
            )
            if seen is None or (now.last_at, now.generation) > (seen.last_at, seen.generation):
                found[one.peer] = now
        return tuple(sorted(found.values(), key=lambda one: one.last_at, reverse=True))


def _together(older: Pulls, newer: Pulls) -> Pulls:
    return evolve(
        newer,
        first_at=min(older.first_at, newer.first_at),
        last_at=max(older.last_at, newer.last_at),
        count=older.count + newer.count,
    )
