"""
Settings files: read with every fault, written atomically with mode 0600.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from tscm.base.host_port import HostPort
from tscm.base.safe_files import read_regular
from tscm.base.secrets import MASK, PREFIX, SealingKey, Secret, load_key
from tscm.errors import Fault, NoSuchDevice, SettingsFaulty, SettingsUnreadable
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.schema import read_table
from tscm.settings.shapes import read_file
from tscm.settings.values import nickname

if TYPE_CHECKING:
    from tscm.settings.node import NodeSettings


def read_node(layout: Layout) -> "NodeSettings":
    """
    The node's settings; all defaults where there is no file.

    Raises `SettingsUnreadable`, `SettingsFaulty`.
    """
    from tscm.settings.node import NodeSettings  # large: not for who reads devices alone

    if not layout.settings_file.exists():
        return NodeSettings()
    table = _read_toml(layout.settings_file)
    settings, faults = read_table(NodeSettings, table)
    if settings is None:
        raise SettingsFaulty(str(layout.settings_file), faults)
    return settings


def device_names(layout: Layout) -> list[str]:
    """
    Nicknames of the devices that have a file, sorted.  Other files are left alone.

    Raises `OSError` for a folder that may not be read: that is not the same as no device.
    """
    return sorted(device_entries(layout))


def device_entries(layout: Layout) -> dict[str, "os.DirEntry[str]"]:
    """
    The devices' files by nickname, each with a `stat` of its own.  Raises `OSError` as `device_names`.
    """
    try:
        with os.scandir(layout.devices) as files:  # hundreds of files, every two seconds
            return {name: one for one in files if (name := _nickname_of(one.name))}
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=1 << 16)  # more than there are devices, or none would be found in it
def _nickname_of(file: str) -> str:
    """Whose settings a file of that name holds; empty where it is none of ours."""
    stem, dot, suffix = file.rpartition(".")
    try:
        return nickname(stem) if stem and dot and suffix == "toml" else ""
    except ValueError:
        return ""


def read_device(layout: Layout, name: str, key: SealingKey | None) -> DeviceSettings:
    """
    One device with its secrets opened; without a *key* each sealed secret reads as `MASK`.

    Raises `NoSuchDevice`, `SettingsUnreadable`, `SettingsFaulty`, `SecretUnavailable`.
    """
    return _device(layout, name, _masked if key is None else key.open)


def open_device(layout: Layout, name: str) -> DeviceSettings:
    """
    One device with its secrets opened.  The key is asked for only where the file has sealed ones.

    Raises as `read_device` does.
    """
    return _device(layout, name, lambda value, where: load_key(layout.key).open(value, where))


def _masked(_: str, __: str) -> Secret:
    return Secret(MASK)


def _device(layout: Layout, name: str, opened: Callable[[str, str], Secret]) -> DeviceSettings:
    try:
        path = layout.device_file(nickname(name))
    except ValueError:
        raise NoSuchDevice(name) from None
    if not path.exists():
        raise NoSuchDevice(name)
    table = _opened(_read_toml(path), name, opened)
    faults = []
    if "name" in table:
        faults.append(
            Fault(where="name", wrong="the file name is the device name; remove this setting")
        )
    settings, more = read_file({**table, "name": name})
    faults += more
    if settings is None or faults:
        raise SettingsFaulty(str(path), faults)
    return settings


def _opened(
    table: Mapping[str, Any], name: str, opened: Callable[[str, str], Secret]
) -> dict[str, Any]:
    """*table* with its sealed secrets opened; those of a kind stand in a table of it."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found[key] = _opened(value, name, opened)
        elif isinstance(value, str) and value.startswith(PREFIX):
            found[key] = opened(value, f"{name}.{key}")
        else:
            found[key] = value
    return found


def key_is_needed(layout: Layout) -> bool:
    """
    Whether the node's key is there, or something is stored that another would not open.

    Files written by hand or by a program have their secrets in the clear.
    """
    try:
        layout.key.stat()
    except (FileNotFoundError, NotADirectoryError):
        return any(_has_sealed(layout.device_file(name)) for name in device_names(layout))
    except OSError:
        pass  # it cannot be seen, so none is made in its place
    return True


