"""
What managers and a portal say to each other: JSON within bounds, read before anything is believed.  Pure.

`POST /pairing/v1/pair` shows a code; `POST /pairing/v1/follow` tells how devices stand and waits for news.
`docs/develop/pairing.md` has both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from tscm.errors import TscmError
from tscm.model import Json
from tscm.printable import visible
from tscm.wire.bounded_json import read_json

PAIR, FOLLOW = "/pairing/v1/pair", "/pairing/v1/follow"
BODY_BYTES = 131_072
DEVICES_MOST = 64
"""Of one request; a manager with more asks several times."""
ANSWER_BYTES = 2_097_152
_MARKS_MOST = 100_000
"""Of a message, as `tscm.wire.bounded_json` counts: 64 devices with some hundred settings each are half of it."""
WAIT_SECONDS = 25.0
"""For so long a request waits for news: less than proxies and firewalls cut an idle connection."""
_LISTS_MOST = 16
_WORD_MOST = 240
_SENTENCE_MOST = 500
_CAUSES_MOST = 8


@define(eq=False)
class MessageFaulty(TscmError):
    """
    The other side sent what is no such message.
    """

    exit_status = 1

    cause: str

    def __str__(self) -> str:
        return f"the message cannot be used: {self.cause}"


def decode(raw: bytes) -> Json:
    """The object in *raw*, whose length the caller has bounded.  Raises `MessageFaulty`."""
    try:
        found = read_json(raw, _MARKS_MOST)
    except ValueError:
        raise MessageFaulty(
            f"it is not JSON, or contains more than {_MARKS_MOST:,} values"
        ) from None
    if not isinstance(found, dict):
        raise MessageFaulty("it is not a JSON object")
    return found


def word(raw: Any, what: str, most: int = _WORD_MOST) -> str:
    """A text of printable characters.  Raises `MessageFaulty`."""
    if not isinstance(raw, str) or not 0 < len(raw) <= most or not raw.isprintable():
        raise MessageFaulty(f"{what} is not a text of 1 to {most} characters")
    return raw


def whole(raw: Any, what: str) -> int:
    """A number from 0 that JSON holds exactly.  Raises `MessageFaulty`."""
    if type(raw) is not int or not 0 <= raw <= 1 << 53:
        raise MessageFaulty(f"{what} is not a whole number")
    return raw


def told(raw: Any, most: int = _SENTENCE_MOST) -> str:
    """A sentence of the other side, made harmless and short; empty where it is none."""
    return " ".join(visible(raw[:most]).split()) if isinstance(raw, str) else ""


def _moment(raw: Any) -> float | None:
    fits = isinstance(raw, int | float) and not isinstance(raw, bool) and 0 <= raw < 1e11
    return float(raw) if fits else None


def _count(raw: Any) -> int | None:
    return raw if type(raw) is int and 0 <= raw <= 1 << 53 else None


@frozen(kw_only=True)
class PairRequest:
    """
    A code, and what the manager will be known by: token and device key as SHA-256, never themselves.

    With *look* the document is shown and the code stays good: nothing is used up before the manager's own checks.
    """

    device_id: str
    code: str = field(repr=False)
    token: str = field(repr=False)
    device_key: str = field(repr=False)
    manager: str
    look: bool = False


def read_pair(raw: Json) -> PairRequest:
    """Raises `MessageFaulty`."""
    token, key = word(raw.get("token"), "token", 64), word(raw.get("device_key"), "device_key", 64)
    for name, one in (("token", token), ("device_key", key)):
        if len(one) != 64 or not set(one) <= set("0123456789abcdef"):
            raise MessageFaulty(f"{name} is not a SHA-256")
    return PairRequest(
        device_id=word(raw.get("device_id"), "device_id", 100),
        code=word(raw.get("code"), "code", 200),
        token=token,
        device_key=key,
        manager=word(raw.get("manager"), "manager", 100),
        look=raw.get("look") is True,
    )


@frozen(kw_only=True)
class Standing:
    """
    How a device stands at its manager, as that tells it; None and empty where it says nothing.
    """

    applied: int = 0
    """The version of the settings in force there."""
    fault: str = ""
    """Why a newer one is not."""
    verdict: str = ""
    causes: tuple[str, ...] = ()
    generation: int | None = None
    updated_at: float | None = None
    entries: int | None = None
    hits: int | None = None
    """Counted since its manager started."""
    upload: str = ""
    software: str = ""


def read_standing(raw: Any) -> Standing:
    """What a manager says, cut where it is too long: nothing of it decides anything."""
    if not isinstance(raw, dict):
        return Standing()
    causes = raw.get("causes")
    several = causes if isinstance(causes, list) else []
    return Standing(
        applied=_count(raw.get("applied")) or 0,
        fault=told(raw.get("fault")),
        verdict=told(raw.get("verdict"), 20),
        causes=tuple(told(one) for one in several[:_CAUSES_MOST] if told(one)),
        generation=_count(raw.get("generation")),
        updated_at=_moment(raw.get("updated_at")),
        entries=_count(raw.get("entries")),
        hits=_count(raw.get("hits")),
        upload=told(raw.get("upload"), 20),
        software=told(raw.get("software"), 40),
    )


@frozen(kw_only=True)
class Followed:
    """
    One device of a follow request: *known* is the version that the manager has received, *lists* the mark of each list.
    """

    device_id: str
    token: str = field(repr=False)
    known: int = 0
    lists: Mapping[str, str] = field(factory=dict)
    standing: Standing = field(factory=Standing)
    unpair: bool = False


def read_follow(raw: Json) -> tuple[Followed, ...]:
    """Raises `MessageFaulty`."""
    several = raw.get("devices")
    if not isinstance(several, list) or not 0 < len(several) <= DEVICES_MOST:
        raise MessageFaulty(f"devices is not a list of 1 to {DEVICES_MOST}")
    found = tuple(_followed(one) for one in several)
    if len({one.device_id for one in found}) < len(found):
        raise MessageFaulty("a device is named twice")
    return found


def _followed(raw: Any) -> Followed:
    if not isinstance(raw, dict):
        raise MessageFaulty("a device is not an object")
    return Followed(
        device_id=word(raw.get("device_id"), "device_id", 100),
        token=word(raw.get("token"), "token", 200),
        known=whole(raw.get("known", 0), "known"),
        lists=read_marks(raw.get("lists")),
        standing=read_standing(raw.get("standing")),
        unpair=raw.get("unpair") is True,
    )


def read_marks(raw: Any) -> dict[str, str]:
    """The mark of each list by its name: another where its content is another.  Raises `MessageFaulty`."""
    if raw is None:
        return {}
    if not isinstance(raw, dict) or len(raw) > _LISTS_MOST:
        raise MessageFaulty(f"lists is not an object of {_LISTS_MOST} values at most")
    return {word(name, "list"): word(mark, "mark", 40) for name, mark in raw.items()}


class State:
    """What a portal says of a device that a manager follows."""

    PAIRED = "paired"
    UNPAIRED = "unpaired"
    """The portal ended it: the settings become the manager's own."""
    UNKNOWN = "unknown"
    """The portal does not know the manager by that token: all stays, and an operator is told."""
    STATES = frozenset({PAIRED, UNPAIRED, UNKNOWN})


