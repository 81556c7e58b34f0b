"""
Questions signed with an entry's own TSIG key (RFC 8945), and answers signed with it.

The key is made of the digest of the device key, so that nothing more is handed out or kept: who has
the one can compute the other.  dnspython computes; a question is read by our reader first, which bounds it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from tscm.services.dns_question import Signature

BADSIG, BADKEY, BADTIME = 16, 17, 18
_FUDGE = 300
_ANY = 255
_TSIG = 250
_FIXED_SIZE = 10


@frozen
class Refused:
    """
    Why a signature does not count: an error of RFC 8945, 3.  BADTIME is told signed, with *key* and *mac*.
    """

    error: int
    key: Any = None
    mac: bytes = b""


@frozen
class Verified:
    """
    A question that is *key*'s, and what the answer's signature begins with.
    """

    key: Any
    mac: bytes
    original_id: int
    now: Callable[[], float] = time.time

    def signed(self, messages: Iterator[bytes], error: int = 0) -> Iterator[bytes]:
        """*messages*, each with its signature over all before it (RFC 8945, 5.3.1)."""
        import dns.tsig

        context = None
        for message in messages:
            at = int(self.now())
            rdata = _rdata(self.key, at, self.original_id, error)
            found, context = dns.tsig.sign(message, self.key, rdata, at, self.mac, context, True)
            yield _with(message, self.key, found)


def check(
    message: bytes, signature: Signature, secret: str | None, now: Callable[[], float] = time.time
) -> Verified | Refused:
    """
    Is *message*, whose TSIG record is *signature*, signed with the key of *secret* (base64)?  None: no key's.
    """
    import dns.exception
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.tsig

    if secret is None:
        return Refused(BADKEY)
    try:
        owner = dns.name.from_wire(signature.key, 0)[0]
        algorithm = dns.name.from_wire(signature.algorithm, 0)[0]
        if algorithm != dns.tsig.HMAC_SHA256:
            return Refused(BADKEY)
        key = dns.tsig.Key(owner, secret, dns.tsig.HMAC_SHA256)
        rdata: Any = dns.rdata.from_wire(
            dns.rdataclass.RdataClass(_ANY),
            dns.rdatatype.RdataType(_TSIG),
            message,
            signature.data_at,
            len(message) - signature.data_at,
        )
        dns.tsig.validate(message, key, owner, rdata, int(now()), b"", signature.at)
    except dns.tsig.BadTime:
        return Refused(BADTIME, key, rdata.mac)
    except dns.exception.DNSException:
        return Refused(BADSIG)
    return Verified(key, rdata.mac, rdata.original_id, now)


def told_late(message: bytes, refused: Refused, now: Callable[[], float] = time.time) -> bytes:
    """*message* signed, with this server's time, for an asker whose clock is off (RFC 8945, 5.2.3)."""
    number = int.from_bytes(message[:2], "big")
    late = Verified(refused.key, refused.mac, number, now)
    return next(late.signed(iter([message]), BADTIME))


def _rdata(key: Any, at: int, number: int, error: int) -> Any:
    import dns.rdataclass
    import dns.rdatatype
    import dns.rdtypes.ANY.TSIG

    return dns.rdtypes.ANY.TSIG.TSIG(
        dns.rdataclass.RdataClass(_ANY),
        dns.rdatatype.RdataType(_TSIG),
        key.algorithm,
        at,
        _FUDGE,
        b"",
        number,
        error,
        at.to_bytes(6, "big") if error == BADTIME else b"",
    )


def _with(message: bytes, key: Any, rdata: Any) -> bytes:
    """*message* with a TSIG record behind it, counted in its header."""
    data: bytes = rdata.to_wire()
    count = int.from_bytes(message[10:12], "big") + 1
    head: bytes = key.name.to_wire() + _TSIG.to_bytes(2, "big") + _ANY.to_bytes(2, "big") + bytes(4)
    return (
        message[:10] + count.to_bytes(2, "big") + message[12:] + head
        + len(data).to_bytes(2, "big") + data
    )  # fmt: skip
