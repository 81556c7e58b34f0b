"""
NOTIFY at the manager: who is heard, and how often that starts a look at a list.
"""

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tscm.base.host_port import HostPort
from tscm.policy.notify import notice, read_notice
from tscm.update.notified import PAUSE_SECONDS, NotifyListener

ZONE, OTHER = b"\5block\7example\0", b"\5other\7example\0"
MESSAGE = notice(7, ZONE, bytes(22))


class Ear:
    """A listener with what it told."""

    def __init__(self) -> None:
        self.clock, self.changed = Clock(), list[str]()
        self.names = {"192.0.2.53": ["192.0.2.53"], "lists.example": ["192.0.2.54"]}
        self.asked = list[str]()
        self.listener = NotifyListener(
            self.clock,
            [HostPort("127.0.0.1", 0)],
            [HostPort("192.0.2.53"), HostPort("lists.example", 5353), HostPort("gone.example")],
            self.resolve,
            lambda name: name == "block.example",
            self.changed.extend,
        )
        self.listener.startService()

    def resolve(self, name: str) -> Deferred[Sequence[str]]:
        self.asked.append(name)
        found = self.names.get(name)
        return fail(OSError("no such name")) if found is None else succeed(found)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.mark.parametrize("server", ["192.0.2.53", "192.0.2.54", "::ffff:192.0.2.53"])
def test_a_policy_server_is_heard_and_answered(ear: Ear, server: str) -> None:
    answer = ear.listener.take(MESSAGE, server)
    assert answer is not None
    assert answer[:2] == MESSAGE[:2]
    ear.clock.advance(0)
    assert ear.changed == ["block.example"]


def test_nobody_else_is_heard_or_answered(ear: Ear) -> None:
    assert ear.listener.take(MESSAGE, "198.51.100.1") is None
    assert ear.listener.take(b"\0" * 40, "192.0.2.53") is None
    ear.clock.advance(60)
    assert ear.changed == []
    assert ear.listener.ignored == 2


def test_a_list_that_no_device_uses_starts_nothing(ear: Ear) -> None:
    assert ear.listener.take(notice(7, OTHER, bytes(22)), "192.0.2.53") is not None
    ear.clock.advance(60)
    assert ear.changed == []


def test_a_flood_of_messages_asks_for_a_list_once_in_a_while(ear: Ear) -> None:
    for _ in range(1000):
        ear.listener.take(MESSAGE, "192.0.2.53")
    ear.clock.advance(0)
    assert len(ear.changed) == 1
    for _ in range(1000):
        ear.listener.take(MESSAGE, "192.0.2.53")
    ear.clock.advance(PAUSE_SECONDS - 0.1)
    assert len(ear.changed) == 1
    ear.clock.advance(0.1)
    assert len(ear.changed) == 2, "the last message is not lost"


def test_a_server_that_moved_is_looked_up_again_once_a_minute(ear: Ear) -> None:
    ear.names["lists.example"] = ["192.0.2.55"]
    for _ in range(100):
        assert ear.listener.take(MESSAGE, "192.0.2.55") is None
    assert ear.asked.count("lists.example") == 1
    ear.clock.advance(61)
    ear.listener.take(MESSAGE, "192.0.2.55")
    assert ear.listener.take(MESSAGE, "192.0.2.55") is not None


def test_after_its_stop_nothing_is_heard(ear: Ear) -> None:
    ear.listener.take(MESSAGE, "192.0.2.53")
    ear.listener.stopService()
    assert not ear.clock.getDelayedCalls()
    assert ear.listener.take(MESSAGE, "192.0.2.53") is None


def test_what_is_read_is_what_was_sent() -> None:
    found = read_notice(MESSAGE)
    assert found is not None
    assert found.zone == "block.example"
