"""
How one device entry stands with the managers that follow the portal.  Pure.

An entry has at most one code outstanding and at most one manager.  A code is good once and until its
time is over; the manager that uses it takes the place of the one before.
"""

import hmac
from enum import StrEnum
from hashlib import sha256

from attrs import evolve, field, frozen

from tscm.model import Json

CODE_SECONDS = 7 * 86400.0
"""How long a code is good where nothing else is said."""
CODE_SECONDS_MOST = 90 * 86400.0
VERSION_MOST = 1 << 53
"""What a JSON number holds exactly."""
_MANAGER_MOST = 100


class Stage(StrEnum):
    """
    Where an entry stands.
    """

    NONE = "not paired"
    """It never had a code, or its code was never used and has expired or been withdrawn."""
    WAITING = "waiting"
    """A code is outstanding, and no manager follows."""
    PAIRED = "paired"
    """A manager follows."""
    UNPAIRED = "unpaired"
    """The tie was ended, here or at the manager."""
    REVOKED = "revoked"
    """The entry was deleted: its manager is told so, and no other pairs with it again."""


class Verdict(StrEnum):
    """
    What becomes of a code that a manager shows.
    """

    GOOD = "good"
    AGAIN = "again"
    """The manager that used it shows it again: its answer was lost."""
    WRONG = "wrong"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


def digest(secret: str) -> str:
    """What is kept of a code or a token; of `""` too, which fits nothing."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _fits(given: str, kept: str) -> bool:
    return bool(kept) and hmac.compare_digest(given.encode(), kept.encode())


@frozen(kw_only=True)
class Pairing:
    """
    One entry's pairing.  Codes and tokens are kept as SHA-256 (`digest`); empty where there is none.
    """

    device_id: str
    code: str = field(default="", repr=False)
    code_until: float = 0.0
    used: str = field(default="", repr=False)
    """The code that was used last."""
    used_at: float = 0.0
    token: str = field(default="", repr=False)
    manager: str = ""
    """How the manager names itself."""
    address: str = ""
    """Where it paired from."""
    paired_at: float = 0.0
    ended_at: float = 0.0
    ended_by: str = ""
    revoked: bool = False
    version: int = 0
    """Of the document."""
    etag: str = ""
    """Of its content."""
    settings: Json = field(factory=dict)
    """What operators set for the device, by option."""

    def stage(self, now: float) -> Stage:
        """Where the entry stands."""
        if self.revoked:
            return Stage.REVOKED
        if self.token and not self.ended_at:
            return Stage.PAIRED
        if self.code_outstanding(now):
            return Stage.WAITING
        return Stage.UNPAIRED if self.ended_at else Stage.NONE

    def code_outstanding(self, now: float) -> bool:
        """Whether there is a code that may be used."""
        return bool(self.code) and now < self.code_until and not self.revoked

    def judge(self, code: str, token: str, now: float) -> Verdict:
        """
        What becomes of *code*, shown by who will be known by *token* (both as digests).

        A code that was never handed out learns nothing else from the answer.
        """
        if _fits(code, self.used):
            same = _fits(token, self.token) and not self.ended_at and not self.revoked
            return Verdict.AGAIN if same else Verdict.USED
        if not _fits(code, self.code):
            return Verdict.WRONG
        if self.revoked:
            return Verdict.REVOKED
        return Verdict.GOOD if now < self.code_until else Verdict.EXPIRED

    def follows(self, token: str) -> bool:
        """Whether *token* (its digest) is that of the manager that follows, or followed last."""
        return _fits(token, self.token)


def issued(pairing: Pairing, code: str, now: float, seconds: float) -> Pairing:
    """With *code* (its digest) outstanding for so long; one before it is void, the manager stays."""
    return evolve(pairing, code=code, code_until=now + min(seconds, CODE_SECONDS_MOST))


def consumed(
    pairing: Pairing, code: str, token: str, *, manager: str, address: str, now: float
) -> Pairing:
    """Paired with who showed the good *code* and will be known by *token*; a manager before it is out."""
    return evolve(
        pairing,
        code="",
        code_until=0.0,
        used=code,
        used_at=now,
        token=token,
        manager=manager[:_MANAGER_MOST],
        address=address,
        paired_at=now,
        ended_at=0.0,
        ended_by="",
    )


def withdrawn(pairing: Pairing) -> Pairing:
    """Without a code."""
    return evolve(pairing, code="", code_until=0.0)


def ended(pairing: Pairing, by: str, now: float) -> Pairing:
    """Unpaired: the token is kept, so that its manager can be told; a code is void."""
    if not pairing.token or pairing.ended_at:
        return withdrawn(pairing)
    return evolve(withdrawn(pairing), ended_at=now, ended_by=by[:_MANAGER_MOST])


def revoked(pairing: Pairing, by: str, now: float) -> Pairing:
    """The entry is gone."""
    return evolve(ended(pairing, by, now), revoked=True, settings={})


def next_version(last: int, now: float) -> int:
    """
    Above *last*, and above all that a portal gave out before it was restored from an older backup.

    A version is the time of its change, so that one of today is above one that a backup of yesterday
    does not know; where the clock stands still or goes back, it is one more.
    """
    return min(max(int(now), last + 1), VERSION_MOST)


def with_content(pairing: Pairing, etag: str, now: float) -> Pairing:
    """With a version of its own for other content than before."""
    if pairing.etag == etag and pairing.version:
        return pairing
    return evolve(pairing, etag=etag, version=next_version(pairing.version, now))


def above(pairing: Pairing, seen: int, now: float) -> Pairing:
    """With a version above *seen*, which a manager has in force and this portal does not know."""
    return evolve(pairing, version=next_version(max(pairing.version, seen), now))
