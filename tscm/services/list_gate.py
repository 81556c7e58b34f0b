"""
Who may pull a list, and what of it: judged by the head of a request.  Pure.

Who does not know the secret part of a path is told the same for every device, be there one or not.  What we cannot
judge ourselves is answered with 503 and never with 401: PAN-OS stops enforcing a list at a 401, and keeps the last
copy at a 503.
"""

import hmac
import re
from collections.abc import Sequence
from email.utils import formatdate, parsedate_to_datetime
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from tscm.base.http_gate import Account, Refusal
from tscm.services.publication import File
from tscm.settings.pulled import PullSettings
from tscm.settings.sealed import is_sealed

LATER_SECONDS = 60
NOT_ALLOWED = 401
_PART = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_TAGS_MOST = 2048
_TAG = re.compile(r'(?:W/)?"([^"]*)"|(\*)')
_UNZIPPED = "-gzip"
_TAG_DIGITS = 32

Network = IPv4Network | IPv6Network


@frozen
class Asked:
    """The parts of a path: device, secret, file."""

    device: str
    secret: str = field(repr=False)
    file: str


@frozen(kw_only=True)
class Door:
    """
    What a device's settings say of those who pull for it.  *sealed*: we do not know what they say.
    """

    digest: bytes = field(repr=False)
    sources: tuple[Network, ...] = ()
    account: Account | None = None
    sealed: bool = False

    @classmethod
    def of(cls, settings: PullSettings) -> "Door":
        """From the settings in force."""
        secret = settings.pull_secret
        user, password = settings.pull_user, settings.pull_password
        account = None
        if user is not None and password is not None:
            account = Account.of(f"{user}:{password.reveal()}".encode())
        return cls(
            digest=b"" if secret is None else _digest(secret.reveal()),
            sources=tuple(ip_network(one) for one in settings.pull_sources),
            account=account,
            sealed=secret is None or is_sealed(settings),
        )


NOT_FOUND = Refusal(status=404, sentence="there is no such list")


def later(sentence: str) -> Refusal:
    """A fault of ours, which passes."""
    return Refusal(
        status=503, sentence=sentence, headers=((b"Retry-After", b"%d" % LATER_SECONDS),)
    )


def read_path(path: bytes) -> Asked | None:
    """The three parts; None for every other path."""
    try:
        parts = unquote_to_bytes(path).decode("ascii").split("/")
    except UnicodeDecodeError:
        return None
    if len(parts) != 4 or parts[0] or not all(_PART.fullmatch(one) for one in parts[1:]):
        return None
    return Asked(*parts[1:])


def judge(
    door: Door | None, asked: Asked | None, peer: str, authorization: bytes | None
) -> Refusal | None:
    """Why *peer* is not given what it *asked* for, or None.  *door* is None where there is no such device."""
    if asked is None or door is None:
        return NOT_FOUND
    if door.sealed:
        return later("the secrets of this device cannot be read now")
    if not hmac.compare_digest(_digest(asked.secret), door.digest):
        return NOT_FOUND
    if door.sources and not _is_within(peer, door.sources):
        return Refusal(
            status=403, sentence="this address is not among the pull_sources of the device"
        )
    if door.account is not None and not door.account.fits(authorization):
        return Refusal(
            status=401,
            sentence="this list requires the user and the password of the device's settings",
            headers=((b"WWW-Authenticate", b'Basic realm="tscm lists", charset="UTF-8"'),),
        )
    return None


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _is_within(peer: str, sources: Sequence[Network]) -> bool:
    try:
        found = ip_address(peer)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in one for one in sources)


def tag_of(one: File, *, zipped: bool) -> str:
    """The ETag (RFC 9110, 8.8.3) of a file: by what it holds, and how that is coded."""
    return f'"{one.digest[:_TAG_DIGITS]}{_UNZIPPED if zipped else ""}"'


def is_held(
    one: File, changed_at: float, if_none_match: Sequence[bytes], if_modified_since: bytes | None
) -> bool:
    """
    Does the asker hold the file as it is (RFC 9110, 13.2.2)?

    A tag counts whatever coding it was given for, as intermediaries change that.  A time counts only where there is
    no tag.
    """
    if if_none_match:
        given = b",".join(if_none_match)[:_TAGS_MOST].decode("latin-1")
        own = one.digest[:_TAG_DIGITS]
        return any(
            any_tag or tag.removesuffix(_UNZIPPED) == own for tag, any_tag in _TAG.findall(given)
        )
    if if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since.decode("ascii")).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return False
    return int(changed_at) <= since


def http_date(at: float) -> str:
    """A time as HTTP writes it."""
    return formatdate(int(at), usegmt=True)


def takes_gzip(accept_encoding: Sequence[bytes]) -> bool:
    """Is gzip among what the asker takes (RFC 9110, 12.5.3)?"""
    for part in b",".join(accept_encoding)[:_TAGS_MOST].decode("latin-1").lower().split(","):
        word, *parameters = (one.strip() for one in part.split(";"))
        if word in {"gzip", "x-gzip"}:
            return not any(re.fullmatch(r"q=0(?:\.0{0,3})?", one) for one in parameters)
    return False
