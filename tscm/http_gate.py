"""
Who may ask one of our HTTP listeners for something: judged by the head of a request.  Pure.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Collection, Sequence
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"})
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{0,5})?")
_ACCOUNT_MOST = 1024


@frozen(kw_only=True)
class Refusal:
    """
    Why a request is not answered: status (RFC 9110, 15), the sentence, and headers besides.
    """

    status: int
    sentence: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


@frozen(kw_only=True)
class Account:
    """
    The one account that a listener knows (RFC 7617), kept as a digest.
    """

    _digest: bytes = field(repr=False)

    @classmethod
    def of(cls, content: bytes) -> "Account":
        """From the first line of a file, `user:password`.  Raises `ValueError`."""
        line = content.splitlines()[0].strip() if content.strip() else b""
        user, colon, password = line.partition(b":")
        if not user or not colon or not password or len(line) > _ACCOUNT_MOST:
            raise ValueError("its first line is not user:password")
        return cls(digest=sha256(line).digest())

    def fits(self, header: bytes | None) -> bool:
        """Whether an Authorization header holds this account; as slow for every wrong one."""
        scheme, _, coded = (header or b"").strip().partition(b" ")
        try:
            given = base64.b64decode(coded.strip(), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        fits = hmac.compare_digest(sha256(given).digest(), self._digest)
        return fits and scheme.lower() == b"basic"


def host_fault(
    version: bytes, hosts: Sequence[bytes], names: Collection[str] | None
) -> Refusal | None:
    """
    Why a request with these Host headers is not for us (RFC 9112, 3.2), or None.

    A browser that was led here by a foreign name (DNS rebinding) shows that name: addresses, `localhost`
    and *names* (lower case) are good; with None for *names* every name is.  HTTP/1.0 may leave Host out.
    """
    if not hosts:
        if version == b"HTTP/1.0":
            return None
        return Refusal(status=400, sentence="the request has no Host header")
    if len(hosts) > 1:
        return Refusal(status=400, sentence="the request has more than one Host header")
    found = _HOST.fullmatch(hosts[0].decode("latin-1").strip())
    if found is None:
        return Refusal(status=400, sentence="the Host header is neither an address nor a name")
    address, name = found.groups()
    if names is None:
        return None
    try:
        ip_address(address or name)
    except ValueError:
        if address is None and name.rstrip(".").lower() in {"localhost", *names}:
            return None
        return Refusal(
            status=421,
            sentence="the name in the Host header is not one of this listener's; use an address or "
            "localhost, or set the name in the settings",
        )
    return None


def line_fault(method: bytes, path: bytes) -> Refusal | None:
    """Why a request line is not looked at any further, or None."""
    if method not in METHODS:
        return Refusal(status=405, sentence="the method is not one of GET, POST, PUT and DELETE")
    try:
        plain = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return Refusal(status=400, sentence="the path is not UTF-8")
    if not plain.startswith("/"):
        return Refusal(status=400, sentence="the path does not begin with /")
    return None
