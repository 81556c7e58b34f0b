"""
What lies at a path and is not the file that it should be: pipes, devices, links, files without end.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.manager.manager_process import SETTINGS, Manager, wait_for
from tscm.base.safe_files import UnfitFile, open_regular, read_private, read_regular, trusting
from tscm.base.secrets import load_key
from tscm.errors import TscmError
from tscm.intake.tls import TlsFiles, TlsServer
from tscm.ledger.book import read_book
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import fetch_feed
from tscm.retrieve.stream import Limits
from tscm.services.certificate import tls_options
from tscm.services.entries import read_entries
from tscm.services.zone_files import _State, look_at_lists
from tscm.settings.files import key_is_needed, open_device, read_node
from tscm.settings.layout import Layout
from tscm.upload.s3 import read_credentials
from tscm.upload.state import read_state


def pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)
    path.chmod(0o600)


UNFIT = [pipe, device, folder, huge]
Make = Callable[[Path], None]


def _settings(path: Path) -> None:
    read_node(Layout(path.parent.parent.parent))


def _device(path: Path) -> None:
    open_device(Layout(path.parent.parent.parent.parent), "fw")


def _entry(path: Path) -> None:
    found, faults = read_entries(path.parent.parent)
    assert not found
    raise faults[0]


def _list(path: Path) -> None:
    state = look_at_lists(path.parent.parent, lambda: 0.0, _State())
    raise OSError(state.faults["block.example"])


def _feed(path: Path) -> None:
    fetch_feed(
        FeedSource(name="block.example", url=path.as_uri(), limits=Limits(max_bytes=1 << 20)),
        None,
        0.0,
    )


READERS: list[tuple[str, Callable[[Path], Any]]] = [
    ("etc/tscm/tscm.toml", _settings),
    ("etc/tscm/devices/fw.toml", _device),
    ("portal/entries/fw.toml", _entry),
    ("portal/lists/block.example.txt", _list),
    ("feed.txt", _feed),
    ("key", load_key),
    ("ledger", read_book),
    ("credentials", lambda path: read_credentials(path, "")),
    ("ca.pem", lambda path: tls_options(path, path)),
    (
        "tls.pem",
        lambda path: TlsServer(TlsFiles(certificate=str(path), key=str(path)), lambda: 0).load(),
    ),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", UNFIT)
@pytest.mark.parametrize(("name", "read"), READERS, ids=[name for name, _ in READERS])
def test_whoever_reads_says_what_it_is_and_waits_for_nobody(
    tmp_path: Path, name: str, read: Callable[[Path], Any], make: Make
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    with pytest.raises(
        (TscmError, OSError), match=r"not a regular file|larger than|lets others read it"
    ):
        read(path)


@pytest.mark.parametrize("make", [pipe, device, folder])
def test_a_ca_file_is_looked_at_before_openssl_opens_it(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "ca.pem")
    with pytest.raises(UnfitFile, match="not a regular file"):
        trusting(str(tmp_path / "ca.pem"))


def test_a_key_that_cannot_be_read_through_is_not_made_anew(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.devices.mkdir(parents=True)
    pipe(layout.device_file("fw"))
    assert key_is_needed(layout)


@pytest.mark.parametrize("make", UNFIT)
def test_an_upload_in_hand_that_cannot_be_read_is_none(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "state")
    assert read_state(tmp_path / "state") == ()


def test_an_operator_may_link_a_file_and_the_program_may_forbid_it(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    (tmp_path / "link").symlink_to("there")
    assert read_regular(tmp_path / "link") == b"x"
    with pytest.raises(OSError, match="symbolic link"):
        open_regular(tmp_path / "link", links=False)


def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.write_bytes(b"x" * 100)
    path.chmod(0o600)
    assert read_private(path, 100) == b"x" * 100
    with pytest.raises(UnfitFile, match="larger than 99 bytes"):
        read_private(path, 99)


@pytest.mark.parametrize(
    "content", [b"a = " + b"[" * 50_000, b"a = " + b"9" * 5000, b"a = 0x" + b"f" * 9000]
)
def test_toml_without_measure_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_bytes(content)
    with pytest.raises(TscmError) as caught:
        read_node(layout)
    assert "tscm.toml" in str(caught.value)


def test_a_running_manager_goes_on_beside_a_pipe_and_a_device(tmp_path: Path) -> None:
    manager = Manager(tmp_path, SETTINGS)
    manager.write_device("fw")
    manager.start()
    try:
        pipe(manager.layout.device_file("piped"))
        device(manager.layout.device_file("endless"))
        wait_for(
            lambda: {"piped", "endless"} <= set(manager.ask("/v1/status")["faults"]), manager.said
        )
        faults = manager.ask("/v1/status")["faults"]
        assert "it is a named pipe, not a regular file" in faults["piped"]
        assert "it is a device, not a regular file" in faults["endless"]
        assert "Traceback" not in manager.said()
    finally:
        manager.stop()


def test_a_pipe_in_the_place_of_the_serials_keeps_no_list_from_being_given(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/block.example.txt").write_text("192.0.2.0/24\n")
    os.mkfifo(tmp_path / "serials.json")
    state = look_at_lists(tmp_path, lambda: 0.0, _State())
    assert list(state.zones) == ["block.example"]
    assert stat.S_ISREG((tmp_path / "serials.json").stat().st_mode)
