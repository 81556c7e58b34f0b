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
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)", re.DOTALL)
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


@frozen
class RequestLine:
    """
    A request line with its target in origin form, and the host of a target that was in absolute form.
    """

    line: bytes
    host: bytes | None = None


def in_origin_form(line: bytes) -> RequestLine:
    """
    *line* with the path alone for target, as every server must take an absolute one (RFC 9112, 3.2.2).

    Only `http` and `https` are ours: a target of another scheme stays as it is, and no path begins so.
    """
    method, blank, rest = line.partition(b" ")
    target, again, version = rest.rpartition(b" ")
    found = _ABSOLUTE.fullmatch(target)
    if found is None or found[1].lower() not in {b"http", b"https"}:
        return RequestLine(line)
    path = found[3] if found[3].startswith(b"/") else b"/" + found[3]
    return RequestLine(method + blank + path + again + version, found[2])


def host_fault(
    version: bytes,
    hosts: Sequence[bytes],
    names: Collection[str] | None,
    target: bytes | None = None,
) -> Refusal | None:
    """
    Why a request with these Host headers is not for us (RFC 9112, 3.2), or None.

    A browser that was led here by a foreign name (DNS rebinding) shows that name: addresses, `localhost`
    and *names* (lower case) are good; with None for *names* every name is.  HTTP/1.0 may leave Host out.
    Where the request's target names a host, that one counts in the place of the header's.
    """
    if len(hosts) > 1:
        return Refusal(status=400, sentence="the request has more than one Host header")
    if not hosts and version != b"HTTP/1.0":
        return Refusal(status=400, sentence="the request has no Host header")
    if target is not None:
        return _name_fault(target, names, "host in the request target")
    return _name_fault(hosts[0], names, "Host header") if hosts else None


def _name_fault(host: bytes, names: Collection[str] | None, what: str) -> Refusal | None:
    found = _HOST.fullmatch(host.decode("latin-1").strip())
    if found is None:
        return Refusal(status=400, sentence=f"the {what} is neither an address nor a name")
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
            sentence=f"the name in the {what} is not a name of this listener; use an address or "
            "localhost, or set the name in the settings",
        )
    return None


def line_fault(method: bytes, path: bytes) -> Refusal | None:
    """Why a request line is not looked at any further, or None."""
    if method not in METHODS:
        return Refusal(
            status=405,
            sentence="the method is not one of GET, POST, PUT and DELETE",
            headers=((b"Allow", b", ".join(sorted(METHODS))),),
        )
    try:
        plain = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return Refusal(status=400, sentence="the path is not UTF-8")
    if not plain.startswith("/"):
        return Refusal(status=400, sentence="the path does not begin with /")
    return None
