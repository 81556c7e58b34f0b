"""
Names that must not be blocked and do not resolve: what waits for them, and what is said of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tscm.errors import PolicyRefused
from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.store.generations import StoredDamaged
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.names import Host, age_words


def looked_up(job: UpdateJob, people: Iterable[Host], now: float) -> dict[str, KnownName]:
    """What is known of the names among *people* after one look-up of all."""
    names = [one.host for one in people if one.named]
    found = job.look_up(names)
    return {
        name: job.names.get(name, KnownName(name=name)).after(found.get(name, ()), now)
        for name in names
    }


def name_warnings(
    job: UpdateJob, people: Iterable[Host], known: Mapping[str, KnownName], waiting: int, now: float
) -> Iterator[str]:
    """A sentence for each name that does not resolve, with what follows from that."""
    for one in people:
        name = known.get(one.host)
        if name is None or name.failing_since is None:
            continue
        said = f"{one.host}, {one.what}, does not resolve"
        if name.resolved_at is not None and name.addresses:
            age = age_words(now - name.resolved_at)
            yield f"{said}; its addresses of {age} ago remain protected"
        elif job.node.policy.unknown_names == "hold":
            new = many(waiting, "new block entry waits", "new block entries wait")
            yield f"{said}, and none of its addresses is known: {new} until it resolves"
        else:
            yield f"{said}, and none of its addresses is known: entries that cover it are not excluded"


def held_back(job: UpdateJob, block: CidrSet, people: Sequence[Host]) -> CidrSet:
    """
    Of *block* what is in force already, because it is unknown whom the rest would hit.

    Raises `PolicyRefused` where nothing is in force.
    """
    try:
        if job.applied is not None and not job.applied.purged:
            held = CidrSet.of(job.applied.of_lists.entries(job.settings.name, "block"))
            return block.intersection(held)
    except StoredDamaged:
        pass  # then it is unknown what is in force
    raise PolicyRefused(
        job.settings.name,
        [
            f"{one.host}, {one.what} ({one.where}), does not resolve and none of its "
            "addresses is known, so it could be blocked: correct the name, or set "
            '[policy] unknown_names = "warn"'
            for one in people
        ],
    )
