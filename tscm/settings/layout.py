"""
Where everything lies (docs/develop/design.md, section 5).
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from attrs import frozen

from tscm.base.backup_rule import BackupRule, Treatment

_SOCKET_PATH_BYTES = 107  # sun_path, less its closing NUL (unix(7))


BACKUP = (
    BackupRule("etc/tscm/**", Treatment.COPY),
    BackupRule("var/lib/tscm/key", Treatment.KEY),
    BackupRule("var/lib/tscm/lock", Treatment.LEFT_OUT, "a lock of this host"),
    BackupRule("var/lib/tscm/policy.lock", Treatment.LEFT_OUT, "a lock of this host"),
    BackupRule("var/lib/tscm/renaming.json", Treatment.COPY),
    BackupRule("var/lib/tscm/backups/**", Treatment.LEFT_OUT, "another backup"),
    BackupRule(
        "var/lib/tscm/web/**",
        Treatment.LEFT_OUT,
        "the page's users and API keys, some removed since",
    ),
    BackupRule("run/tscm/**", Treatment.LEFT_OUT, "only while the manager runs"),
)
"""What a backup does with these files."""


@frozen
class Layout:
    """
    The places of one node; with a *root*, all of them under that folder.
    """

    root: Path = Path("/")

    @property
    def settings_file(self) -> Path:
        """Node settings, `tscm.toml`."""
        return self.root / "etc/tscm/tscm.toml"

    @property
    def devices(self) -> Path:
        """Device settings, a file `NAME.toml` each."""
        return self.root / "etc/tscm/devices"

    @property
    def state(self) -> Path:
        """What the manager keeps: database, key, portal."""
        return self.root / "var/lib/tscm"

    @property
    def key(self) -> Path:
        """The sealing key."""
        return self.state / "key"

    @property
    def database(self) -> Path:
        """SQLite: policy generations, history, roll-ups."""
        return self.state / "tscm.db"

    @property
    def ledger(self) -> Path:
        """Counts of the listeners over all starts."""
        return self.state / "ledger"

    @property
    def audit_log(self) -> Path:
        """The folder of the log from which the audit is sent to SIEM targets."""
        return self.state / "audit"

    @property
    def alarms(self) -> Path:
        """What is remembered of alarms."""
        return self.state / "alarms.json"

    @property
    def reports(self) -> Path:
        """Which scheduled reports were sent."""
        return self.state / "reports.json"

    @property
    def renaming(self) -> Path:
        """The renaming of a device that is in progress."""
        return self.state / "renaming.json"

    @property
    def feeds(self) -> Path:
        """The last answers of feeds, for all devices."""
        return self.state / "feeds"

    @property
    def lists(self) -> Path:
        """What is published for firewalls that pull, a folder a device; beside it the listener's certificate."""
        return self.state / "lists"

    @property
    def portal(self) -> Path:
        """What the embedded services keep: entries, lists, uploads."""
        return self.state / "portal"

    @property
    def web(self) -> Path:
        """What the page keeps: its users, their sessions, its certificate.  It may be another user's than the state."""
        return self.state / "web"

    @property
    def logs(self) -> Path:
        """The folder with a folder for each device's log."""
        return self.root / "var/log/threatstop/devices"

    @property
    def quarantine(self) -> Path:
        """Lines of unknown senders, where the settings keep them."""
        return self.root / "var/log/threatstop/unknown"

    @property
    def run(self) -> Path:
        """Control socket and lock."""
        return self.root / "run/tscm"

    @property
    def lock(self) -> Path:
        """
        Held by the one process that may write the logs: the manager, or who repairs them without it.

        It lies with the state, for systemd deletes `run` between two starts, and a lock whose file is gone
        keeps no user out.
        """
        return self.state / "lock"

    @property
    def policy_lock(self) -> Path:
        """Held by the one process that may write settings and database, and push policies."""
        return self.state / "policy.lock"

    @property
    def control_socket(self) -> Path:
        """
        The control interface; in a short private folder where the root makes its path too long.
        """
        path = self.run / "control.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
            return path
        name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tscm-{os.getuid()}-{name}" / "control.sock"

    @property
    def control_folder_fault(self) -> str | None:
        """
        Why the socket's folder cannot be trusted, or None.

        The short folder lies where others may write: one that another user made first
        could hand our secrets to them.
        """
        folder = self.control_socket.parent
        if folder == self.run or not folder.exists():
            return None
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), 0}:
            return f"{folder} belongs to another user"
        if found.st_mode & 0o077:
            return f"{folder} is accessible to other users; run `chmod 700 {folder}`"
        return None

    def device_log(self, name: str) -> Path:
        """The folder of one device's log; *name* has passed `values.nickname`."""
        return self.logs / name

    def device_file(self, name: str) -> Path:
        """The settings file of one device; *name* has passed `values.nickname`."""
        return self.devices / f"{name}.toml"
