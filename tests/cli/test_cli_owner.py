"""
Root changes the settings of a manager that runs as another user.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tscm.settings.layout import Layout
from tscm.settings.lock import policies_held
from tscm.settings.owner import as_caller, as_owner, chown_to_owner, owner_of

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


@pytest.fixture
def theirs(root: Path) -> Iterator[Layout]:
    """A node that belongs to nobody, with a file of root's beside it that must not change."""
    layout = Layout(root)
    for folder in (layout.devices, layout.state, layout.logs, layout.run):
        folder.mkdir(parents=True)
        os.chown(folder, NOBODY, NOBODY)
    (root / "roots").mkdir(mode=0o755)
    (root / "roots/victim").write_text("precious\n")
    yield layout
    assert (root / "roots/victim").read_text() == "precious\n"
    assert (root / "roots/victim").stat().st_uid == 0
    assert [one.name for one in (root / "roots").iterdir()] == ["victim"]
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.parametrize("name", ["lock", "policy.lock"])
@pytest.mark.parametrize("how", ["symbolic", "hard", "dangling"])
def test_no_link_in_the_place_of_a_lock_is_followed(
    theirs: Layout, tsadmin: "Tsadmin", options: "Options", name: str, how: str
) -> None:
    paths = {"lock": theirs.lock, "policy.lock": theirs.policy_lock}
    victim = theirs.root / "roots/victim"
    if how == "hard":
        paths[name].hardlink_to(victim)
    else:
        paths[name].symlink_to(victim if how == "symbolic" else victim.with_name("made"))
    tsadmin("add", "--type=asarest", *options(), "tstest")
    tsadmin("spool", "repair", "tstest")


@pytest.mark.parametrize("name", ["tscm.db", "tscm.db-wal", "tscm.db-shm", "key", "portal"])
def test_no_link_in_the_state_is_written_through(
    theirs: Layout, tsadmin: "Tsadmin", options: "Options", name: str
) -> None:
    made = theirs.root / "roots" / "made"
    (theirs.state / name).symlink_to(made if name != "portal" else theirs.root / "roots")
    tsadmin("add", "--type=asarest", *options(), "tstest")
    tsadmin("policy", "history", "tstest")
    tsadmin("portal", "add", "office", "--address", "192.0.2.1")
    tsadmin("portal", "remove", "office", "--yes")


def test_a_link_that_root_may_not_follow_is_named(theirs: Layout, tsadmin: "Tsadmin") -> None:
    theirs.portal.symlink_to(theirs.root / "roots")
    done = tsadmin("portal", "add", "office", "--address", "192.0.2.1")
    assert done.status == 1
    assert (
        f": {theirs.portal} is a link to {theirs.root / 'roots'}, which does not belong to"
        in done.err
    )
    assert "run tsadmin as root" not in done.err

    theirs.portal.unlink()
    theirs.portal.mkdir(mode=0o755)  # root's, and no link
    done = tsadmin("portal", "add", "office", "--address", "192.0.2.1")
    assert done.status == 1
    assert "change the owner of the file or its directory to that user" in done.err


@pytest.mark.parametrize("folder", ["devices", "logs", "run", "state"])
def test_no_folder_that_was_made_a_link_leads_root_away(
    theirs: Layout, tsadmin: "Tsadmin", options: "Options", folder: str
) -> None:
    path: Path = getattr(theirs, folder)
    os.chown(path.parent, NOBODY, NOBODY)
    path.rmdir()
    path.symlink_to(theirs.root / "roots")
    tsadmin("add", "--type=asarest", *options(), "tstest")
    tsadmin("remove", "tstest", "--yes")


def test_folders_are_made_and_given_only_where_the_owner_cannot_put_a_link(root: Path) -> None:
    layout = Layout(root)
    roots = root / "roots"
    roots.mkdir()
    (root / "var").mkdir()
    os.chown(root / "var", NOBODY, NOBODY)
    (root / "var/lib").symlink_to(roots)
    with chown_to_owner(layout):
        assert os.geteuid() == NOBODY
        layout.run.joinpath("mine").write_text("")

    assert list(roots.iterdir()) == []
    assert layout.run.stat().st_uid == NOBODY
    assert layout.run.parent.stat().st_uid == 0
    assert layout.run.joinpath("mine").stat().st_uid == NOBODY


def test_root_reads_and_is_himself_again_where_he_named_the_place(root: Path) -> None:
    secret = root / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    with as_owner(Layout(root)):
        assert secret.read_text() == "s"
        with pytest.raises(PermissionError):
            secret.write_text("t")
        with as_caller():
            secret.write_text("t")
        with pytest.raises(PermissionError):
            secret.unlink()
    assert secret.read_text() == "t"


def test_files_of_root_stay_with_root(tmp_path: Path) -> None:
    (tmp_path / "etc/tscm").mkdir(parents=True)

    assert owner_of(Layout(tmp_path)) is None
    assert owner_of(Layout(tmp_path / "nowhere")) is None


@pytest.fixture(params=["in folders of his", "in folders of root's"])
def led_away(request: pytest.FixtureRequest) -> Iterator[tuple[Layout, Path]]:
    """A root in which somebody has made all folders links into a place of root's; that place."""
    folder = Path(tempfile.mkdtemp(prefix="tscm-owner-"))
    folder.chmod(0o755)
    place, root = folder / "roots", folder / "theirs"
    place.mkdir()
    layout = Layout(root)
    for one in (layout.settings_file.parent, layout.state, layout.logs, layout.run):
        one.parent.mkdir(parents=True, exist_ok=True)
        one.symlink_to(os.path.relpath(place, one.parent))
        os.lchown(one, NOBODY, NOBODY)
        if "his" in request.param:
            os.chown(one.parent, NOBODY, NOBODY)
    yield layout, place
    shutil.rmtree(folder)


def test_a_link_of_somebodys_in_the_place_of_a_folder_leads_root_nowhere(
    led_away: tuple[Layout, Path],
) -> None:
    layout, place = led_away
    assert owner_of(layout) == (NOBODY, NOBODY)
    with pytest.raises(PermissionError), policies_held(layout, "tsadmin"):
        pass
    assert list(place.iterdir()) == []
    assert place.stat().st_uid == 0


def test_a_link_that_root_made_is_as_good_as_a_folder(led_away: tuple[Layout, Path]) -> None:
    layout, place = led_away
    for one in (layout.settings_file.parent, layout.state, layout.logs, layout.run):
        os.lchown(one, 0, 0)
    assert owner_of(layout) is None
    with policies_held(layout, "tsadmin"):
        assert (place / layout.policy_lock.name).exists()
    os.chown(place, NOBODY, NOBODY)
    assert owner_of(layout) == (NOBODY, NOBODY)


def test_links_without_end_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("etc")
    assert owner_of(Layout(tmp_path)) is None


PRIVATE_PYTHON = """
import os, sys
from pathlib import Path

private, root = sys.argv[1:3]

class Unreadable:
    def find_spec(self, name, path=None, target=None):
        if os.geteuid() and not os.access(private, os.R_OK, effective_ids=True):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Unreadable())
from tscm.settings.layout import Layout
from tscm.settings.owner import as_owner

with as_owner(Layout(Path(root))):
    import colorsys
    print(os.geteuid(), open(private).read())
"""


def test_a_python_that_is_roots_alone_works_with_the_owners_rights(theirs: Layout) -> None:
    private = theirs.root / "private"
    private.write_text("read")
    private.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", PRIVATE_PYTHON, str(private), str(theirs.root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{NOBODY} read\n", "")
