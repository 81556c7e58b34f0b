import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.logger import LogEvent, capturedLogs

from tests.forward.receivers import until
from tests.memory_log import MemoryLog
from tests.upload.scripted import (
    Answer,
    Request,
    ScriptedServer,
    answer,
    credentials,
    key_pattern,
    reactor,
    stored,
    unpacked,
)
from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.model import Progress
from tscm.upload.batch import Part
from tscm.upload.failure import UploadFailed
from tscm.upload.outcome import UploadOutcome
from tscm.upload.receiver import Content, LogServiceReceiver
from tscm.upload.service import MAX_REFUSALS, UploadService
from tscm.upload.state import write_state
from tscm.upload.transport import Way


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


@pytest_twisted.async_yield_fixture()
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    if scripted._port is not None:
        await scripted.stop()


class Bench:
    """One device's uploader against a scripted server."""

    def __init__(self, folder: Path, threads: Threads, server: ScriptedServer) -> None:
        self.log = MemoryLog(name="upload")
        self.state = folder / ".spool" / "upload.json"
        self.threads = threads
        self.url = server.listen()
        self.services: list[UploadService] = []

    def service(self, **more: Any) -> UploadService:
        way = Way(
            url=more.pop("url", self.url),
            device="fw",
            timeout_seconds=more.pop("timeout_seconds", 10.0),
            proxy=more.pop("proxy", None),
            proxy_user=more.pop("proxy_user", None),
            proxy_password=more.pop("proxy_password", None),
        )
        receiver = LogServiceReceiver(way=way, device_id="tdid_abcd1234", device_key=Secret("key"))
        service = UploadService(
            reactor,
            self.threads,
            self.log,
            receiver,
            self.state,
            self.log.seal,
            DeferredSemaphore(2),
            **more,
        )
        service.running = True  # the schedule is not what most tests look at
        return service

    async def send(self, service: UploadService) -> UploadOutcome:
        return await service.upload_now(lambda _: None)


@pytest.fixture
def bench(tmp_path: Path, threads: Threads, server: ScriptedServer) -> Bench:
    return Bench(tmp_path, threads, server)


def hit(at: int) -> bytes:
    return b"<166>%%ASA-6-106100: access-list a denied tcp i/192.0.2.1(1) -> o/1.2.3.4(%d)\n" % at


def miss(at: int) -> bytes:
    return b"<166>%%ASA-6-302013: Built outbound TCP connection %d\n" % at


