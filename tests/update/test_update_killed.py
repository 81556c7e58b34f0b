"""
A manager that is killed between two requests: nothing of the run is kept, and the next one finishes it.
"""

from typing import Any

import pytest
import pytest_twisted

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.test_update_faults import SINGLY, Matrix
from tscm.kinds.asa.rest.link import RestLink
from tscm.simulator.service import SimulatedAsa


class Killed(BaseException):
    """Goes through everything that waits for faults, as the end of a process does."""


@pytest.mark.parametrize("first", [True, False], ids=["first load", "change"])
@pytest.mark.parametrize("driver", [{}, SINGLY], ids=["joined", "singly"])
@pytest_twisted.ensureDeferred
async def test_killed_between_any_two_requests_the_next_run_converges_and_leaves_no_orphan(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch, driver: dict[str, int], first: bool
) -> None:
    matrix = Matrix(asa, first=first, driver=driver)
    await matrix.prepare()
    world, send = matrix.world, RestLink._send

    def run_until_killed(requests: int) -> None:
        left = [requests]

        def send_or_die(link: RestLink, *args: Any, **kwargs: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return send(link, *args, **kwargs)

        monkeypatch.setattr(RestLink, "_send", send_or_die)
        with pytest.raises(Killed):
            world.run()
        monkeypatch.setattr(RestLink, "_send", send)

    total = await matrix.count()
    assert total > 6
    for requests in range(total):
        matrix.rewind()
        matrix.faults.arm("", 0)
        before = (dict(world.known), world.applied, dict(world.memory))
        await in_thread(run_until_killed, requests)
        assert before == (world.known, world.applied, world.memory)
        assert not matrix.faults.complaints, requests
        assert (await in_thread(world.run)).good, requests
        assert not matrix.faults.complaints, requests
        assert world.converged(), requests
