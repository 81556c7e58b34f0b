"""
What a follower does with an answer of its portal, and with a portal that does not answer.  Pure.
"""

from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from tscm.model import Json
from tscm.pairing.bonds import Bond
from tscm.pairing.documents import Document, DocumentFaulty, read_document
from tscm.pairing.messages import DEVICES_MOST, News, Standing, State
from tscm.wire.writing import as_json

LEAST_SECONDS = 1.0
"""Between two requests, however quickly a portal answers."""
UNKNOWN_SECONDS = 300.0
"""Between two requests about a device that the portal does not know."""
RETRY_FIRST, RETRY_MOST = 15.0, 900.0
"""Between two tries to apply a document that could not be applied."""


@frozen(kw_only=True)
class Place:
    """Where one portal is, and what it is known by: devices of one place are asked about together."""

    portal: str
    fingerprint: str


@frozen(kw_only=True)
class Heard:
    """
    What a follower knows of one device beyond its bond: *lists* as the portal marked them last.

    *heard_at* is a time of day; the others are times of the steady clock, for a clock that is set must delay nothing.
    """

    lists: Mapping[str, str] = field(factory=dict)
    heard_at: float | None = None
    fault: str = ""
    unknown_until: float = 0.0
    """The portal did not know the device: until then it is not asked about again."""
    failures: int = 0
    retry_at: float | None = None
    """When the last document is applied again."""


@frozen(kw_only=True)
class Steps:
    """
    What is to be done for one device: *heard* is kept, *bond* written where it is another one, *changed* lists are
    fetched; *ended*: the settings become the manager's own.
    """

    heard: Heard
    bond: Bond
    changed: tuple[str, ...] = ()
    ended: bool = False


def groups(bonds: Iterable[Bond]) -> dict[Place, list[tuple[Bond, ...]]]:
    """Bonds by place, in parts that one request can carry."""
    found: dict[Place, list[Bond]] = {}
    for one in bonds:
        place = Place(portal=one.portal, fingerprint=one.fingerprint)
        found.setdefault(place, []).append(one)
    return {
        place: [
            tuple(several[at : at + DEVICES_MOST]) for at in range(0, len(several), DEVICES_MOST)
        ]
        for place, several in found.items()
    }


def question(bonds: Iterable[tuple[Bond, Heard, Standing]]) -> Json:
    """The body of a follow request."""
    return {
        "devices": [
            {
                "device_id": bond.device_id,
                "token": bond.token.reveal(),
                "known": bond.received,
                "lists": dict(heard.lists),
                "standing": as_json(standing),
            }
            for bond, heard, standing in bonds
        ]
    }


def taken(bond: Bond, heard: Heard, news: News | None, *, now: float, at: float) -> Steps:
    """
    What one device's news mean, at *now* of the steady clock, and *at* by the time of day.

    A document of a version that is not above what was received is passed over: a portal that was set back
    must give a newer one.  What a portal does not know stays as it is, for it may be a portal that was set back.
    """
    if news is None or news.state == State.UNKNOWN:
        fault = (
            "the portal does not know this pairing; pair the device again, or end it with "
            f"`tsadmin unpair {bond.name}`"
        )
        return Steps(
            heard=evolve(heard, heard_at=at, fault=fault, unknown_until=now + UNKNOWN_SECONDS),
            bond=bond,
        )
    if news.state == State.UNPAIRED:
        return Steps(heard=evolve(heard, heard_at=at), bond=bond, ended=True)
    changed = tuple(name for name, mark in news.lists.items() if heard.lists.get(name) != mark)
    after = evolve(heard, heard_at=at, lists=dict(news.lists), unknown_until=0.0)
    if news.document is not None:
        try:
            document = read_document(news.document)
        except DocumentFaulty as error:
            return Steps(heard=evolve(after, fault=str(error)), bond=bond, changed=changed)
        if document.version > bond.received:
            return Steps(
                heard=evolve(after, fault="", failures=0, retry_at=now),
                bond=received(bond, document),
                changed=changed,
            )
    fault = after.fault if bond.received > bond.applied else ""
    if news.version < bond.received:
        fault = (
            f"the portal has version {news.version} of the settings and {bond.received} is in force "
            f"here: the portal was set back; `tsadmin portal change {bond.nickname} --again` there sends its own"
        )
    return Steps(heard=evolve(after, fault=fault), bond=bond, changed=changed)


def received(bond: Bond, document: Document) -> Bond:
    """With a document that is not in force yet."""
    return evolve(bond, received=document.version, document=document.settings)


def failed(heard: Heard, fault: str, now: float) -> Heard:
    """A document could not be applied: tried again later and later.  *now* is of the steady clock."""
    failures = heard.failures + 1
    wait = min(RETRY_MOST, RETRY_FIRST * 2.0 ** min(failures - 1, 10))
    return evolve(heard, fault=fault, failures=failures, retry_at=now + wait)