def key_for_sealing(layout: Layout) -> SealingKey:
    """The node's key, made where none is needed yet.  Raises `SecretUnavailable`."""
    return load_key(layout.key, create=not key_is_needed(layout))


def _has_sealed(path: Path) -> bool:
    try:
        return PREFIX.encode() in read_regular(path)
    except OSError:
        return True  # that is unknown, so no key is made


def write_device(layout: Layout, settings: DeviceSettings, key: SealingKey) -> None:
    """
    Store one device: sealed, complete or not at all, comments of the present file kept.
    """
    import tomlkit

    from tscm.settings.document import put

    path = layout.device_file(settings.name)
    document = tomlkit.parse(read_regular(path).decode()) if path.exists() else tomlkit.document()
    put(document, settings, lambda present, value, where: _sealed(present, value, where, key))
    write_private(path, tomlkit.dumps(document).encode())


def _sealed(present: Any, value: Secret, where: str, key: SealingKey) -> str:
    if (
        isinstance(present, str)
        and present.startswith(PREFIX)
        and key.open(present, where) == value
    ):
        return str(
            present
        )  # an unchanged secret keeps its text, so that the file's history is quiet
    return key.seal(value, where)


def prepared_file(layout: Layout, to: str) -> Path:
    """Where the settings of a device that is renamed *to* wait to be put in their place."""
    return layout.devices / f".{to}.renamed.new"


def prepare_renamed(layout: Layout, name: str, to: str) -> Path:
    """
    Write the settings of device *name* as those of *to* beside them, its secrets sealed for that name; gives the file.

    Comments are kept.  Raises `SecretUnavailable`, `OSError`.
    """
    import tomlkit

    document = tomlkit.parse(read_regular(layout.device_file(name)).decode())
    _seal_for(document, name, to, layout)
    path = prepared_file(layout, to)
    write_private(path, tomlkit.dumps(document).encode())
    return path


def _seal_for(table: Any, name: str, to: str, layout: Layout) -> None:
    """Seal the secrets in *table* again, that of *name*, for the device *to*."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            _seal_for(value, name, to, layout)
        elif isinstance(value, str) and value.startswith(PREFIX):
            sealing = load_key(layout.key)
            table[key] = sealing.seal(sealing.open(value, f"{name}.{key}"), f"{to}.{key}")


def remove_device(layout: Layout, name: str) -> None:
    """Forget a device's settings.  Raises `NoSuchDevice`."""
    try:
        layout.device_file(nickname(name)).unlink()
    except (FileNotFoundError, ValueError):
        raise NoSuchDevice(name) from None


def write_private(path: Path, content: bytes) -> None:
    """
    Put *content* at *path*, mode 0600, whole or not at all, and on the disk on return.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_regular(path).decode())
    except UnicodeDecodeError:
        raise SettingsUnreadable(str(path), "it is not valid UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsUnreadable(str(path), f"it is not valid TOML: {error}") from None
    except (
        RecursionError,
        ValueError,
    ):  # brackets by the thousand, a number of thousands of digits
        raise SettingsUnreadable(
            str(path), "it is nested too deeply, or contains a number that is too long"
        ) from None
    except PermissionError:
        raise SettingsUnreadable(
            str(path), "permission denied; run tsadmin as the file's owner or as root"
        ) from None
    except OSError as error:
        raise SettingsUnreadable(str(path), error.strerror or str(error)) from None


def settings_as_toml(settings: "NodeSettings") -> str:
    """Node settings as a file holds them: for the demonstration and for new nodes."""
    import tomlkit

    def table(value: Any) -> dict[str, Any]:
        return {
            name: table(one)
            if attrs.has(type(one)) and not isinstance(one, HostPort)
            else _text(one)
            for name, one in ((f.name, getattr(value, f.name)) for f in attrs.fields(type(value)))
            if one is not None
        }

    return tomlkit.dumps(table(settings))


def _text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_text(one) for one in value]
    if hasattr(value, "as_table"):  # a feed, a file of networks
        return value.as_table()
    return str(value) if isinstance(value, HostPort) else value
