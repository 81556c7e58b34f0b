"""
What is news to a manager that follows a portal.
"""

import pytest
from attrs import evolve

from tscm.pairing.known import Known
from tscm.pairing.messages import Followed, State
from tscm.pairing.stages import Pairing, digest
from tscm.services.entries import PortalEntry

ENTRY = PortalEntry(
    nickname="east",
    device_id="tdid_00000001",
    block_list="block.example",
    allow_list="allow.example",
    address="192.0.2.1",
)
PAIRING = Pairing(device_id=ENTRY.device_id, token=digest("token"), version=2, etag="e2")
KNOWN = Known(
    {ENTRY.device_id: ENTRY}, {ENTRY.device_id: PAIRING}, {ENTRY.device_id: ("e2", {"x": "y"})}
)
MARKS = {"block.example": "b1", "allow.example": "a1"}
CURRENT = Followed(device_id=ENTRY.device_id, token="token", known=2, lists=MARKS)


def test_who_has_everything_is_told_nothing() -> None:
    assert KNOWN.news((CURRENT,), MARKS.get) == []


def test_a_newer_document_and_a_changed_list_are_news() -> None:
    (told,) = KNOWN.news((evolve(CURRENT, known=1),), MARKS.get)
    assert told.document == {"version": 2, "etag": "e2", "settings": {"x": "y"}}
    (told,) = KNOWN.news((CURRENT,), {**MARKS, "allow.example": "a2"}.get)
    assert (told.document, told.lists["allow.example"]) == (None, "a2")


def test_a_portal_that_just_started_knows_no_marks_and_tells_no_change() -> None:
    assert KNOWN.news((CURRENT,), lambda _: None) == []


def test_a_document_that_its_pairing_does_not_name_yet_is_not_told() -> None:
    older = evolve(KNOWN, documents={ENTRY.device_id: ("e1", {"x": "old"})})
    assert older.news((evolve(CURRENT, known=1),), MARKS.get) == []


@pytest.mark.parametrize(
    ("pairing", "token", "state"),
    [
        (PAIRING, "another", State.UNKNOWN),
        (evolve(PAIRING, ended_at=1.0), "token", State.UNPAIRED),
        (evolve(PAIRING, revoked=True), "token", State.UNPAIRED),
    ],
)
def test_who_follows_no_more_is_told_so(pairing: Pairing, token: str, state: str) -> None:
    known = evolve(KNOWN, pairings={ENTRY.device_id: pairing})
    (told,) = known.news((evolve(CURRENT, token=token),), MARKS.get)
    assert told.state == state


def test_an_entry_whose_file_is_missing_decides_nothing() -> None:
    assert evolve(KNOWN, entries={}).news((CURRENT,), MARKS.get) == []
