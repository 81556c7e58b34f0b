"""
What a manager remembers of a device whose settings come from a portal: a file each, beside its settings.  Blocking.

The token is sealed as passwords are.  A file is named after the permanent id of the device's settings: a device that is renamed
keeps its bond, and another one of its name has none.
"""

import json
from pathlib import Path

import attrs
from attrs import field, frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.base.secrets import Secret, load_key
from tscm.errors import SettingsUnreadable, TscmError
from tscm.model import Json
from tscm.settings import values
from tscm.settings.files import key_for_sealing, write_private
from tscm.settings.layout import Layout

BACKUP = (BackupRule("var/lib/tscm/bonds/*", Treatment.COPY),)
"""What a backup does with them: the token in each is sealed."""
_FILE_BYTES = 65536


@frozen(kw_only=True)
class Bond:
    """
    One device's tie to its portal.

    *received* is the version of the last document that came, *document* what it says, *applied* the version in force.
    """

    entry: str
    portal: str
    fingerprint: str
    """SHA-256 of the certificate that the portal must show."""
    device_id: str
    token: Secret = field(repr=False)
    paired_at: float = 0.0
    applied: int = 0
    received: int = 0
    document: Json = field(factory=dict)
    nickname: str = ""
    """Of the entry at the portal."""
    name: str = ""
    """The device's at present; not in the file."""


def bonds_folder(layout: Layout) -> Path:
    """Where they lie."""
    return layout.state / "bonds"


def _file(layout: Layout, entry: str) -> Path:
    return bonds_folder(layout) / f"{values.entry_id(entry)}.json"


def _where(entry: str) -> str:
    return f"{entry}.portal_token"


def write_bond(layout: Layout, bond: Bond) -> None:
    """Raises `SecretUnavailable`, OSError."""
    kept = attrs.asdict(bond, filter=lambda one, _: one.name not in {"name", "entry", "token"})
    kept["token"] = key_for_sealing(layout).seal(bond.token, _where(bond.entry))
    write_private(_file(layout, bond.entry), json.dumps(kept, indent=1).encode())


def read_bond(layout: Layout, entry: str | None, *, sealed: bool = False) -> Bond | None:
    """
    The bond of the device with that *entry*; None where it has none.  *sealed*: without its token, which needs no key.

    Raises `SettingsUnreadable`, `SecretUnavailable`.
    """
    if entry is None:
        return None
    path = _file(layout, entry)
    try:
        raw = json.loads(read_regular(path, _FILE_BYTES))
        known = {one.name for one in attrs.fields(Bond)} - {"name", "entry", "token"}
        given = {key: value for key, value in raw.items() if key in known}
        text = str(raw["token"])
        bond = Bond(entry=entry, token=Secret(""), **given)
        _check(bond)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise SettingsUnreadable(
            str(path), f"{cause}; delete it, and pair the device again"
        ) from None
    if sealed:
        return bond
    return attrs.evolve(bond, token=load_key(layout.key).open(text, _where(entry)))


def _check(bond: Bond) -> None:
    numbers = (bond.applied, bond.received)
    if not all(type(one) is int and one >= 0 for one in numbers) or not isinstance(
        bond.document, dict
    ):
        raise ValueError("damaged")
    values.web_url("https")(bond.portal)
    values.fingerprint(bond.fingerprint)
    values.device_id(bond.device_id)


def bonds(layout: Layout, *, sealed: bool = False) -> tuple[list[Bond], list[TscmError]]:
    """All bonds, without the names of their devices, and what is wrong with the others."""
    found: list[Bond] = []
    faults: list[TscmError] = []
    for path in sorted(bonds_folder(layout).glob("*.json")):
        try:
            one = read_bond(layout, path.stem, sealed=sealed)
        except TscmError as error:
            faults.append(error)
        except ValueError:
            continue  # no id: none of ours
        else:
            found += [] if one is None else [one]
    return found, faults


def drop_bond(layout: Layout, entry: str | None) -> bool:
    """Forget it; gives whether there was one."""
    if entry is None:
        return False
    try:
        _file(layout, entry).unlink()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return True


def any_bonds(layout: Layout) -> bool:
    """Whether this manager follows a portal at all."""
    try:
        return any(one.suffix == ".json" for one in bonds_folder(layout).iterdir())
    except OSError:
        return False
