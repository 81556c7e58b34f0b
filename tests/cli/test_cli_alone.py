"""
Policy commands without a manager, in this process.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tscm.cli import alone
from tscm.policy.cidr import Entries
from tscm.secrets import Secret, load_key
from tscm.settings.device import DeviceSettings
from tscm.settings.files import write_device
from tscm.settings.layout import Layout


def test_what_was_seen_hitting_stays_also_when_no_manager_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text("")
    settings = DeviceSettings(
        name="fw",
        device_id="tdid_test1",
        device="192.0.2.1",
        block_list="block.example",
        allow_list="allow.example",
        username="admin",
        password=Secret("secret"),
    )
    write_device(layout, settings, load_key(layout.key, create=True))
    asked = []

    def recent(database: Path, device: str, _now: float) -> Any:
        asked.append((database, device))
        return lambda entries: np.arange(len(entries))

    monkeypatch.setattr(alone, "recent_hits", recent)

    def hits_of(updates: Any) -> Any:
        return updates.ask_device("fw", lambda job: job.hits(Entries.of(["8.8.8.8", "9.9.9.9"])))

    assert alone.ask_alone(layout, "fw", hits_of).tolist() == [0, 1]
    assert asked == [(layout.database, "fw")]
