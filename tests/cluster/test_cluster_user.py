"""
As whom `tsadmin cluster` asks the servers.
"""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tscm.cli.cluster as cli
from tscm.base.host_port import HostPort
from tscm.cli.session import Session
from tscm.cluster.setup import ClusterFault
from tscm.settings.cluster import ClusterSettings


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], ("m1", "/own")),
        (["--secret_file", "/other"], ("m1", "/other")),
        (["--user", "admin", "--secret_file", "/other"], ("admin", "/other")),
    ],
)
@pytest.mark.parametrize("name", ["init", "show"])
def test_a_password_alone_is_that_of_the_user_of_the_settings(
    name: str,
    words: list[str],
    wanted: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    own = ClusterSettings(servers=(HostPort("n1.site"),), user="m1", secret_file="/own")
    asked: list[ClusterSettings] = []

    def connection(_layout: Any, cluster: ClusterSettings, *_rest: Any) -> Any:
        asked.append(cluster)
        raise ClusterFault("cluster", "was asked")

    monkeypatch.setattr(cli, "_settings", lambda _session: (own, "m1"))
    monkeypatch.setattr(cli, "_with_connection", connection)
    CliRunner().invoke(cli.command, [name, *words], obj=Session(str(tmp_path)))

    assert [(one.user, one.secret_file) for one in asked] == [wanted]
