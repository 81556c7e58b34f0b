"""
All settings files of a node read as a start reads them, with nothing opened, stored or sent.

Blocking: every file is read, and every file that a setting names.
"""

import os
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from tscm.base.safe_files import open_regular, read_regular
from tscm.base.secrets import Secret
from tscm.devices.claims import refuse_conflicts
from tscm.errors import TscmError
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, open_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

NODE = "tscm.toml"


@frozen
class SettingsFault:
    """
    What would not be applied: the *file* that it stands in, and the *sentence*.
    """

    file: str
    sentence: str


@frozen(kw_only=True)
class SettingsCheck:
    """
    What a look at all settings files gave.
    """

    devices: int
    faults: tuple[SettingsFault, ...]


def check_settings(layout: Layout) -> SettingsCheck:
    """
    Every fault in the settings of the node and of its devices; raises only `OSError` for a folder that cannot be read.
    """
    faults: list[SettingsFault] = []
    node_file = str(layout.settings_file)
    try:
        node = read_node(layout)
    except TscmError as error:
        faults.append(SettingsFault(node_file, str(error)))
    else:
        faults += [SettingsFault(node_file, one) for one in _node_faults(node)]
    names = device_names(layout)
    faults += [SettingsFault(str(path), _IGNORED) for path in _ignored(layout, names)]
    told: set[str] = set()
    for name in names:
        file = str(layout.device_file(name))
        for sentence in _device_faults(layout, name):
            if sentence not in told:  # what two devices have in common is told once
                told.add(sentence)
                faults.append(SettingsFault(file, sentence))
    return SettingsCheck(devices=len(names), faults=tuple(faults))


_IGNORED = "it is ignored, because its name is not the name of a device; rename or delete it"


def _ignored(layout: Layout, names: Iterable[str]) -> list[Path]:
    known = {layout.device_file(name) for name in names}
    return [
        path
        for path in sorted(layout.devices.glob("*.toml"))
        if path not in known and not path.name.startswith(".")
    ]


def _device_faults(layout: Layout, name: str) -> Iterator[str]:
    try:
        settings = open_device(layout, name)
    except TscmError as error:
        yield str(error)
        return
    try:
        refuse_conflicts(layout, settings)
    except TscmError as error:
        yield str(error)
    yield from _named_files(settings)


def _node_faults(node: NodeSettings) -> Iterator[str]:
    missing = list(_named_files(node))
    yield from missing
    for where, certificate, key in (
        ("listen.tls_certificate", node.listen.tls_certificate, node.listen.tls_key),
        ("listen.metrics_certificate", node.listen.metrics_certificate, node.listen.metrics_key),
        ("portal.certificate", node.portal.certificate, node.portal.key),
    ):
        if certificate is not None and key is not None and not missing:
            yield from _pair_fault(where, certificate, key)


def _pair_fault(where: str, certificate: str, key: str) -> Iterator[str]:
    try:
        for path in (certificate, key):
            read_regular(path)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        yield (
            f"{where}: {certificate} and {key} cannot be used together: "
            f"{str(cause).replace('_', ' ').lower()}"
        )


def _named_files(settings: NodeSettings | DeviceSettings) -> Iterator[str]:
    """Files that the settings name by an absolute path, and that cannot be opened."""
    for where, path in _paths("", settings):
        try:
            if not Path(path).is_dir():
                os.close(open_regular(path))
        except OSError as error:
            yield f"{where}: {path} cannot be read: {error.strerror or error}"


def _paths(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value.startswith("/"):
            yield where, value
    elif attrs.has(type(value)) and not isinstance(value, Secret):
        for one in attrs.fields(type(value)):
            inner = f"{where}.{one.name}" if where else one.name
            yield from _paths(inner, getattr(value, one.name))
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from _paths(f"{where}[{number}]", one)
