"""
The manager's side of pairing: what it does when, whatever the time of day does.
"""

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock

from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.pairing.bonds import Bond
from tscm.pairing.documents import etag_of
from tscm.pairing.follower import Follower
from tscm.pairing.following import RETRY_FIRST, UNKNOWN_SECONDS, Heard, taken
from tscm.pairing.messages import News, Standing, State
from tscm.settings.layout import Layout

BOND = Bond(
    name="east", entry="0123456789abcdef", portal="https://portal.example", fingerprint="00" * 32,
    device_id="tdid_east", token=Secret("token"), received=2, applied=1,
)  # fmt: skip
NOON = 1_800_000_000.0


class SetClock(Clock):
    """A steady clock, and a time of day that is set."""

    def __init__(self) -> None:
        super().__init__()
        self.day = NOON

    def wall_seconds(self) -> float:
        return self.day + self.seconds()


def test_a_clock_that_is_set_back_delays_no_second_try(tmp_path: Path) -> None:
    clock, tries = SetClock(), list[int]()

    async def apply(bond: Bond) -> None:
        tries.append(bond.received)
        raise TscmError("the firewall does not answer")

    follower = Follower(
        clock, Threads(clock, 1, "test"), Layout(tmp_path), dict, lambda _: Standing(),
        apply, lambda _: None, lambda *_: None,
    )  # fmt: skip
    follower._bonds["east"], follower._heard["east"] = BOND, Heard(retry_at=0.0)
    follower._apply_again("east")
    assert tries == [2]
    clock.day -= 86_400.0
    follower._apply_again("east")
    assert tries == [2]
    clock.advance(RETRY_FIRST)
    follower._apply_again("east")
    assert tries == [2, 2]


def test_times_to_wait_are_of_the_steady_clock_and_what_is_shown_of_the_day() -> None:
    unknown = taken(BOND, Heard(), None, now=7.0, at=NOON).heard
    assert (unknown.unknown_until, unknown.heard_at) == (7.0 + UNKNOWN_SECONDS, NOON)
    settings: dict[str, Any] = {"type": "asarest"}
    document = {"version": 3, "etag": etag_of(settings), "settings": settings}
    news = News(device_id=BOND.device_id, state=State.PAIRED, version=3, document=document)
    steps = taken(BOND, Heard(), news, now=7.0, at=NOON)
    assert (steps.heard.retry_at, steps.heard.heard_at) == (7.0, NOON)
    assert steps.bond == evolve(BOND, received=3, document=settings)
