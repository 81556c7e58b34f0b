"""
The sign of life: at its interval, and only while the manager does its work.
"""

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock

from tscm.alarms.heartbeat import Heartbeat
from tscm.channels.fault import ChannelFault


class Beats:
    def __init__(self) -> None:
        self.clock = Clock()
        self.alive, self.fault, self.sent = True, "", 0
        self.heart = Heartbeat(self.clock, 60.0, self.send, lambda: self.alive)

    async def send(self) -> str:
        if self.fault:
            raise ChannelFault(self.fault)
        self.sent += 1
        return "204"


@pytest.fixture
def beats() -> Beats:
    made = Beats()
    made.heart.startService()
    return made


def test_it_beats_at_its_interval_until_it_is_stopped(beats: Beats) -> None:
    beats.clock.pump([60.0] * 5)
    assert beats.sent == 5
    assert beats.heart.sent_at == 300.0
    beats.heart.stopService()
    beats.clock.pump([60.0] * 5)
    assert beats.sent == 5
    assert not beats.clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda beats: setattr(beats, "alive", False), "the alarms are not evaluated"),
        (lambda beats: setattr(beats, "fault", "no route"), "no route"),
    ],
)
def test_a_manager_that_hangs_or_a_server_that_is_gone_is_told_and_it_goes_on(
    beats: Beats, break_it: Callable[[Beats], None], said: str
) -> None:
    beats.clock.advance(60)
    break_it(beats)
    beats.clock.advance(60)
    assert beats.sent == 1
    assert said in (beats.heart.error or "")
    beats.alive, beats.fault = True, ""
    beats.clock.advance(60)
    assert beats.sent == 2
    assert beats.heart.error is None
    beats.heart.stopService()
