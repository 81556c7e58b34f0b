"""
Questions signed and answers checked by a shared key (TSIG, RFC 8945).

Checked on the wire, message by message, so that the bulk of a transfer need not be parsed twice:
dnspython computes, `tscm.policy.records` knows where the signature lies.
"""

import base64
import binascii
from collections.abc import Callable
from time import time
from typing import Any, Self

from attrs import define, field, frozen

from tscm.base.secrets import Secret
from tscm.policy.names import read_name
from tscm.policy.records import TSIG, Table

_UNSIGNED_AT_MOST = 99  # RFC 8945, 5.3.1
_DEFAULT = "hmac-sha256"
_ANY = 255


class TsigFailed(Exception):
    """
    An answer that is not proven to be the server's; the text says why.
    """


@frozen
class TsigKey:
    """
    A key by its name; the secret is base64, with `algorithm:` in front where it is not hmac-sha256.
    """

    name: str
    secret: Secret

    def as_dns(self) -> Any:
        """As dnspython wants it; raises `TsigFailed` for what is no key."""
        import dns.exception
        import dns.name
        import dns.tsig

        algorithm, colon, text = self.secret.reveal().rpartition(":")
        chosen = algorithm if colon else _DEFAULT
        try:
            raw = base64.b64decode(text, validate=True)
            key = dns.tsig.Key(self.name, raw, dns.name.from_text(chosen))
            dns.tsig.get_context(key)
        except (binascii.Error, dns.exception.DNSException, NotImplementedError):
            raise TsigFailed(
                f"TSIG key {self.name} is not valid base64, or its algorithm is unknown"
            ) from None
        return key


@define(eq=False)
class Signed:
    """
    One signed query and the check of all messages that answer it.
    """

    query: bytes
    _key: Any
    _mac: bytes
    _now: Callable[[], float] = time
    _context: Any = field(default=None, init=False)
    _unsigned: int = field(default=0, init=False)

    @classmethod
    def of(cls, key: TsigKey, query: Any) -> Self:
        """Sign dnspython's *query*."""
        chosen = key.as_dns()
        query.use_tsig(chosen)
        wire = query.to_wire()
        return cls(wire, chosen, query.mac)

    def check(self, table: Table) -> None:
        """
        Take one message of the answer; raises `TsigFailed` for a signature that does not fit.

        Messages in between may be unsigned: the next signature covers them.
        """
        import dns.exception
        import dns.rdata
        import dns.rdataclass
        import dns.rdatatype
        import dns.tsig

        last = table.additionals[-1] if len(table.additionals) else None
        if last is None or last.type != TSIG:
            self._unsigned += 1
            if self._context is None or self._unsigned > _UNSIGNED_AT_MOST:
                raise TsigFailed("the answer is not signed")
            self._context.update(table.message)
            return
        # Followed by our reader first, which bounds what a name may cost.
        read_name(table.message, last.owner_at)
        read_name(table.message, last.rdata_at)
        try:
            rdata = dns.rdata.from_wire(
                dns.rdataclass.RdataClass(_ANY),
                dns.rdatatype.RdataType(TSIG),
                table.message,
                last.rdata_at,
                last.rdata_octets,
            )
            owner = dns.name.from_wire(table.message, last.owner_at)[0]
            self._context = dns.tsig.validate(
                table.message,
                self._key,
                owner,
                rdata,
                int(self._now()),
                self._mac,
                last.owner_at,
                self._context,
                True,
            )
        except dns.exception.DNSException as error:
            raise TsigFailed(
                _WORDS.get(type(error).__name__, "the signature is not valid")
            ) from None
        self._unsigned = 0

    def check_closed(self) -> None:
        """Raise `TsigFailed` unless the last message was a signed one."""
        if self._context is None or self._unsigned:
            raise TsigFailed("the end of the answer is not signed")


_WORDS = {
    "PeerBadKey": "the server does not know the TSIG key (BADKEY)",
    "PeerBadSignature": "the server rejected the TSIG signature (BADSIG)",
    "PeerBadTime": "the clocks of the server and this host differ too much for TSIG (BADTIME)",
    "PeerBadTruncation": "the server rejected the length of the TSIG signature (BADTRUNC)",
    "BadTime": "the clocks of the server and this host differ too much for TSIG",
    "BadKey": "the answer is signed with another TSIG key",
    "BadAlgorithm": "the answer is signed with another TSIG algorithm",
    "BadSignature": "the TSIG signature of the answer is not valid",
}
