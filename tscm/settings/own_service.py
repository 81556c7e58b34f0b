"""
The log service in the manager's own process: how the manager is known to it without a device key.

A key of the root's own lies beside the entries, for its owner alone.  It opens the service for the devices that
are registered there; who can read it can read the entries, the uploads and the devices' secrets too.
"""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.base.secrets import Secret
from tscm.settings.files import write_private
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

_KEY_BYTES = 32
_HTTPS_PORT = 443
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - nothing is bound here
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})


BACKUP = (BackupRule("var/lib/tscm/portal/manager-key", Treatment.SECRET),)
"""What a backup does with the key."""


@frozen(kw_only=True)
class OwnService:
    """
    What the uploader needs at the log service of its own root: *key* in place of a device key, and *ca_file*,
    the certificate that the service made for itself.
    """

    key: Secret
    ca_file: str


def is_own(node: NodeSettings) -> bool:
    """Does `[upload] url` lead to a listener of `[portal] logs`?"""
    if node.upload.url is None or node.upload.kind != "log_service":
        return False
    parts = urlsplit(node.upload.url)
    here = _HERE | ({node.address} if node.address else set())
    return any(
        (parts.port or _HTTPS_PORT) == one.port
        and (parts.hostname == one.host or (one.host in _ANY and parts.hostname in here))
        for one in node.portal.logs
    )


def key_wanted_at(node: NodeSettings) -> str | None:
    """The log service to which a device is known by a key of its own; the one of this root needs none."""
    if node.upload.url is None or node.upload.kind != "log_service" or is_own(node):
        return None
    return node.upload.url


def own_service(layout: Layout, node: NodeSettings) -> OwnService | None:
    """Blocking: the service of this root, where uploads go there and it has been started once."""
    if not is_own(node):
        return None
    try:
        key = read_regular(manager_key_file(layout.portal)).decode().strip()
    except (OSError, ValueError):
        return None  # it is made when the service starts
    made = node.portal.certificate or str(layout.portal / "log-service.crt")
    return OwnService(key=Secret(key), ca_file=made)


def manager_key_file(portal: Path) -> Path:
    """Where the key lies, by which the manager of the same root is known."""
    return portal / "manager-key"


def ensure_manager_key(portal: Path) -> Secret:
    """Blocking: the key, made where there is none.  Raises OSError."""
    path = manager_key_file(portal)
    try:
        kept = read_regular(path).decode("ascii", "replace").strip()
    except FileNotFoundError:
        kept = ""
    if not kept:
        kept = secrets.token_hex(_KEY_BYTES)
        write_private(path, f"{kept}\n".encode())
    return Secret(kept)
