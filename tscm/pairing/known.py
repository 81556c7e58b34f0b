"""
What a portal knows of its devices, and what of that is news to a manager that follows them.  Pure.
"""

from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from tscm.model import Json
from tscm.pairing.messages import Followed, News, State
from tscm.pairing.stages import Pairing, digest
from tscm.services.entries import PortalEntry

Marks = Callable[[str], str | None]
"""The mark of a published list by its name; None while that is not known."""


@frozen
class Known:
    """
    Entries, pairings and documents of a portal as they were at one look, by device ID.

    A document is its ETag and its settings.
    """

    entries: Mapping[str, PortalEntry] = field(factory=dict)
    pairings: Mapping[str, Pairing] = field(factory=dict)
    documents: Mapping[str, tuple[str, Json]] = field(factory=dict)

    def is_known(self, one: Followed) -> bool:
        """Is there a pairing of that device which the shown token follows?"""
        pairing = self.pairings.get(one.device_id)
        return pairing is not None and pairing.follows(digest(one.token))

    def news(self, followed: Sequence[Followed], marks: Marks) -> list[News]:
        """All devices of a request, if there is something to say of one of them."""
        states = self.states(followed, marks)
        if any(
            state.state != State.PAIRED
            or state.document is not None
            or dict(state.lists) != dict(one.lists)
            for one, state in zip(followed, states, strict=True)
        ):
            return states
        return []

    def states(self, followed: Sequence[Followed], marks: Marks) -> list[News]:
        """How each device of a request stands."""
        return [self._state(one, marks) for one in followed]

    def _state(self, one: Followed, marks: Marks) -> News:
        if not self.is_known(one):
            return News(device_id=one.device_id, state=State.UNKNOWN)
        pairing, entry = self.pairings[one.device_id], self.entries.get(one.device_id)
        if pairing.ended_at or pairing.revoked:
            return News(device_id=one.device_id, state=State.UNPAIRED)
        if entry is None:  # its file cannot be read, or was deleted by hand: that decides nothing
            return News(
                device_id=one.device_id, state=State.PAIRED, version=one.known, lists=one.lists
            )
        found = self.documents.get(one.device_id)
        newer = found is not None and found[0] == pairing.etag and pairing.version > one.known
        return News(
            device_id=one.device_id,
            state=State.PAIRED,
            version=pairing.version,
            document=document_as_json(pairing.version, *found) if newer and found else None,
            lists=_marked(entry, one.lists, marks),
        )


def document_as_json(version: int, etag: str, settings: Json) -> Json:
    """A document as a manager is sent it."""
    return {"version": version, "etag": etag, "settings": settings}


def _marked(entry: PortalEntry, known: Mapping[str, str], marks: Marks) -> Mapping[str, str]:
    """The mark of each list, as the manager has it where a portal that just started does not know it yet."""
    found: dict[str, str] = {}
    for name in (entry.block_list, entry.allow_list):
        mark = marks(name)
        mark = known.get(name) if mark is None else mark
        if mark is not None:
            found[name] = mark
    return found