@frozen(kw_only=True)
class News:
    """
    One device of an answer: *document* (as JSON) only where the manager has another version.
    """

    device_id: str
    state: str
    document: Json | None = None
    version: int = 0
    """The portal's; where it is below the manager's, the portal was set back."""
    lists: Mapping[str, str] = field(factory=dict)


def news_as_json(news: Sequence[News]) -> Json:
    """The body of an answer."""
    return {
        "devices": [
            {
                "device_id": one.device_id,
                "state": one.state,
                "version": one.version,
                "lists": dict(one.lists),
                **({} if one.document is None else {"document": one.document}),
            }
            for one in news
        ]
    }


def read_news(raw: Json) -> dict[str, News]:
    """An answer by device ID.  Raises `MessageFaulty`."""
    several = raw.get("devices")
    if not isinstance(several, list) or len(several) > DEVICES_MOST:
        raise MessageFaulty("devices is not a list")
    found: dict[str, News] = {}
    for one in several:
        if not isinstance(one, dict) or one.get("state") not in State.STATES:
            raise MessageFaulty("the state of a device is none that there is")
        device_id = word(one.get("device_id"), "device_id", 100)
        found[device_id] = News(
            device_id=device_id,
            state=one["state"],
            document=one.get("document"),
            version=whole(one.get("version", 0), "version"),
            lists=read_marks(one.get("lists")),
        )
    return found
