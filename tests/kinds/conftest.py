"""
Fixtures of the drivers' tests.
"""

from collections.abc import AsyncIterator

import pytest_twisted
from twisted.internet import reactor

from tscm.simulator.service import AsaOptions, SimulatedAsa


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(username="admin", password="sécret: x"))
    service.startService()
    yield service
    await service.stopService()
