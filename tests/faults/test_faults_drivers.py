"""
The same faults for every driver: cut, error, silence, slow, refused, killed, edited by hand, failover, reload.

`make test` tries each at two exchanges of an update, `make faults` at every one.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.faults.driver_matrix import FAULTS, Matrix
from tests.faults.driver_ways import ROWS, Row
from tests.faults.probes import thorough
from tscm.simulator.service import AsaOptions, SimulatedAsa

IN_SAMPLE = 2
EVERY = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(username="admin", password="secret"))
    service.startService()
    yield service
    await service.stopService()


async def tried(asa: SimulatedAsa, row: Row, **sample: Any) -> None:
    matrix = Matrix(asa, row)
    await matrix.prepare()
    total = await matrix.total()
    assert total > 6
    for number, kind in enumerate(FAULTS):
        for at in places(total, number, **sample):
            await matrix.case(kind, at)


def places(total: int, number: int, *, most: int) -> list[int]:
    """Exchanges at which the fault with that *number* is tried; others for each, so that all are near to one."""
    if most >= total:
        return list(range(1, total + 1))
    step = total / most
    shift = number * step / len(FAULTS)
    return [int(shift + one * step) + 1 for one in range(most)]


@EVERY
@pytest_twisted.ensureDeferred
async def test_a_fault_at_some_exchanges_leaves_protection_and_is_overcome(
    asa: SimulatedAsa, row: Row
) -> None:
    await tried(asa, row, most=IN_SAMPLE)


@thorough
@EVERY
@pytest_twisted.ensureDeferred
async def test_a_fault_at_any_exchange_leaves_protection_and_is_overcome(
    asa: SimulatedAsa, row: Row
) -> None:
    await tried(asa, row, most=1_000_000)
