"""
The files of the appliance that `tsadmin` writes: each whole, so that a power cut leaves the old one or the new one.
"""

import os
from pathlib import Path

from attrs import frozen

from tscm.appliance.network import Network, render
from tscm.appliance.trial import Trial
from tscm.base.safe_files import read_regular

_MOST = 64 << 10
_MODE = 0o644


@frozen
class Places:
    """Where they lie below *root*."""

    root: Path = Path("/")

    @property
    def mark(self) -> Path:
        """The program that the package tscm-appliance brings to take a network back."""
        return self.root / "usr/lib/tscm-appliance/take-back"

    @property
    def network(self) -> Path:
        """Of systemd-networkd."""
        return self.root / "etc/systemd/network/10-tscm.network"

    @property
    def time_servers(self) -> Path:
        """Of systemd-timesyncd."""
        return self.root / "etc/systemd/timesyncd.conf.d/tscm.conf"

    @property
    def hosts(self) -> Path:
        """Names that need no DNS."""
        return self.root / "etc/hosts"

    @property
    def host_name(self) -> Path:
        """The host's name over starts."""
        return self.root / "etc/hostname"

    @property
    def lock(self) -> Path:
        """Held by who changes one of them."""
        return self.root / "run/tscm-appliance.lock"


def read_text(path: Path) -> str | None:
    """A file's text, None where there is none.  Raises `UnfitFile`, `OSError`."""
    try:
        return read_regular(path, _MOST).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def write_text(path: Path, text: str) -> None:
    """Put *text* in the place of what is there, on the disk.  Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def read_trial(network: Path) -> Trial:
    """What is in force and what is tried, from the disk."""
    present = read_text(network)
    before = read_text(_beside(network, ".before"))
    if present is None:
        present = before or render(Network())
    if before is None:
        return Trial(present=present)
    wanted = read_text(_beside(network, ".wanted"))
    try:
        until = float(read_text(_beside(network, ".until")) or 0)
    except ValueError:
        until = 0.0
    return Trial(present=present, before=before, wanted=wanted, until=until)


def write_trial(network: Path, state: Trial) -> None:
    """
    Put it on the disk.

    What is taken back is there before the file in force changes, and goes after it: a power cut in between leaves
    a change that the next start takes back.
    """
    if state.before is not None:
        write_text(_beside(network, ".until"), repr(state.until))
        write_text(_beside(network, ".wanted"), state.wanted or "")
        write_text(_beside(network, ".before"), state.before)
    write_text(network, state.present)
    if state.before is None:
        for suffix in (".before", ".wanted", ".until"):
            _beside(network, suffix).unlink(missing_ok=True)
        _sync_folder(network.parent)
