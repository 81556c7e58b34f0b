"""
Root changes the settings of a manager that runs as another user.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tscm.settings.layout import Layout
from tscm.settings.owner import left_to_owner, owner_of

if TYPE_CHECKING:
    from tests.cli.conftest import Options, Tsadmin

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")


@pytest.fixture
def root() -> Iterator[Path]:
    """A node whose settings belong to another user."""
    folder = Path(tempfile.mkdtemp(prefix="tscm-owner-"))
    folder.chmod(0o755)
    settings = folder / "etc/tscm"
    settings.mkdir(parents=True)
    (settings / "tscm.toml").write_text('[policy]\nservers = ["127.0.0.1:1"]\n')
    os.chown(settings, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def test_what_root_adds_belongs_to_the_manager(
    root: Path, tsadmin: "Tsadmin", options: "Options"
) -> None:
    assert tsadmin("add", "--type=asarest", *options(), "tstest").status == 0
    layout = Layout(root)

    for path in (
        layout.device_file("tstest"),
        layout.key,
        layout.device_log("tstest"),
        layout.policy_lock,
    ):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (NOBODY, NOBODY), path
    assert stat.S_IMODE(layout.device_file("tstest").stat().st_mode) == 0o600
    assert os.geteuid() == 0


def test_entries_of_the_portal_belong_to_the_manager(root: Path, tsadmin: "Tsadmin") -> None:
    assert tsadmin("portal", "add", "office", "--address", "192.0.2.1").status == 0
    made = [one for one in Layout(root).portal.rglob("*") if one.is_file()]

    assert len(made) == 3
    assert {one.stat().st_uid for one in made} == {NOBODY}


def test_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    layout = Layout(root)
    layout.devices.mkdir()
    os.chown(layout.devices, NOBODY, NOBODY)
    theirs, twice = tmp_path / "theirs", tmp_path / "twice"
    theirs.write_text("")
    twice.write_text("")
    (layout.devices / "soft.toml").symlink_to(theirs)
    (layout.devices / "hard.toml").hardlink_to(twice)
    with left_to_owner(layout):
        (layout.devices / "mine.toml").write_text("")

    assert theirs.stat().st_uid == 0
    assert twice.stat().st_uid == 0
    assert (layout.devices / "mine.toml").stat().st_uid == NOBODY


def test_files_of_root_stay_with_root(tmp_path: Path) -> None:
    (tmp_path / "etc/tscm").mkdir(parents=True)

    assert owner_of(Layout(tmp_path)) is None
    assert owner_of(Layout(tmp_path / "nowhere")) is None
