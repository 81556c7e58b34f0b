"""
`tsadmin check`: every fault of the settings files, and nothing changed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.intake.certificates import Authority
from tests.manager.manager_process import Manager
from tscm.devices.settings_check import check_settings
from tscm.settings.layout import Layout


@pytest.fixture
def node(tmp_path: Path) -> Manager:
    one = Manager(tmp_path, "[listen]\nudp = ['127.0.0.1:0']\n")
    one.write_device("fw1", device="192.0.2.1")
    one.write_device("fw2", device="192.0.2.2")
    return one


def sentences(layout: Layout) -> list[str]:
    return [f"{Path(one.file).name}: {one.sentence}" for one in check_settings(layout).faults]


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in root.rglob("*")}


def test_good_settings_have_no_fault_and_nothing_is_written(node: Manager) -> None:
    before = snapshot(node.layout.root)
    found = check_settings(node.layout)
    assert found.devices == 2
    assert found.faults == ()
    assert snapshot(node.layout.root) == before


def test_an_empty_root_is_ok(tmp_path: Path) -> None:
    assert check_settings(Layout(tmp_path / "none")).faults == ()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[listen]\nudq = []\n", "did you mean udp"),
        ("[listen\n", "not valid TOML"),
        (
            "[listen]\ntls_certificate = '/nowhere/a.pem'\ntls_key = '/nowhere/b.pem'\n",
            "/nowhere/a.pem",
        ),
    ],
)
def test_a_fault_of_the_node_is_told(node: Manager, text: str, told: str) -> None:
    node.layout.settings_file.write_text(text)
    assert any(told in one for one in sentences(node.layout))


def test_a_key_of_another_certificate_is_told(node: Manager, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    first, second = one.issue("localhost"), other.issue("localhost")
    node.layout.settings_file.write_text(
        f"[listen]\ntls_certificate = '{first.certificate_file}'\ntls_key = '{second.key_file}'\n"
    )
    assert any("cannot be used together" in found for found in sentences(node.layout))
    node.layout.settings_file.write_text(
        f"[listen]\ntls_certificate = '{first.certificate_file}'\ntls_key = '{first.key_file}'\n"
    )
    assert sentences(node.layout) == []


def test_every_device_is_looked_at(node: Manager) -> None:
    layout = node.layout
    layout.device_file("fw1").write_text("type = 'asarest'\nbogus = 1\n")
    (layout.devices / "bad name!.toml").write_text("")
    node.write_device("fw3", device="192.0.2.2")
    found = sentences(layout)
    assert any(one.startswith("fw1.toml") and "bogus" in one for one in found)
    assert any(one.startswith("bad name!.toml") and "ignored" in one for one in found)
    assert any("192.0.2.2" in one for one in found)


def test_a_secret_that_another_key_sealed_is_told(node: Manager) -> None:
    node.layout.key.unlink()
    assert any("key" in one for one in sentences(node.layout))


def test_the_command_ends_with_2_and_names_the_file(node: Manager) -> None:
    def check(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tscm", "--root", str(node.layout.root), "check", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )

    good = check()
    assert good.returncode == 0
    assert "2 devices are ok" in good.stdout
    node.layout.settings_file.write_text("[listen]\nudq = []\n")
    bad = check()
    assert bad.returncode == 2
    assert str(node.layout.settings_file) in bad.stderr
    assert json.loads(check("--json").stdout)["faults"][0]["file"].endswith("tscm.toml")
