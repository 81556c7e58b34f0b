"""
What a manager tells its portal of a device: how it stands, from figures in memory.
"""

from attrs import evolve

from tscm import __version__
from tscm.manager.node import Node, parts, updates
from tscm.operations.rows import row
from tscm.pairing.messages import Standing


def standing_of(node: Node, name: str) -> Standing:
    """A device in force; of another one only the version of this software is known."""
    nothing = Standing(software=__version__)
    manager = parts(node)
    if name not in manager.devices:
        return nothing
    stands = row(node, name)
    policy = updates(node).figures(name)
    good = policy.last_good
    counted = manager.events.figures(name)
    hits = sum(sum(one.values()) for one in counted.hits.values())
    return evolve(
        nothing,
        verdict=str(stands.verdict),
        causes=tuple(stands.causes),
        generation=policy.generations or None,
        updated_at=None if good is None else good.finished_at,
        entries=stands.entries,
        hits=hits,
        upload=str(stands.upload),
    )
