"""
How long the oldest line has waited for each reader.
"""

import pytest_twisted
from twisted.internet.task import Clock

from tscm.manager.lag import LOOK_SECONDS, ReaderLags


@pytest_twisted.ensureDeferred
async def test_a_reader_that_stands_falls_behind_and_one_that_follows_does_not() -> None:
    clock, at = Clock(), {"end": 0, "slow": 0}
    lags = ReaderLags(
        clock,
        lambda: {"fw": at["end"]},
        lambda _: (at["end"], {"slow": at["slow"], "quick": at["end"]}),
    )
    await lags.sample()
    for _ in range(4):
        at["end"] += 100
        await lags.sample()
        clock.advance(LOOK_SECONDS)
    assert lags.of("fw") == {"slow": 4 * LOOK_SECONDS, "quick": 0.0}
    at["slow"] = 100
    assert lags.of("fw")["slow"] == 3 * LOOK_SECONDS
    at["slow"] = 400
    assert lags.of("fw")["slow"] == 0


@pytest_twisted.ensureDeferred
async def test_what_is_gone_is_forgotten() -> None:
    clock, devices, readers = Clock(), ["a", "b"], {"one": 0, "two": 0}
    lags = ReaderLags(clock, lambda: dict.fromkeys(devices, 10), lambda _: (10, readers))
    await lags.sample()
    clock.advance(7)
    assert lags.of("b") == {"one": 7.0, "two": 7.0}
    devices.remove("b")
    del readers["two"]
    await lags.sample()
    assert lags.of("a") == {"one": 7.0}
    devices.append("b")
    assert lags.of("b") == {"one": 0.0}


@pytest_twisted.ensureDeferred
async def test_a_look_asks_only_of_logs_that_grew_and_of_readers_that_are_behind() -> None:
    clock, asked = Clock(), list[str]()
    ends, at = {"still": 0, "grows": 0, "behind": 10}, {"still": 0, "grows": 0, "behind": 0}

    def positions(name: str) -> tuple[int, dict[str, int]]:
        asked.append(name)
        return ends[name], {"one": at[name]}

    async def look() -> set[str]:
        asked.clear()
        await lags.sample()
        clock.advance(LOOK_SECONDS)
        return set(asked)

    lags = ReaderLags(clock, lambda: dict(ends), positions)
    assert await look() == {"still", "grows", "behind"}
    ends["grows"] = at["grows"] = 5
    assert await look() == {"grows", "behind"}
    at["behind"] = 10
    assert await look() == {"behind"}
    assert await look() == set()
    assert lags.of("behind") == {"one": 0.0}
