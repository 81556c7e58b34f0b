import os
import stat
from pathlib import Path

import attrs
import pytest

from tscm.base.host_port import HostPort
from tscm.base.secrets import MASK, SealingKey, Secret, load_key
from tscm.devices.stored import propose
from tscm.errors import (
    NoSuchDevice,
    SecretUnavailable,
    SettingsFaulty,
    SettingsUnreadable,
)
from tscm.kinds.asa.settings import asa
from tscm.settings.device import DeviceSettings
from tscm.settings.files import (
    device_names,
    read_device,
    read_node,
    remove_device,
    settings_as_toml,
    write_device,
)
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

GIVEN = {
    "name": "tstest",
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
    "username": "api",
    "password": "s3cret",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def key(layout: Layout) -> SealingKey:
    return load_key(layout.key, create=True)


@pytest.fixture
def stored(layout: Layout, key: SealingKey) -> DeviceSettings:
    settings = propose({**GIVEN, "syslog_sources": "192.0.2.20 192.0.2.21"})
    write_device(layout, settings, key)
    return settings


def test_a_device_comes_back_as_it_was_written(
    layout: Layout, key: SealingKey, stored: DeviceSettings
) -> None:
    assert read_device(layout, "tstest", key) == stored
    assert device_names(layout) == ["tstest"]


def test_files_are_private_and_hold_no_secret(layout: Layout, stored: DeviceSettings) -> None:
    path = layout.device_file("tstest")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.key.stat().st_mode) == 0o600
    assert "s3cret" not in path.read_text()
    assert 'password = "sealed:v1:' in path.read_text()
    assert [one.name for one in path.parent.iterdir()] == ["tstest.toml"]


def test_comments_and_unchanged_secrets_stay(
    layout: Layout, key: SealingKey, stored: DeviceSettings
) -> None:
    path = layout.device_file("tstest")
    text = "# the firewall in the cellar\n" + path.read_text()
    path.write_text(text)
    write_device(layout, attrs.evolve(stored, dns_port=5353), key)

    assert path.read_text() == text.replace("dns_port = 53\n", "dns_port = 5353\n")


def test_a_secret_written_by_hand_is_taken(
    layout: Layout, key: SealingKey, stored: DeviceSettings
) -> None:
    path = layout.device_file("tstest")
    lines = [
        'password = "by hand"' if line.startswith("password") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))

    assert asa(read_device(layout, "tstest", key)).password == Secret("by hand")


def test_without_the_key_secrets_are_masked(layout: Layout, stored: DeviceSettings) -> None:
    settings = read_device(layout, "tstest", None)

    assert asa(settings).password.reveal() == MASK
    assert settings.device == "192.0.2.10"


def test_every_fault_of_a_file_is_in_one_report(layout: Layout, stored: DeviceSettings) -> None:
    path = layout.device_file("tstest")
    path.write_text(
        path.read_text()
        .replace("log_rotate_size = 100", "log_rotate_size = 49")
        .replace("dns_port = 53", 'dns_port = "x"\nnonsense = 1')
        .replace('device = "192.0.2.10"', "")
    )

    with pytest.raises(SettingsFaulty) as caught:
        read_device(layout, "tstest", None)
    assert {fault.where for fault in caught.value.faults} == {
        "log_rotate_size",
        "dns_port",
        "nonsense",
        "device",
    }
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"device = ", "not valid TOML"),
        (b"\xff\xfe", "not valid UTF-8"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        (b"\x00" * 100, "not valid TOML"),
    ],
)
def test_a_damaged_file_is_a_sentence(layout: Layout, content: bytes, cause: str) -> None:
    layout.devices.mkdir(parents=True)
    layout.device_file("x").write_bytes(content)

    with pytest.raises(SettingsUnreadable, match=cause):
        read_device(layout, "x", None)


def test_a_folder_in_the_place_of_a_file_is_a_sentence(layout: Layout) -> None:
    layout.device_file("x").mkdir(parents=True)

    with pytest.raises(SettingsUnreadable, match="directory"):
        read_device(layout, "x", None)


@pytest.mark.parametrize("name", ["../tstest", "", "x" * 300, "a/b", "."])
def test_a_name_that_is_no_nickname_names_no_file(layout: Layout, name: str) -> None:
    with pytest.raises(NoSuchDevice):
        read_device(layout, name, None)
    with pytest.raises(NoSuchDevice):
        remove_device(layout, name)


def test_files_that_are_no_device_are_left_alone(layout: Layout, stored: DeviceSettings) -> None:
    (layout.devices / "a b.toml").write_text("")
    (layout.devices / ".tstest.toml.new").write_text("")
    (layout.devices / "README").write_text("")

    assert device_names(layout) == ["tstest"]


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(layout: Layout) -> None:
    assert device_names(layout) == []
    layout.devices.parent.mkdir(parents=True)
    layout.devices.write_text("")
    with pytest.raises(NotADirectoryError):
        device_names(layout)


