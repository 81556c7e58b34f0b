"""
Policy commands without a manager, in this process.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tscm.base.secrets import Secret, load_key
from tscm.cli import standalone, standalone_store
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.manager.node import Node
from tscm.operations.arguments import Device
from tscm.operations.call import Call
from tscm.operations.calls import Calls
from tscm.operations.table.policies import RESUME
from tscm.policy.cidr import Entries
from tscm.settings.files import write_device
from tscm.settings.layout import Layout
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.known_name import KnownName
from tscm.wire.writing import as_json

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Tsadmin


def test_what_was_seen_hitting_stays_also_when_no_manager_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text("")
    settings = AsaRestSettings(
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


def test_a_name_that_the_last_update_could_not_look_up_is_told_by_show(
    tsadmin: "Tsadmin", add: "Add", root: Path
) -> None:
    add()
    store = Store(Layout(root).database)
    store.open()
    unknown = KnownName(name="siem.example").after((), 5.0)
    known = KnownName(name="other.example").after(("192.0.2.7",), 5.0)
    Policies(store).keep_names("tstest", [as_json(unknown), as_json(known)])
    store.close()

    done = tsadmin("show", "tstest")
    assert not list(Layout(root).database.parent.glob("tscm.db-*")), "show leaves nothing behind"
    assert done.status == 0
    assert "siem.example, which must not be blocked, has not resolved since" in done.err
    assert "none of its addresses is known" in done.err
    assert "other.example" not in done.both


def test_rejected_batches_without_a_log_service_are_no_good_news(
    tsadmin: "Tsadmin", add: "Add", root: Path
) -> None:
    add()
    assert "not uploaded" not in tsadmin("logs", "tstest", "--rejected").both
    tsadmin("configure", "tstest", "--send_logs", "no")
    assert "--send_logs yes`" in tsadmin("logs", "tstest", "--rejected").out
    (root / "etc/tscm/tscm.toml").write_text("")
    done = tsadmin("logs", "tstest", "--rejected")
    assert "logs of tstest are not uploaded: no log service is configured" in done.out
    assert "no rejected batches" in done.out
