"""
Who pulled which generation of a list, and when, in the database.
"""

from attrs import define, frozen

from tscm.store.database import Store

GENERATIONS_KEPT = 48


@frozen(kw_only=True)
class Pulls:
    """Fetches of one file of one generation by one address: the first, the last, how many."""

    device: str
    peer: str
    file: str
    generation: int
    first_at: float
    last_at: float
    count: int = 1


@define(eq=False)
class StoredPulls:
    """The table of a `Store`.  Reactor thread, short transactions."""

    _store: Store

    def all(self) -> list[Pulls]:
        """Of all devices."""
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                "SELECT device, peer, file, generation, first_at, last_at, count FROM pulls"
            ).fetchall()
        names = ("device", "peer", "file", "generation", "first_at", "last_at", "count")
        return [Pulls(**dict(zip(names, row, strict=True))) for row in rows]

    def keep(self, pulls: list[Pulls]) -> None:
        """Take each in the place of what there was of its device, address, file and generation."""
        with self._store.transaction() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO pulls "
                "(device, peer, file, generation, first_at, last_at, count) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        one.device,
                        one.peer,
                        one.file,
                        one.generation,
                        one.first_at,
                        one.last_at,
                        one.count,
                    )
                    for one in pulls
                ],
            )
            newest = {one.device: one.generation for one in sorted(pulls, key=_generation)}
            for device, generation in newest.items():
                cursor.execute(
                    "DELETE FROM pulls WHERE device = ? AND generation <= ?",
                    (device, generation - GENERATIONS_KEPT),
                )


def _generation(one: Pulls) -> int:
    return one.generation
