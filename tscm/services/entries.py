"""
Device entries of the embedded services: a TOML file each, `entries/NICKNAME.toml`.

An entry registers an address with the policy service and a device ID with the log service.  The
device key is handed out once, when the entry is made: what is kept is its SHA-256, which is enough
to know it again and useless to a reader of the file.  A key written by hand as `device_key`
is taken too.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

import attrs
from attrs import define, frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.base.secrets import Secret
from tscm.errors import Fault, SettingsFaulty, SettingsUnreadable, TscmError
from tscm.model import Json
from tscm.settings import values
from tscm.settings.files import write_private
from tscm.settings.schema import read_table, setting

_LIST_NAME_MAX = 240
_NOTE_MAX = 1000
_LINE_MAX = 100
_ID_DIGITS = 16
_KEY_BYTES = 32
BY_COMMAND_LINE, BY_PORTAL = "cli", "auto"
"""The two integration types."""
_NOBODY = hashlib.sha256(b"").hexdigest()
FILES = RLock()
"""
Held from reading an entry or its pairing to having written it: of two changes at once, neither undoes the other.

One process writes these files (the lock of settings sees to that), so a lock of its threads is enough.
"""


BACKUP = (
    BackupRule("var/lib/tscm/portal/entries/*", Treatment.COPY),
    BackupRule("var/lib/tscm/portal/lists/*", Treatment.COPY),
)
"""What a backup does with entries and lists."""


@define(eq=False)
class EntryExists(TscmError):
    """
    The nickname has an entry already.
    """

    nickname: str

    def __str__(self) -> str:
        return (
            f"the portal already has an entry {self.nickname!r}; choose another nickname, "
            f"or remove it first with `tsadmin portal remove {self.nickname}`"
        )


@define(eq=False)
class EntryUnknown(TscmError):
    """
    No entry has this nickname.
    """

    nickname: str

    def __str__(self) -> str:
        return (
            f"the portal has no entry {self.nickname!r}; list the entries with `tsadmin "
            "portal list`"
        )


def list_name(value: Any) -> str:
    """The name of a list: a DNS name, short enough for the name of a file."""
    name = values.dns_name(value)
    if len(name) > _LIST_NAME_MAX:
        raise values.refused(value, "is too long", f"at most {_LIST_NAME_MAX} octets")
    return name


def _digest(value: Any) -> str:
    return values.fingerprint(value)


def _line(value: Any) -> str:
    line = values.text(value)
    if len(line) > _LINE_MAX:
        raise values.refused(value, "is too long", f"at most {_LINE_MAX} characters")
    return line


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(values.text(value))


def _note(value: Any) -> str:
    note = values.text(value)
    if len(note) > _NOTE_MAX:
        raise values.refused(value, "is too long", f"at most {_NOTE_MAX} characters")
    return note


@frozen(kw_only=True)
class PortalEntry:
    """
    One device as the embedded services know it.

    Just one of *address* (IP type static) and *domain* (dynamic: looked up) is set.
    *device_key* is there only in what `add_entry` gives, or where it was written by hand.
    """

    nickname: str = setting(values.nickname, doc="Nickname; the file's name")
    device_id: str = setting(values.device_id, doc="Device ID (tdid)")
    block_list: str = setting(list_name, doc="Block list name")
    allow_list: str = setting(list_name, doc="Allow list name")
    address: str | None = setting(
        values.optional(values.ip_address), None, doc="Public address, for IP type static"
    )
    domain: str | None = setting(
        values.optional(values.dns_name), None, doc="Domain name, for IP type dynamic"
    )
    note: str = setting(_note, "", doc="Note")
    notify_port: int | None = setting(
        values.optional(values.whole(1, 65535)),
        None,
        doc="UDP port at which the manager wants to hear of changed lists (NOTIFY)",
    )
    manufacturer: str = setting(_line, "", doc="Manufacturer")
    model: str = setting(_line, "", doc="Model")
    integration: str = setting(
        values.choice(BY_COMMAND_LINE, BY_PORTAL),
        BY_COMMAND_LINE,
        doc="Integration type: cli (set on the manager) or auto (set here, followed by its manager)",
    )
    policy: str | None = setting(
        values.optional(_line), None, doc="Policy that names the two lists"
    )
    location: str = setting(_line, "", doc="Location")
    device_key_sha256: str = setting(_digest, _NOBODY, doc="SHA-256 of the device key")
    device_key: Secret | None = setting(
        values.optional(_secret), None, doc="The device key in clear text; preferably omitted"
    )

    @property
    def ip_type(self) -> str:
        """`static` or `dynamic`."""
        return "static" if self.address else "dynamic"

    @property
    def lists(self) -> frozenset[str]:
        """The names of its lists."""
        return frozenset((self.block_list, self.allow_list))

    @property
    def tsig_name(self) -> str:
        """The name of its TSIG key."""
        return self.device_id.lower()

    @property
    def tsig_secret(self) -> str | None:
        """
        Its TSIG key (hmac-sha256) in base64, computed from the digest of the device key; None without one.
        """
        digest = self._key_digest()
        return None if digest == _NOBODY else tsig_secret_of(digest)

    def _key_digest(self) -> str:
        if self.device_key:
            return hashlib.sha256(self.device_key.reveal().encode()).hexdigest()
        return self.device_key_sha256

    def key_fits(self, candidate: str) -> bool:
        """Whether *candidate* is the device key; takes the same time for every wrong one."""
        given = hashlib.sha256(candidate.encode()).hexdigest()
        return hmac.compare_digest(given, self._key_digest()) and bool(candidate)

    def as_json(self) -> Json:
        """For tables and `--json`: everything but the key."""
        hidden = {"device_key", "device_key_sha256"}
        return {
            **attrs.asdict(self, filter=lambda one, _: one.name not in hidden, recurse=False),
            "ip_type": self.ip_type,
        }


def tsig_secret_of(digest: str) -> str:
    """The TSIG key (hmac-sha256, base64) of the device key with this SHA-256: both sides compute it."""
    secret = hmac.digest(bytes.fromhex(digest), b"tscm list access", "sha256")
    return base64.b64encode(secret).decode()


def entries_folder(portal: Path) -> Path:
    """Where the entries lie."""
    return portal / "entries"


def list_file(portal: Path, name: str) -> Path:
    """The file of the list *name*: a CIDR a line, `#` begins a comment."""
    return portal / "lists" / f"{list_name(name)}.txt"


def add_entry(
    portal: Path,
    *,
    nickname: str,
    address: str | None = None,
    domain: str | None = None,
    block_list: str | None = None,
    allow_list: str | None = None,
    note: str = "",
    notify_port: int | None = None,
    random: Callable[[int], str] = secrets.token_hex,
    **more: Any,
) -> PortalEntry:
    """
    Register a device; the answer holds the device key, which is not shown again.

    List names that are not given are made from the nickname; list files that are not there
    yet are made empty, unless a policy names the lists.  *more* are further fields of an entry.  Raises `SettingsFaulty`,
    `EntryExists`.
    """
    key = random(_KEY_BYTES)
    try:
        label = values.nickname(nickname).lower().strip("-")
    except ValueError:
        label = "unnamed"  # so that only the nickname is found wrong, below
    table = {
        "nickname": nickname,
        "device_id": f"tdid_{random(_ID_DIGITS // 2)}",
        "block_list": block_list or f"block.{label}.tscm.internal",
        "allow_list": allow_list or f"allow.{label}.tscm.internal",
        "address": address,
        "domain": domain,
        "note": note,
        "notify_port": notify_port,
        **more,
        "device_key_sha256": hashlib.sha256(key.encode()).hexdigest(),
    }
    entry = _checked(table, f"entry {values.shown(nickname)}")
    with FILES:
        if (entries_folder(portal) / f"{entry.nickname}.toml").exists():
            raise EntryExists(entry.nickname)
        _make_lists(portal, entry)
        write_entry(portal, entry)
    return attrs.evolve(entry, device_key=Secret(key))


def write_entry(portal: Path, entry: PortalEntry) -> None:
    """Put *entry* in the place of what its file says.  Raises `OSError`."""
    write_private(entries_folder(portal) / f"{entry.nickname}.toml", _as_toml(entry))


def _make_lists(portal: Path, entry: PortalEntry) -> None:
    """Empty files for lists that no policy publishes, where there are none."""
    if entry.policy is not None:
        return
    for kind, name in (("block", entry.block_list), ("allow", entry.allow_list)):
        lists = list_file(portal, name)
        if not lists.exists() and not (portal / "published" / lists.name).exists():
            write_private(lists, f"# {kind} list {name}: a CIDR a line\n".encode())


CHANGEABLE = (
    "address", "domain", "block_list", "allow_list", "note", "manufacturer", "model",
    "integration", "policy", "location", "notify_port",
)  # fmt: skip
"""Fields that an operator may change; nickname, device ID and key are an entry's for ever, or rotated."""


