"""
A stop in the midst of a list: the connection is cut off, and the manager does not wait for its time-out.
"""

import socket
import threading
from collections.abc import Callable

import pytest

from tests.kinds.asa.rest.test_rest_trickle import serving
from tscm.base.deadline import Scope
from tscm.base.host_port import HostPort
from tscm.errors import ListUnavailable
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import fetch_feed
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.stream import DnsStream, Limits, Unanswered

LONG = Limits(connect_seconds=600, idle_seconds=600, whole_seconds=600)


def fetch(root: str) -> None:
    with pytest.raises(ListUnavailable, match="interrupted because the manager is stopping"):
        fetch_feed(FeedSource(name="b.example", url=root, limits=LONG), None, 0.0)


def ask(root: str) -> None:
    port = int(root.removesuffix("/api").rpartition(":")[2])
    with DnsStream("127.0.0.1", port, LONG, 600.0, lambda: 0.0) as stream:
        stream.send(b"a question of some length")
        with pytest.raises(Unanswered, match="interrupted because the manager is stopping"):
            stream.receive()


def fetch_by_dns(root: str) -> None:
    port = int(root.removesuffix("/api").rpartition(":")[2])
    server = HostPort("127.0.0.1", port)
    source = ListSource(name="b.example", servers=(server,), port=53, limits=LONG)
    with pytest.raises(ListUnavailable, match="manager is stopping; no action is needed"):
        fetch_list(source, None, 0.0)


@pytest.mark.parametrize("look", [fetch, ask, fetch_by_dns])
def test_a_stop_cuts_a_list_off_at_once(look: Callable[[str], None]) -> None:
    asked, scope = threading.Event(), Scope()

    def silent(one: socket.socket) -> None:
        while one.recv(65536):
            asked.set()

    with serving(silent) as root:
        ended: list[bool] = []

        def run() -> None:
            scope.run(look, root)
            ended.append(True)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert asked.wait(60)
        scope.hurry()
        thread.join(60)
        assert ended == [True]