@pytest_twisted.ensureDeferred
async def test_policy_lines_are_sent_and_others_passed(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(miss(1), hit(1), miss(2), hit(2), miss(3))
    outcome = await bench.send(bench.service())
    assert (outcome.batches, outcome.lines, outcome.not_selected) == (1, 2, 3)
    (request,) = server.requests
    assert unpacked(request) == hit(1) + hit(2)
    assert request.headers["tscm-lines"] == "2"
    assert request.headers["tscm-batch-range"] == f"0-{bench.log.end}"
    assert credentials(request) == "tdid_abcd1234:key"
    assert key_pattern().fullmatch(request.key)
    assert bench.log.confirms == [(bench.log.end, 2, 3)]
    assert not bench.state.exists()


@pytest_twisted.ensureDeferred
async def test_without_a_policy_line_nothing_is_requested(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(miss(1), miss(2))
    outcome = await bench.send(bench.service())
    assert str(outcome) == "nothing to send"
    assert server.requests == []
    assert bench.log.position.not_selected == 2


@pytest_twisted.ensureDeferred
async def test_a_long_log_goes_in_batches_of_the_size_set(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(*(hit(at) for at in range(4000)))
    outcome = await bench.send(bench.service(max_batch_kb=50))
    assert outcome.lines == 4000
    assert outcome.batches > 4
    assert b"".join(unpacked(one) for one in server.requests) == b"".join(map(hit, range(4000)))
    assert all(len(unpacked(one)) < 60 << 10 for one in server.requests)


@pytest_twisted.ensureDeferred
async def test_after_a_crash_the_batch_is_the_same(bench: Bench, server: ScriptedServer) -> None:
    bench.log.append(hit(1), miss(1), hit(2))
    taken: list[Request] = []

    def store_then_vanish(request: Request) -> str:
        taken.append(request)
        return "reset"

    server.late = store_then_vanish
    with pytest.raises(UploadFailed, match="may have stored it"):
        await bench.send(bench.service())
    bench.log.append(hit(3))  # does not join the batch that was begun
    server.late = lambda request: stored(request, known=request.key == taken[0].key)
    reborn = bench.service()
    outcome = await bench.send(reborn)
    again = server.requests[1]
    assert (again.key, again.body) == (taken[0].key, taken[0].body)
    assert outcome.lines == 3
    assert bench.log.position.sent == 3
    assert reborn.figures().repeats_known == 1


@pytest_twisted.ensureDeferred
async def test_a_stop_between_answer_and_forgetting_repeats_nothing(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(1))
    service = bench.service()
    real = bench.log.confirm

    def confirm_and_die(offset: int, *, sent: int, not_selected: int = 0) -> None:
        real(offset, sent=sent, not_selected=not_selected)
        raise OSError("killed here")

    bench.log.confirm = confirm_and_die  # type: ignore[method-assign]
    with pytest.raises(UploadFailed):
        await bench.send(service)
    assert bench.state.exists()
    bench.log.confirm = real  # type: ignore[method-assign]
    assert str(await bench.send(bench.service())) == "nothing to send"
    assert len(server.requests) == 1
    assert not bench.state.exists()


@pytest_twisted.ensureDeferred
async def test_a_batch_in_hand_ahead_of_the_position_makes_nothing_be_skipped(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(1), hit(2))
    part = Part(key="old", start=len(hit(1)), end=bench.log.end)
    bench.state.parent.mkdir()
    write_state(bench.state, [part])
    await bench.send(bench.service())
    assert b"".join(map(unpacked, server.requests)) == hit(1) + hit(2)
    assert bench.log.position.sent == 2


@pytest_twisted.ensureDeferred
async def test_too_large_is_split_until_it_fits(bench: Bench, server: ScriptedServer) -> None:
    bench.log.append(*(line for at in range(100) for line in (miss(at), hit(at))))

    def small_only(request: Request) -> bytes:
        return stored(request) if len(unpacked(request)) <= 2000 else answer(413)

    server.late = small_only
    outcome = await bench.send(bench.service())
    taken = [one for one in server.requests if len(unpacked(one)) <= 2000]
    assert b"".join(unpacked(one) for one in taken) == b"".join(map(hit, range(100)))
    assert (outcome.lines, outcome.not_selected) == (100, 100)
    assert len({one.key for one in taken}) == len(taken)
    assert all(one.key.startswith(server.requests[0].key + ".") for one in taken)
    assert bench.log.position.sent == 100
    ranges = [one.headers["tscm-batch-range"].split("-") for one in taken]
    assert [one[0] for one in ranges[1:]] == [one[1] for one in ranges[:-1]]


@pytest_twisted.ensureDeferred
async def test_a_line_that_is_too_large_alone_is_set_aside(
    bench: Bench, server: ScriptedServer
) -> None:
    huge = hit(1)[:-1] + b"x" * 5000 + b"\n"
    bench.log.append(hit(0), huge, hit(2))
    server.late = lambda one: stored(one) if len(unpacked(one)) < 3000 else answer(413)
    service = bench.service()
    outcome = await bench.send(service)
    assert (outcome.lines, outcome.aside) == (2, 1)
    (aside,) = await service.rejected_batches()
    assert aside.lines == 1
    assert bench.log.position.offset == bench.log.end
    server.late = stored
    assert (await service.resend_rejected(aside.key)).lines == 1
    assert unpacked(server.requests[-1]) == huge
    assert await service.rejected_batches() == []


@pytest_twisted.ensureDeferred
async def test_a_bad_batch_is_set_aside_and_does_not_block_the_line(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(666))
    server.late = lambda one: answer(400) if b"(666)" in unpacked(one) else stored(one)
    service = bench.service()
    for _ in range(MAX_REFUSALS - 1):
        with pytest.raises(UploadFailed, match="scripted 400"):
            await bench.send(service)
    assert bench.log.position.offset == 0
    assert service.figures().state == "waiting"
    await bench.send(service)
    bench.log.append(hit(1))
    outcome = await bench.send(service)
    assert outcome.lines == 1
    assert [one.cause for one in await service.rejected_batches()] == [
        "the log service returned: scripted 400 (400)"
    ]
    assert service.figures().rejected_batches == 1
    reborn = bench.service()
    await bench.send(reborn)
    assert "1 batch was rejected" in reborn.figures().sentence


@pytest_twisted.ensureDeferred
async def test_a_receiver_without_zstd_gets_gzip_then_plain(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(1))
    server.late = lambda one: (
        answer(415) if one.headers.get("content-encoding") == "zstd" else stored(one)
    )
    service = bench.service()
    await bench.send(service)
    server.late = lambda one: answer(415) if "content-encoding" in one.headers else stored(one)
    bench.log.append(hit(2))
    await bench.send(service)
    assert [one.headers.get("content-encoding") for one in server.requests] == [
        "zstd",
        "gzip",
        "gzip",
        None,
    ]
    assert unpacked(server.requests[-1]) == hit(2)
    assert bench.log.position.sent == 2


@pytest_twisted.ensureDeferred
async def test_retry_after_is_honoured(bench: Bench, server: ScriptedServer) -> None:
    bench.log.append(hit(1))
    server.late = lambda _: answer(429, Retry_After="1800")
    service = bench.service()
    with pytest.raises(UploadFailed, match="429"):
        await bench.send(service)
    figures = service.figures()
    assert figures.retry_at - reactor.seconds() > 1700
    assert "next attempt in" in figures.sentence


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (lambda _: answer(500), "returned: scripted 500"),
        (
            lambda _: answer(401),
            (
                "check device ID tdid_abcd1234 and its key; set another key with "
                "`tsadmin configure fw --upload_key -`"
            ),
        ),
        (lambda _: answer(404), "the server is not a log service"),
        (lambda _: answer(200, {"welcome": "to the hotel"}), "not from a log service"),
        (lambda _: "reset", "no response to the batch was received"),
        (lambda _: None, "no response to the batch was received"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_each_failure_has_its_own_words_and_loses_nothing(
    bench: Bench, server: ScriptedServer, late: Any, words: str
) -> None:
    bench.log.append(hit(1))
    server.late = late
    service = bench.service(timeout_seconds=1.0)
    with pytest.raises(UploadFailed, match=words):
        await bench.send(service)
    figures = service.figures()
    assert figures.state == "waiting"
    assert words in str(figures.last_error)
    assert figures.batch == server.requests[0].key
    server.late = stored
    assert (await bench.send(service)).lines == 1
    assert server.requests[-1].key == figures.batch


@pytest_twisted.ensureDeferred
async def test_a_close_in_mid_body_is_told_apart(bench: Bench, server: ScriptedServer) -> None:
    import random

    noise = random.Random(1)
    bench.log.append(
        *(hit(at)[:-1] + noise.randbytes(3000).hex().encode() + b"\n" for at in range(2000))
    )
    server.early = lambda _: "reset"
    with pytest.raises(UploadFailed, match="while the batch was being sent"):
        await bench.send(bench.service())


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "requires a valid user and password",
        ),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "requires a valid user and password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "forbids CONNECT"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach the log service"),
        (b"HTTP/1.1 501 No\r\n\r\n", "does not support CONNECT"),
        (b"HTTP/1.1 299 Odd\r\n\r\nleft over", "TLS handshake with the log service"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_each_fault_of_a_proxy_has_its_own_words(
    bench: Bench, server: ScriptedServer, late: bytes, words: str
) -> None:
    bench.log.append(hit(1))
    server.late = lambda _: late
    service = bench.service(
        url="https://logs.example", proxy=bench.url, proxy_user="u", proxy_password=Secret("p")
    )
    with pytest.raises(UploadFailed, match=words):
        await bench.send(service)
    assert server.requests[0].line == "CONNECT logs.example:443 HTTP/1.1"
    assert bench.log.position.offset == 0


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_hangs_after_connect_is_given_up(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(1))
    transports: list[Any] = []

    class Hanging(server.protocol):  # type: ignore[name-defined, misc]
        def dataReceived(self, data: bytes) -> None:
            transports.append(self.transport)
            if data.startswith(b"CONNECT"):
                self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    server.protocol = Hanging
    service = bench.service(url="https://logs.example", proxy=bench.url, timeout_seconds=0.5)
    with pytest.raises(UploadFailed, match="TLS handshake with the log service"):
        await bench.send(service)


@pytest_twisted.ensureDeferred
async def test_the_schedule_seals_sends_and_outlives_failures(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(1))
    service = bench.service(interval_seconds=0.2, chance=lambda: 0.0)
    service.running = False
    service.startService()
    await until(lambda: bench.log.position.sent == 1)
    bench.log.append(hit(2))
    await until(lambda: bench.log.position.sent == 2)
    await until(lambda: service.figures().batches == 2)  # counted when the batch is forgotten
    assert service.figures().failures == 0
    stopped = service.stopService()
    if isinstance(stopped, Deferred):
        await stopped
    assert service.figures().state == "off"


@pytest_twisted.ensureDeferred
async def test_retention_under_a_batch_costs_only_what_it_took(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(*(hit(at) for at in range(10)))
    server.late = lambda _: answer(503)
    service = bench.service()
    with pytest.raises(UploadFailed):
        await bench.send(service)
    bench.log.expire(sum(len(hit(at)) for at in range(4)))
    server.late = stored
    outcome = await bench.send(service)
    assert outcome.lines == 6
    assert bench.log.position.expired == 4
    assert bench.log.position.sent == 6
    await until(lambda: service.figures().last_upload_at is not None)
    assert service.figures().sentence.endswith("are uploaded except 4 lines that expired")


@pytest_twisted.ensureDeferred
async def test_what_was_set_aside_can_be_given_up(bench: Bench, server: ScriptedServer) -> None:
    bench.log.append(hit(1))
    server.late = lambda _: answer(400)
    service = bench.service()
    for _ in range(MAX_REFUSALS - 1):
        with pytest.raises(UploadFailed):
            await bench.send(service)
    await bench.send(service)
    (aside,) = await service.rejected_batches()
    with pytest.raises(UploadFailed, match="scripted 400"):
        await service.resend_rejected(aside.key)
    assert await service.rejected_batches() == [aside]
    assert await Deferred.fromCoroutine(service.discard_rejected(aside.key)) == aside
    assert await service.rejected_batches() == []
    assert service.figures().rejected_batches == 0
    for gone in (service.resend_rejected(aside.key), service.resend_rejected("../../key")):
        with pytest.raises(UploadFailed, match="no rejected batch"):
            await gone


@pytest_twisted.ensureDeferred
async def test_no_more_uploads_run_at_once_than_there_are_slots_for_all_devices(
    tmp_path: Path, threads: Threads
) -> None:
    slots, under_way, most = DeferredSemaphore(2), [0], [0]
    wide = Threads(reactor, 6, "wide")
    wide.startService()

    @define
    class Counting:
        def send(self, _: Part, __: Content) -> bool:
            with guard:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            time.sleep(0.05)
            with guard:
                under_way[0] -= 1
            return False

    guard = threading.Lock()
    services = []
    for number in range(6):
        log = MemoryLog(name="upload")
        log.append(*(hit(at) for at in range(900)))
        state = tmp_path / str(number) / "upload.json"
        service = UploadService(
            reactor, wide, log, Counting(), state, log.seal, slots, max_batch_kb=50
        )
        service.running = True
        services.append(service)
    done = await gatherResults([one.upload_now(lambda _: None) for one in services])
    assert [one.lines for one in done] == [900] * 6
    assert most[0] == 2
    await wide.stopService()


@pytest_twisted.ensureDeferred
async def test_progress_of_an_upload_is_told(bench: Bench, server: ScriptedServer) -> None:
    bench.log.append(*(hit(at) for at in range(2000)))
    told: list[Progress] = []
    outcome = await bench.service(max_batch_kb=50).upload_now(told.append)
    assert len(told) == outcome.batches > 2
    done = [one.done or 0 for one in told]
    assert done == sorted(done)
    assert told[-1].done == told[-1].total == bench.log.end


@pytest_twisted.ensureDeferred
async def test_a_fault_while_sealing_does_not_end_the_schedule(
    bench: Bench,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    logged_failures: list[LogEvent],
) -> None:
    really, calls = bench.log.seal, 0

    def seal() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError
        return really()

    monkeypatch.setattr(bench.log, "seal", seal)
    service = bench.service(interval_seconds=0.05, retry_first_seconds=0.05)
    service.running = False
    service.startService()
    bench.log.append(hit(1))
    await until(lambda: len(server.requests) == 1)
    stopped = service.stopService()
    assert stopped is not None
    await stopped
    assert len(logged_failures) == 1
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_after_a_restart_it_says_that_lines_were_sent_before(bench: Bench) -> None:
    said = bench.service().figures().sentence
    assert said == "nothing was uploaded since the manager started or its settings last changed"
    bench.log.append(hit(1), hit(2))
    await bench.send(bench.service())
    again = bench.service().figures()
    assert again.sentence.endswith("settings last changed; 2 lines were before")


def refused_with(status: int, _: Request) -> Answer:
    return answer(status)


@pytest_twisted.ensureDeferred
async def test_an_account_that_is_not_known_is_told_also_behind_other_failures(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.log.append(hit(1))
    service = bench.service()
    with capturedLogs() as said:
        for status in (500, 401, 401):
            server.late = partial(refused_with, status)
            with pytest.raises(UploadFailed):
                await bench.send(service)
    warned = [str(one["sentence"]) for one in said if one["log_level"].name == "warn"]
    assert ["(500)" in warned[0], "(401)" in warned[1], len(warned)] == [True, True, 2]
    assert "(401)" in str(service.figures().last_error)

    server.late = stored
    await bench.send(service)
    assert service.figures().failures == 0
