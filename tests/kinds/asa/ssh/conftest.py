"""
What tests of the command line leave behind is closed.
"""

from collections.abc import Iterator

import pytest

from tests.kinds.asa.ssh.command_line import DRIVERS


@pytest.fixture(autouse=True)
def drivers_are_closed() -> Iterator[None]:
    yield
    while DRIVERS:
        DRIVERS.pop().close()
