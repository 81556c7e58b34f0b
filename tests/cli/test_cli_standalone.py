"""
Policy commands without a manager, in this process.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tscm.base.secrets import Secret, load_key
from tscm.cli import standalone, standalone_store
from tscm.manager.node import Node
from tscm.operations.arguments import Device
from tscm.operations.call import Call
from tscm.operations.calls import Calls
from tscm.operations.table import RESUME
from tscm.policy.cidr import Entries
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

    monkeypatch.setattr(standalone_store, "recent_hits", recent)

    async def hits_of(node: Node, args: Device, call: Call) -> Any:
        assert node.updates is not None
        return await node.updates.ask_device(
            args.name,
            lambda job: job.hits(Entries.of(["8.8.8.8", "9.9.9.9"])).tolist(),  # type: ignore[misc]
        )

    monkeypatch.setattr(standalone_store, "Calls", partial(Calls, handlers=lambda _: hits_of))
    found: Any = standalone.StandaloneBackend(layout).call(RESUME, Device(name="fw"))
    assert found == [0, 1]
    assert asked == [(layout.database, "fw")]
