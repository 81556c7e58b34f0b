"""
The sinks of a manager, as its settings have them: made once, for all devices.
"""

from collections.abc import Mapping

from twisted.internet.defer import DeferredSemaphore

from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.sinks import SinkSettings, SinkType
from tscm.sinks.http import HttpSender
from tscm.sinks.kafka import KafkaSender
from tscm.sinks.service import Outlet, Sender


def outlets_of(layout: Layout, node: NodeSettings) -> Mapping[str, Outlet]:
    """The sinks by the name of the reader that each has of every log."""
    found: dict[str, Outlet] = {}
    for one in node.sink:
        found[one.reader] = Outlet(one, _sender(one, layout), DeferredSemaphore(one.parallel))
    return found


def _sender(sink: SinkSettings, layout: Layout) -> Sender:
    return KafkaSender(sink, layout) if sink.type == SinkType.KAFKA else HttpSender(sink, layout)
