"""
What the portal's listener looks up in its files, and how it uses up a code there.  Blocking.
"""

from pathlib import Path

from tscm.errors import TscmError
from tscm.model import Json
from tscm.pairing.book import brought_up_to_date, change_pairing, document_of
from tscm.pairing.documents import etag_of
from tscm.pairing.known import Known
from tscm.pairing.messages import PairRequest
from tscm.pairing.stages import Pairing, Verdict, consumed, with_content
from tscm.services.entries import (
    FILES,
    EntryUnknown,
    PortalEntry,
    read_entries,
    read_entry,
    rotate_key,
)


def look_at_files(portal: Path, now: float) -> Known:
    """Entries, pairings and documents as they lie there.  Blocking."""
    with FILES:  # no version for an entry that is another one by now
        found, _ = read_entries(portal)
        entries = {one.device_id: one for one in found}
        pairings = brought_up_to_date(portal, entries, now)
    documents: dict[str, tuple[str, Json]] = {}
    for device_id, pairing in pairings.items():
        entry = entries.get(device_id)
        if entry is not None and pairing.settings and not pairing.revoked:
            try:
                content = document_of(entry, pairing.settings)
            except TscmError:
                continue
            documents[device_id] = (etag_of(content), content)
    return Known(entries, pairings, documents)


def use_code(
    portal: Path,
    entry: PortalEntry,
    asked: PairRequest,
    *,
    code: str,
    peer: str,
    now: float,
) -> tuple[Verdict, Pairing]:
    """Judge a code and use it up, in one step.  Blocking; raises `TscmError`, OSError."""
    verdict = Verdict.WRONG

    def use(pairing: Pairing) -> Pairing:
        nonlocal verdict
        verdict = pairing.judge(code, asked.token, now)
        if verdict is not Verdict.GOOD or asked.look:
            return pairing
        content = etag_of(document_of(present, pairing.settings))
        done = consumed(pairing, code, asked.token, manager=asked.manager, address=peer, now=now)
        return with_content(done, content, now)

    with FILES:
        present = _present(portal, entry)
        found = change_pairing(portal, entry.device_id, use)
        if verdict in {Verdict.GOOD, Verdict.AGAIN} and not asked.look:
            # Behind the pairing: a stop between the two is repaired when the manager shows its code again.
            rotate_key(portal, entry.nickname, digest=asked.device_key)
    return verdict, found


def _present(portal: Path, entry: PortalEntry) -> PortalEntry:
    """The entry as its file says by now; as it was where there is none any more, which its pairing knows."""
    try:
        found = read_entry(portal, entry.nickname)
    except EntryUnknown:
        return entry
    return found if found.device_id == entry.device_id else entry
