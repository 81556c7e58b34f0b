"""
Pairings as they lie on the portal's disk: a JSON file each, `pairings/DEVICE_ID.json`.  Blocking.

One process writes: the manager, or a `tsadmin` without one.  In it, a thread that changes a pairing holds the lock of
entries (`FILES`) from reading it to having written it: a code is used once, even if two come at the same time.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import evolve

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.errors import SettingsFaulty, SettingsUnreadable, TscmError
from tscm.model import Json
from tscm.pairing.documents import composed, etag_of
from tscm.pairing.stages import Pairing, above, with_content
from tscm.services.entries import CHANGEABLE, FILES, PortalEntry, read_entries
from tscm.settings import values
from tscm.settings.files import write_private
from tscm.wire.reading import read

BACKUP = (
    BackupRule("var/lib/tscm/portal/pairings/*", Treatment.COPY),
    BackupRule("var/lib/tscm/portal/pairing.crt", Treatment.COPY),
    BackupRule("var/lib/tscm/portal/pairing.key", Treatment.SECRET),
    BackupRule("var/lib/tscm/portal/managers.json", Treatment.COPY),
)
"""What a backup does with pairings, and with the listener's certificate."""
_FILE_BYTES = 65536
_GONE_MOST = 500
"""Pairings of deleted entries that are kept, so that their managers are told."""


def pairings_folder(portal: Path) -> Path:
    """Where they lie."""
    return portal / "pairings"


def _file(portal: Path, device_id: str) -> Path:
    return pairings_folder(portal) / f"{values.device_id(device_id)}.json"


def read_pairing(portal: Path, device_id: str) -> Pairing:
    """An entry's pairing; an empty one where there is none yet.  Raises `SettingsUnreadable`."""
    path = _file(portal, device_id)
    try:
        raw = json.loads(read_regular(path, _FILE_BYTES))
        if not isinstance(raw, dict):
            raise TypeError
        found = read(Pairing, {**raw, "device_id": device_id})
    except FileNotFoundError:
        return Pairing(device_id=device_id)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise SettingsUnreadable(
            str(path), f"{cause}; delete it and pair the device's manager again"
        ) from None
    return found


def read_pairings(portal: Path) -> tuple[dict[str, Pairing], list[TscmError]]:
    """All by device ID, and what is wrong with the others."""
    found: dict[str, Pairing] = {}
    faults: list[TscmError] = []
    for path in sorted(pairings_folder(portal).glob("*.json")):
        try:
            found[path.stem] = read_pairing(portal, path.stem)
        except (TscmError, ValueError) as error:
            faults.append(
                error if isinstance(error, TscmError) else SettingsUnreadable(str(path), str(error))
            )
    return found, faults


def change_pairing(portal: Path, device_id: str, change: Callable[[Pairing], Pairing]) -> Pairing:
    """
    What *change* makes of a pairing, on the disk when this returns.  Raises what it raises, and `OSError`.
    """
    with FILES:
        return _changed(portal, device_id, change)


def _changed(portal: Path, device_id: str, change: Callable[[Pairing], Pairing]) -> Pairing:
    before = read_pairing(portal, device_id)
    after = change(before)
    if after != before:
        kept = attrs.asdict(after, filter=lambda one, _: one.name != "device_id")
        write_private(_file(portal, device_id), json.dumps(kept, indent=1).encode())
    return after


def fixed_of(entry: PortalEntry) -> Json:
    """What the entry itself says of the device's settings."""
    return {
        "device_id": entry.device_id,
        "block_list": entry.block_list,
        "allow_list": entry.allow_list,
    }


def document_of(entry: PortalEntry, settings: Mapping[str, Any]) -> Json:
    """The document's content.  Raises `SettingsFaulty`."""
    return composed(fixed_of(entry), settings)


def revision_of(entry: PortalEntry, pairing: Pairing) -> str:
    """
    A word for what operators set of an entry, its fields and settings; another one for every other content.

    Who gives back the one that was read changes nothing that another operator has changed meanwhile.
    """
    fields = {name: getattr(entry, name) for name in CHANGEABLE}
    return etag_of({**fields, "settings": pairing.settings})[:16]


def brought_up_to_date(
    portal: Path, entries: Mapping[str, PortalEntry], now: float
) -> dict[str, Pairing]:
    """
    All pairings, each with a version for its present content, however the files were changed.

    What cannot be read is left out, and what cannot be composed keeps its version.
    """
    with FILES:
        found, _ = read_pairings(portal)
        for device_id, pairing in found.items():
            entry = entries.get(device_id)
            if entry is None or pairing.revoked or not pairing.settings:
                continue
            try:
                etag = etag_of(document_of(entry, pairing.settings))
            except SettingsFaulty:
                continue
            if etag != pairing.etag:
                found[device_id] = _changed(portal, device_id, _numbered(etag, now))
    return found


def _numbered(etag: str, now: float) -> Callable[[Pairing], Pairing]:
    return lambda one: with_content(one, etag, now)


def raise_versions(portal: Path, now: float) -> None:
    """
    Put every version above any that was given out since *portal* was copied: after a restore.
    """
    found, _ = read_pairings(portal)
    for device_id, pairing in found.items():
        if pairing.version:
            change_pairing(portal, device_id, lambda one: above(one, one.version, now))


def drop_oldest_of_deleted(portal: Path) -> None:
    """Forget the oldest pairings of entries that were deleted, beyond the bound."""
    with FILES:
        found, _ = read_pairings(portal)
        gone = sorted((one for one in found.values() if one.revoked), key=lambda one: one.ended_at)
        for one in gone[: max(0, len(gone) - _GONE_MOST)]:
            _file(portal, one.device_id).unlink(missing_ok=True)


def without_secrets(pairing: Pairing) -> Pairing:
    """For display."""
    return evolve(pairing, code="", used="", token="")


def entries_by_id(portal: Path) -> dict[str, PortalEntry]:
    """Entries that can be read, by device ID."""
    found, _ = read_entries(portal)
    return {one.device_id: one for one in found}
