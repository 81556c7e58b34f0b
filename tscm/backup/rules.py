"""
The rules of all rooms, in the order in which they are asked.
"""

from tscm.alarms import book_file
from tscm.base.backup_rule import BackupRule, Treatment
from tscm.intake import quarantine
from tscm.ledger import book
from tscm.pairing import bonds
from tscm.pairing import book as pairings
from tscm.portal import sources as portal_sources
from tscm.reports import service as reports
from tscm.retrieve import answers
from tscm.services import certificate, entries, publication, uploads, zone_files
from tscm.settings import layout, own_service
from tscm.settings.secret_file import SECRET_BYTES
from tscm.spool import deletion, names
from tscm.store import database
from tscm.upload import state

_PRIVATE_KEY = b"PRIVATE KEY-----"
_SETTINGS = "etc/tscm/"
_OTHERS = 0o077
_TEMPORARY = (
    BackupRule("**/.*.new", Treatment.LEFT_OUT, "being written"),
    BackupRule("**/.restore*/**", Treatment.LEFT_OUT, "of a restore"),
    BackupRule("**/before-restore-*/**", Treatment.LEFT_OUT, "replaced by a restore"),
)

RULES: tuple[BackupRule, ...] = (
    *_TEMPORARY,
    *layout.BACKUP,
    *database.BACKUP,
    *book.BACKUP,
    *book_file.BACKUP,
    *reports.BACKUP,
    *certificate.BACKUP,
    *own_service.BACKUP,
    *entries.BACKUP,
    *publication.BACKUP,
    *zone_files.BACKUP,
    *pairings.BACKUP,
    *bonds.BACKUP,
    *portal_sources.BACKUP,
    *uploads.BACKUP,
    *answers.BACKUP,
    *quarantine.BACKUP,
    *state.BACKUP,
    *deletion.BACKUP,
    *names.BACKUP,
    *names.backup_rules("var/lib/tscm/audit"),
)
PLACES = ("etc/tscm", "var/lib/tscm", "var/log/threatstop", "run/tscm")
"""Folders below the root directory that are looked through."""


def rule_of(path: str) -> BackupRule | None:
    """The rule for a file by its path below the root directory; None for a file that no room writes."""
    return next((rule for rule in RULES if rule.matches(path)), None)


def treatment_of(
    rule: BackupRule, path: str, *, mode: int = 0o600, size: int = 0, start: bytes = b""
) -> Treatment:
    """
    How the file at *path* is treated, of *mode* and *size*, whose content begins with *start*.

    A private key is a secret, wherever it lies, and so is what lies beside the settings for the manager alone: a
    password, a token, or the passphrase of the backups themselves.  In the settings secrets are sealed.
    """
    if rule.treatment is not Treatment.COPY:
        return rule.treatment
    closed = (
        path.startswith(_SETTINGS)
        and not path.endswith(".toml")
        and mode & _OTHERS == 0
        and size <= SECRET_BYTES
    )
    return Treatment.SECRET if closed or _PRIVATE_KEY in start else Treatment.COPY