def test_a_lost_key_is_a_sentence(layout: Layout, stored: DeviceSettings) -> None:
    layout.key.unlink()

    with pytest.raises(SecretUnavailable, match="it is missing"):
        load_key(layout.key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_of_loose_mode_is_refused(layout: Layout, key: SealingKey, mode: int) -> None:
    layout.key.chmod(mode)

    with pytest.raises(
        SecretUnavailable, match=f"mode {mode:04o} lets other users read it; run `chmod 600"
    ):
        load_key(layout.key)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xff", b"A" * 43, b"!" * 44])
def test_a_damaged_key_is_refused(layout: Layout, key: SealingKey, content: bytes) -> None:
    layout.key.write_bytes(content)

    with pytest.raises(SecretUnavailable, match=r"damaged|cannot be read"):
        load_key(layout.key)


def test_a_key_that_was_not_written_whole_is_none_and_is_made_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            load_key(layout.key, create=True)
    assert list(layout.state.iterdir()) == []
    made = load_key(layout.key, create=True)
    assert load_key(layout.key, create=True) == made
    assert [one.name for one in layout.state.iterdir()] == ["key"]
    assert stat.S_IMODE(layout.key.stat().st_mode) == 0o600


def test_another_key_does_not_open_what_was_sealed(layout: Layout, stored: DeviceSettings) -> None:
    layout.key.unlink()
    other = load_key(layout.key, create=True)

    with pytest.raises(SecretUnavailable, match=r"does not decrypt tstest\.password"):
        read_device(layout, "tstest", other)


def test_a_sealed_secret_does_not_open_in_another_place(
    layout: Layout, key: SealingKey, stored: DeviceSettings
) -> None:
    layout.device_file("tstest").rename(layout.device_file("other"))

    with pytest.raises(SecretUnavailable, match=r"other\.password"):
        read_device(layout, "other", key)


def test_a_torn_secret_is_refused(layout: Layout, key: SealingKey) -> None:
    for torn in ("sealed:v1:", "sealed:v1:AAAA", "sealed:v1:???"):
        with pytest.raises(SecretUnavailable):
            key.open(torn, "x.password")


def test_a_key_from_a_systemd_credential_comes_first(
    layout: Layout, key: SealingKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    os.link(layout.key, credentials / "tscm.key")
    layout.key.unlink()
    (credentials / "tscm.key").chmod(0o440)  # as systemd gives it to a service with a group
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))

    assert load_key(layout.key) == SealingKey(str(credentials / "tscm.key"), key._key)


def test_node_settings_have_defaults_without_a_file(layout: Layout) -> None:
    assert read_node(layout) == NodeSettings()
    assert NodeSettings().policy.servers == ()
    assert NodeSettings().upload.url is None


def test_node_settings_tell_every_fault_with_its_path(layout: Layout) -> None:
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text(
        'nonsense = 1\n[listen]\nudp = ["0.0.0.0:514", "here"]\n[policy]\n'
        'interval_seconds = 1\nservers = "x!"\n[spool]\nfsync = "sometimes"\n[what]\n'
    )

    with pytest.raises(SettingsFaulty) as caught:
        read_node(layout)
    assert {fault.where for fault in caught.value.faults} == {
        "nonsense",
        "what",
        "listen.udp",
        "policy.interval_seconds",
        "policy.servers",
        "spool.fsync",
    }
    assert all(fault.allowed for fault in caught.value.faults)


def test_node_settings_come_back_from_their_own_toml(layout: Layout) -> None:
    settings = NodeSettings(
        address="192.0.2.1", policy=NodeSettings().policy.__class__(servers=(HostPort("::1", 53),))
    )
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text(settings_as_toml(settings))

    assert read_node(layout) == settings


def test_an_unreadable_folder_is_a_sentence(layout: Layout) -> None:
    layout.settings_file.mkdir(parents=True)

    with pytest.raises(SettingsUnreadable):
        read_node(layout)


def test_writing_leaves_the_old_file_when_the_disk_is_full(
    layout: Layout, key: SealingKey, stored: DeviceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = layout.device_file("tstest").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_device(layout, attrs.evolve(stored, dns_port=5353), key)

    assert layout.device_file("tstest").read_bytes() == before
    assert [one.name for one in layout.devices.iterdir()] == ["tstest.toml"]


def test_settings_that_may_not_be_read_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text("")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tscm.settings.files.read_regular", refuse)
    with pytest.raises(SettingsUnreadable, match="run tsadmin as the file's owner or as root"):
        read_node(layout)


def test_thousands_of_unknown_settings_are_told_in_a_few_lines() -> None:
    with pytest.raises(SettingsFaulty) as caught:
        propose({**GIVEN, **{f"option{number}": 1 for number in range(9000)}})
    assert len(caught.value.faults) == 51
    assert "8,950 more" in str(caught.value)