def change_entry(portal: Path, nickname: str, changes: Mapping[str, Any]) -> PortalEntry:
    """
    An entry with other fields; an address takes the place of a domain name, and the other way round.

    Raises `EntryUnknown`, `SettingsFaulty`; then nothing has changed.
    """
    strange = sorted(set(changes) - set(CHANGEABLE))
    if strange:
        fault = Fault(where=strange[0], wrong="cannot be changed", allowed=", ".join(CHANGEABLE))
        raise SettingsFaulty(f"entry {nickname}", [fault])
    with FILES:
        entry = read_entry(portal, nickname)
        changed = entry_with(nickname, changes, entry)
        if changed != entry:
            _make_lists(portal, changed)
            write_entry(portal, changed)
    return changed


def rotate_key(
    portal: Path,
    nickname: str,
    *,
    digest: str | None = None,
    random: Callable[[int], str] = secrets.token_hex,
) -> PortalEntry:
    """
    An entry with another device key; the one before is rejected from now on.

    The answer holds the key, which is not shown again, unless it is another user's: then *digest* is its SHA-256.
    Raises `EntryUnknown`, `SettingsFaulty`.
    """
    key = random(_KEY_BYTES)
    known = digest or hashlib.sha256(key.encode()).hexdigest()
    with FILES:
        entry = read_entry(portal, nickname)
        changed = attrs.evolve(entry, device_key=None, device_key_sha256=known)
        write_entry(portal, changed)
    return changed if digest else attrs.evolve(changed, device_key=Secret(key))


