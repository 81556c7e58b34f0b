"""
Bodies of lists in memory: read once from the disk, handed to all who ask for them, within a bound.

Devices with the same list have the same body, since it is known by its content.
"""

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred

from tscm.base.threads import Threads

MOST_BYTES = 256 << 20
"""Of all bodies that are held, those that are being sent included."""


class NoRoom(Exception):
    """
    So much is being sent that one more body has no place in memory.
    """


@define(eq=False)
class _Held:
    content: bytes
    users: int = 0


@define(eq=False)
class Bodies:
    """
    Lends bodies by a key; who is lent one gives it back.
    """

    _threads: Threads
    most: int = MOST_BYTES
    _held: OrderedDict[str, _Held] = field(factory=OrderedDict, init=False)
    _coming: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)
    _coming_bytes: int = field(default=0, init=False)

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return sum(len(one.content) for one in self._held.values())

    async def lend(self, key: str, size: int, load: Callable[[], bytes]) -> bytes:
        """
        The body, which *load* reads in a thread where it is not held.  Raises `NoRoom` and what *load* raises.
        """
        while key not in self._held:
            if key in self._coming:
                waiting: Deferred[None] = Deferred()
                self._coming[key].append(waiting)
                await waiting
                continue
            self._make_room(size)
            await self._load(key, size, load)
        held = self._held[key]
        self._held.move_to_end(key)
        held.users += 1
        return held.content

    def give_back(self, key: str) -> None:
        """It is sent, or its client is gone."""
        held = self._held.get(key)
        if held is not None:
            held.users -= 1

    async def _load(self, key: str, size: int, load: Callable[[], bytes]) -> None:
        self._coming[key] = []
        self._coming_bytes += size
        try:
            self._held[key] = _Held(await self._threads.run(load))
        finally:
            self._coming_bytes -= size
            for one in self._coming.pop(
                key
            ):  # they look again, and load it themselves where this failed
                one.callback(None)

    def _make_room(self, size: int) -> None:
        free = self.most - self.size - self._coming_bytes
        for key in [key for key, one in self._held.items() if not one.users]:
            if free >= size:
                return
            free += len(self._held.pop(key).content)
        if free < size:
            raise NoRoom
