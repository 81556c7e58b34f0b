"""
What more than one test of the manager needs.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.systemd_load import DEVICES, SETTINGS
from tests.manager.systemd_machine import Machine, need_machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    need_machine()
    made = Machine(tmp_path)
    try:
        made.manager.layout.settings_file.write_text(SETTINGS)
        for name, address in DEVICES.items():
            made.add_device(name, address)
        made.systemctl("start", "tscm.socket")
        yield made
    finally:
        made.end()