def read_entry(portal: Path, nickname: str) -> PortalEntry:
    """One entry by its nickname.  Raises `EntryUnknown`, `SettingsFaulty`, `SettingsUnreadable`."""
    try:
        return _read_entry(entry_file(portal, nickname))
    except FileNotFoundError:
        raise EntryUnknown(nickname) from None


def entry_with(nickname: str, fields: Mapping[str, Any], before: PortalEntry | None) -> PortalEntry:
    """
    An entry as it would be with other values of *fields*; ID and key stay.  Raises `SettingsFaulty`.
    """
    present: dict[str, Any] = {
        "device_id": "tdid_new", "block_list": "block.new.example", "allow_list": "allow.new.example",
    }  # fmt: skip
    if before is not None:
        present = attrs.asdict(before, recurse=False, filter=lambda _, value: value is not None)
    for one, other in (("address", "domain"), ("domain", "address")):
        if one in fields and other not in fields:
            present.pop(other, None)
    return _checked({**present, "nickname": nickname, **fields}, f"entry {values.shown(nickname)}")


def _as_toml(entry: PortalEntry) -> bytes:
    import tomlkit

    kept = attrs.asdict(
        entry, recurse=False, filter=lambda one, value: value is not None and one.name != "nickname"
    )
    if entry.device_key is not None:  # written by hand
        kept["device_key"] = entry.device_key.reveal()
    return tomlkit.dumps(kept).encode()


def entry_file(portal: Path, nickname: str) -> Path:
    """The file of an entry that is there.  Raises `EntryUnknown`."""
    try:
        path = entries_folder(portal) / f"{values.nickname(nickname)}.toml"
    except ValueError:
        raise EntryUnknown(nickname) from None
    if not path.exists():
        raise EntryUnknown(nickname)
    return path


def remove_entry(portal: Path, nickname: str) -> None:
    """Forget a device; its lists and uploads stay.  Raises `EntryUnknown`."""
    try:
        entry_file(portal, nickname).unlink()
    except FileNotFoundError:
        raise EntryUnknown(nickname) from None


def entries(portal: Path) -> list[PortalEntry]:
    """
    All entries by nickname.  Raises `SettingsFaulty` or `SettingsUnreadable` for the first bad file.
    """
    found, faults = read_entries(portal)
    if faults:
        raise faults[0]
    return found


def read_entries(portal: Path) -> tuple[list[PortalEntry], list[TscmError]]:
    """
    All entries that are right, and what is wrong with the others: one bad file affects no other entry.
    """
    found: list[PortalEntry] = []
    faults: list[TscmError] = []
    folder = entries_folder(portal)
    try:
        paths = sorted(one for one in folder.iterdir() if one.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        paths = []
    except PermissionError:  # not the same as no entry
        cause = "permission denied; run tsadmin as root or as a member of group tscm"
        return [], [SettingsUnreadable(str(folder), cause)]
    for path in paths:
        try:
            found.append(_read_entry(path))
        except FileNotFoundError:
            continue
        except TscmError as fault:
            faults.append(fault)
    return found, faults


def _read_entry(path: Path) -> PortalEntry:
    import tomllib

    try:
        table = tomllib.loads(read_regular(path).decode())
    except FileNotFoundError:
        raise
    except PermissionError:
        raise SettingsUnreadable(
            str(path), "permission denied; run tsadmin as the file's owner or as root"
        ) from None
    except OSError as error:
        raise SettingsUnreadable(str(path), error.strerror or str(error)) from None
    except RecursionError:
        raise SettingsUnreadable(str(path), "it is nested too deeply") from None
    except ValueError as error:
        raise SettingsUnreadable(str(path), str(error)) from None
    return _checked({**table, "nickname": path.stem}, str(path))


def _checked(table: dict[str, Any], source: str) -> PortalEntry:
    entry, faults = read_table(PortalEntry, table)
    if entry is None:
        raise SettingsFaulty(source, faults)
    if (entry.address is None) == (entry.domain is None):
        wrong = "exactly one of address and domain is required"
        allowed = "address for IP type static, domain for dynamic"
        raise SettingsFaulty(source, [Fault(where="address", wrong=wrong, allowed=allowed)])
    return entry
