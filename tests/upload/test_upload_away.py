"""
A log service or a store that answers with 5xx for more than a day, by a clock of the tests' own.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from attrs import frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.task import Clock

from tests.memory_log import MemoryLog
from tests.spool.spool_room import AtOnce
from tests.upload.test_upload_kill import POLICY
from tscm import upload_format
from tscm.base.deadline import CutOff
from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.base.watched_http import Wire
from tscm.cli.state import state_pairs
from tscm.state import DeviceState
from tscm.upload.failure import UploadFailed
from tscm.upload.receiver import LogServiceReceiver, Receiver
from tscm.upload.s3 import S3Receiver
from tscm.upload.service import UploadService
from tscm.upload.signature import Credentials
from tscm.upload.transport import Client, Way

Talk = Callable[[httpx.Request], httpx.Response]
HOURS = 30
LONGEST_WAIT = 600.0  # between two tries


@frozen(kw_only=True)
class TalkingWay(Way):
    """A way on which nothing is sent: *talk* answers."""

    talk: Talk

    @contextmanager
    def client(self) -> Iterator[Client]:
        yield Client(httpx.Client(transport=httpx.MockTransport(self.talk)), Wire(CutOff()))


def log_service(talk: Talk) -> Receiver:
    way = TalkingWay(url="https://logs.example", device="fw", talk=talk)
    return LogServiceReceiver(way=way, device_id="tdid_abcd1234", device_key=Secret("key"))


def store(talk: Talk) -> Receiver:
    way = TalkingWay(url="https://s3.example", device="fw", name="store", talk=talk)
    credentials = Credentials(access_key="AKIA", secret_key=Secret("secret"), region="eu-west-1")
    return S3Receiver(
        way=way, bucket="logs", prefix="", device_id="tdid_abcd1234", credentials=credentials
    )


class Afternoon:
    """What answers: 5xx until it recovers, and what it was sent, at which time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.well = False
        self.tries: list[tuple[float, str]] = []
        self.taken: list[bytes] = []
        self._faults = itertools.cycle([500, 502, 503, 504, 520, 599])

    def answer(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get(upload_format.IDEMPOTENCY_KEY) or request.url.path
        self.tries.append((self.clock.seconds(), key))
        if not self.well:
            return self._say(next(self._faults), {"error": "out of order"})
        self.taken.append(request.read())
        stored = {"status": "stored", "batch": key.strip('"'), "lines": 0, "bytes": 0}
        return self._say(upload_format.STORED, stored)

    @staticmethod
    def _say(status: int, table: dict[str, Any]) -> httpx.Response:
        return httpx.Response(status, stream=httpx.ByteStream(json.dumps(table).encode()))


@pytest.mark.parametrize("kind", [log_service, store])
@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_5xx_for_more_than_a_day_waits_within_its_bound_and_loses_nothing(
    tmp_path: Path, kind: Callable[[Talk], Receiver], chance: float
) -> None:
    clock = Clock()
    clock.advance(1_000_000)
    begun = clock.seconds()
    service_there = Afternoon(clock)
    log = MemoryLog(name="upload")
    service = UploadService(
        clock,
        cast(Threads, AtOnce()),
        log,
        kind(service_there.answer),
        tmp_path / "upload",
        log.seal,
        DeferredSemaphore(2),
        chance=lambda: chance,
    )
    log.append(*(one + b"\n" for one in POLICY))
    service.startService()
    for hour in range(HOURS):
        log.append(b"<166>%%ASA-6-106100: hour %04d\n" % hour)
        clock.pump([5.0] * 720)
    figures = service.figures()
    moments = [at for at, _ in service_there.tries]
    waits = [later - one for one, later in itertools.pairwise(moments)]
    assert max(waits) <= LONGEST_WAIT + 5
    assert sorted(waits) == waits, "each wait is at least as long as the one before"
    assert begun + HOURS * 3600 - moments[-1] <= LONGEST_WAIT + 5
    assert len(moments) < 2 * HOURS * 3600 / LONGEST_WAIT + 10
    assert len({key for _, key in service_there.tries}) == 1, "one batch, tried again and again"
    assert log.confirms == []
    assert (figures.rejected_batches, figures.sent, figures.not_selected) == (0, 0, 0)
    assert figures.failures == len(moments)
    assert figures.failing_since == pytest.approx(moments[0], abs=1)
    assert "out of order" in figures.sentence or "no details" in figures.sentence
    assert "no action unless this persists for hours; then contact" in figures.sentence
    assert "lines are kept on disk, next attempt in" in figures.sentence
    shown: dict[str, Any] = dict(
        state_pairs({"name": "fw", "send_logs": True}, DeviceState(upload=figures))
    )
    assert shown["log upload"] == figures.sentence
    assert f"{len(moments):,} times in a row" in shown["log upload failing since"]

    service_there.well = True
    clock.pump([5.0] * 400)  # the batch in hand, then what the next sealing brings
    figures = service.figures()
    assert figures.sent == len(POLICY) + HOURS
    assert (figures.failures, figures.failing_since, figures.rejected_batches) == (0, None, 0)
    assert figures.sentence == "all policy lines of rotated segments are uploaded"
    assert service_there.taken
    service.stopService()
    assert clock.getDelayedCalls() == []


def test_what_was_asked_for_and_failed_is_tried_again_when_it_says(tmp_path: Path) -> None:
    """The schedule sleeps for a quarter of an hour; a failure that comes meanwhile must wake it."""
    clock = Clock()
    clock.advance(1_000_000)
    service_there = Afternoon(clock)
    log = MemoryLog(name="upload")
    service = UploadService(
        clock,
        cast(Threads, AtOnce()),
        log,
        log_service(service_there.answer),
        tmp_path / "upload",
        log.seal,
        DeferredSemaphore(2),
        interval_seconds=900,
        chance=lambda: 1.0,
    )
    service.startService()
    clock.advance(60)
    log.append(b"<166>%ASA-6-106100: one\n")
    failed = service.upload_now(lambda _: None)
    failed.addErrback(lambda failure: failure.trap(UploadFailed))
    assert len(service_there.tries) == 1
    wait = (service.figures().retry_at or 0.0) - clock.seconds()
    assert 0 < wait < LONGEST_WAIT
    service_there.well = True
    clock.advance(wait - 0.1)
    assert len(service_there.tries) == 1
    clock.advance(0.2)
    assert len(service_there.tries) == 2
    assert log.position.sent == 1
    assert "uploaded" in service.figures().sentence
