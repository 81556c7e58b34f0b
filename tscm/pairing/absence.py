"""
How long a portal has not answered, or a paired manager has not asked.  Pure.

Times are POSIX seconds.
"""

from collections.abc import Iterable, Iterator, Mapping

from tscm.pairing.bonds import Bond
from tscm.pairing.figures import FollowedPortal, PairedManager
from tscm.pairing.following import Heard
from tscm.pairing.seen import Seen
from tscm.pairing.stages import Pairing, Stage
from tscm.services.entries import PortalEntry


def followed_portals(
    bonds: Mapping[str, tuple[Bond, Heard]],
) -> tuple[FollowedPortal, ...]:
    """One for each portal, by its URL."""
    by_portal: dict[str, list[tuple[str, Heard]]] = {}
    for name, (bond, heard) in sorted(bonds.items()):
        by_portal.setdefault(bond.portal, []).append((name, heard))
    return tuple(
        FollowedPortal(
            portal=portal,
            devices=tuple(name for name, _ in several),
            heard_at=max(
                (one.heard_at for _, one in several if one.heard_at is not None), default=None
            ),
            fault=next((one.fault for _, one in several if one.fault), ""),
        )
        for portal, several in sorted(by_portal.items())
    )


def paired_managers(
    entries: Iterable[PortalEntry],
    pairings: Mapping[str, Pairing],
    seen: Mapping[str, Seen],
    now: float,
) -> Iterator[PairedManager]:
    """Those of all entries that a manager follows."""
    for entry in entries:
        pairing = pairings.get(entry.device_id)
        if pairing is None or pairing.stage(now) is not Stage.PAIRED:
            continue
        told = seen.get(entry.device_id)
        if told is not None and told.at < pairing.paired_at:
            told = None  # of the manager before
        yield PairedManager(
            nickname=entry.nickname,
            manager=pairing.manager,
            seen_at=pairing.paired_at if told is None else told.at,
            behind=told is not None and told.standing.applied != pairing.version,
        )
