"""
Answers about thousands of devices are made in slices, and are the same documents.
"""

import json
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from tscm.devices.answers import DeviceRow
from tscm.faces.answer_bytes import answer_bytes
from tscm.ledger.figures import Balance, DeviceBalance, ReaderBalance
from tscm.state import ManagerState
from tscm.wire.writing import as_json

DEVICE = DeviceBalance(stored=3, readers={"events": ReaderBalance(user="events", sent=3)})


@pytest.mark.parametrize("count", [0, 1, 64, 65, 1000])
@pytest_twisted.ensureDeferred
async def test_the_document_is_that_of_the_whole_value(count: int) -> None:
    rows = tuple(DeviceRow(name=f"fw{number}") for number in range(count))
    devices = {f'"fw{number}\u00e9': DEVICE for number in range(count)}
    answers: list[Any] = [
        rows,
        list(rows),
        Balance(devices=devices, received=3, balanced=False),
        ManagerState(faults=dict.fromkeys(devices, "x")),
        {"a": [1] * count},
        None,
        "text",
    ]
    for answer in answers:
        made = await answer_bytes(Clock(), answer)
        whole = answer if isinstance(answer, dict) else as_json(answer)
        assert json.loads(made) == whole
        assert list(json.loads(made)) == list(whole) if isinstance(whole, dict) else True
