"""
The cluster of a manager, as its settings have it: made once, for all devices.
"""

from typing import Any

from twisted.internet.defer import DeferredSemaphore

from tscm.cluster.broker import Broker
from tscm.cluster.connection import Connection
from tscm.cluster.service import Site
from tscm.cluster.subjects import token
from tscm.settings.cluster import ClusterSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

_IN_FLIGHT = 32
"""Blocks that wait for an answer, over all devices: 8 MB of lines."""


def inbox_of(cluster: ClusterSettings, node: str) -> str:
    """Where answers go: each user has its own inbox, so that no user reads another's answers."""
    return f"_INBOX.{token(cluster.user or node)}"


def site_of(reactor: Any, layout: Layout, node: NodeSettings) -> Site | None:
    """None where the manager is by itself."""
    cluster = node.cluster
    if not cluster.servers:
        return None
    broker = Broker(reactor, Connection(cluster, layout, inbox_of(cluster, node.node_id)))
    return Site(str(cluster), node.node_id, broker, DeferredSemaphore(_IN_FLIGHT))
