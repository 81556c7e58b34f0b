"""
One function for each kind of value: what may stand in a file, an option or an answer.

Each takes text (or what TOML gave) and gives the value in its normal form; each
raises `ValueError` with `wrong; allowed: what would be right`.  The command line, the prompts and
the files all read values here, so that they agree.
"""

import ipaddress
import re
import secrets
from collections.abc import Callable
from typing import Any, TypeVar
from unicodedata import category
from urllib.parse import urlsplit

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.fingerprints import read_fingerprint, without_label

T = TypeVar("T")

_NICKNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_DEVICE_ID = re.compile(r"tdid_[A-Za-z0-9]{1,64}")
_ENTRY = re.compile(r"[0-9a-f]{12}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_ACCESS_LIST = re.compile(r"[!-+\--~]{1,241}")  # a comma stands between several
_GROUP_NAME = re.compile(r"[A-Za-z0-9.!@#$%^&()_{}-]+")
_PREFIX_MAX = 64 - len("-Block-NNNN")
_NAME_OCTETS = 253
_PORT_MAX = 65535
_SHOWN = 60
_ACCOUNT = re.compile(r"^(\s*(?:[A-Za-z][A-Za-z0-9+.-]*://)?).*:.*@", re.DOTALL)
"""What stands before the host of a URL, with a password in it."""
_BLANKS = " \t"


def shown(value: object) -> str:
    """A value as an error may quote it: short, and harmless on a terminal."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def refused(value: object, wrong: str, allowed: str) -> ValueError:
    """The error that every function here raises; a password inside a URL is not quoted."""
    if isinstance(value, str):
        value = _ACCOUNT.sub(r"\1…@", value)
    return ValueError(f"{shown(value)} {wrong}; allowed: {allowed}")


def allowed(read: Callable[[Any], Any]) -> str:
    """What *read* takes, in the words of its own refusal."""
    try:
        read(object())
    except ValueError as error:
        return str(error).partition("; allowed: ")[2]
    return ""


def text(value: Any) -> str:
    """Any text without control characters."""
    if not isinstance(value, str) or any(category(c) in {"Cc", "Cs"} for c in value):
        raise refused(value, "is not plain text", "text without control characters")
    return value


def account(value: Any) -> str:
    """The name of an account: text without control characters or blanks, not empty."""
    try:
        name = text(value).strip(_BLANKS)
    except ValueError:
        name = ""
    if not name or re.search(r"\s", name):
        raise refused(value, "is not a username", "one word")
    return name


def yes_no(value: Any) -> bool:
    """`yes`, `no`, `y`, `n`, or a TOML boolean."""
    if isinstance(value, bool):
        return value
    word = value.strip(_BLANKS).lower() if isinstance(value, str) else ""
    if word in {"y", "yes", "true"}:
        return True
    if word in {"n", "no", "false"}:
        return False
    raise refused(value, "is neither yes nor no", "yes, no, y, n")


def whole(low: int, high: int | None = None) -> Callable[[Any], int]:
    """A whole number from *low* to *high*; commas between thousands are taken."""
    allowed = (
        f"a whole number from {low:,} to {high:,}" if high else f"a whole number, {low:,} or more"
    )

    def read(value: Any) -> int:
        found = value
        if isinstance(value, str) and re.fullmatch(r"-?[0-9][0-9,]{0,99}", value.strip(_BLANKS)):
            found = int(value.replace(",", ""))
        if isinstance(found, bool) or not isinstance(found, int):
            raise refused(value, "is not a whole number", allowed)
        if found < low or (high is not None and found > high):
            raise refused(value, "is out of range", allowed)
        return found

    return read


def number(low: float, high: float) -> Callable[[Any], float]:
    """A number from *low* to *high*."""

    def read(value: Any) -> float:
        try:
            found = float(value)
        except (TypeError, ValueError):
            raise refused(value, "is not a number", f"a number from {low:g} to {high:g}") from None
        if isinstance(value, bool) or not low <= found <= high:
            raise refused(value, "is out of range", f"a number from {low:g} to {high:g}")
        return found

    return read


@frozen
class Choice:
    """
    One of a few *words*, in any case.
    """

    words: tuple[str, ...]

    def __call__(self, value: Any) -> str:
        """The word as it is written here."""
        for word in self.words:
            if isinstance(value, str) and value.strip(_BLANKS).lower() == word.lower():
                return word
        raise refused(value, "is not among the choices", ", ".join(self.words))


def choice(*words: str) -> Choice:
    """One of a few words, in any case."""
    return Choice(words)


def words_of(read: Callable[[Any], Any]) -> tuple[str, ...]:
    """The few words that *read* takes; none where it takes more than words."""
    if isinstance(read, Choice):
        return read.words
    return ("yes", "no") if read is yes_no else ()


def optional(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """*read*, or None for an empty text and the word `none`."""

    def read_or_none(value: Any) -> T | None:
        if value is None or (
            isinstance(value, str) and value.strip(_BLANKS).lower() in {"", "''", "none"}
        ):
            return None
        return read(value)

    return read_or_none


def many(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Several, as a TOML list or with blanks or commas between, as they are shown; `none` for none."""
    taken = f"{allowed(read)}; several as a list, or separated by blanks or commas; none"

    def read_many(value: Any) -> tuple[T, ...]:
        if isinstance(value, str):
            words = value.replace(",", " ").split()
            value = [] if value.strip(_BLANKS).lower() in {"", "''", "none"} else words
        if not isinstance(value, list | tuple):
            raise refused(value, "is not a list", taken)
        return tuple(dict.fromkeys(read(one) for one in value))

    return read_many


def nickname(value: Any) -> str:
    """A device's nickname: it names a folder, so nothing else passes."""
    if not isinstance(value, str) or not _NICKNAME.fullmatch(value):
        raise refused(
            value,
            "is not a nickname",
            "1 to 63 letters, digits, '-' and '_', not starting with '-'",
        )
    return value


def device_id(value: Any) -> str:
    """A device ID."""
    if not isinstance(value, str) or not _DEVICE_ID.fullmatch(value):
        raise refused(value, "is not a device ID", "tdid_ followed by letters or digits")
    return value


def entry_id(value: Any) -> str:
    """The permanent id of a device's entry."""
    if not isinstance(value, str) or not _ENTRY.fullmatch(value):
        raise refused(
            value,
            "is not an ID of an entry",
            "the 12 hexadecimal digits that `add` generated, or none",
        )
    return value


def new_entry() -> str:
    """An id that no other entry has."""
    return secrets.token_hex(6)


MOST_LISTS = 16
"""Of which one block or allow list is made."""


def dns_name(value: Any) -> str:
    """A DNS name (RFC 1035, 2.3.4), lower case, without the closing dot."""
    name = value.strip(_BLANKS).rstrip(".").lower() if isinstance(value, str) else ""
    labels = name.split(".")
    if not name or len(name) > _NAME_OCTETS or not all(_LABEL.fullmatch(label) for label in labels):
        raise refused(
            value, "is not a DNS name", "labels of letters, digits, '-' and '_', separated by dots"
        )
    return name


def list_names(value: Any) -> str:
    """Names of lists, in a text with blanks between or in a list; gives the text, each name once."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise refused(value, "is not a list name", "a DNS name, or several with blanks between")
    names = tuple(dict.fromkeys(dns_name(one) for one in words))
    if len(names) > MOST_LISTS:
        raise refused(value, f"contains more than {MOST_LISTS} lists", "fewer, or larger ones")
    return " ".join(names)


def ip_address(value: Any) -> str:
    """An IPv4 or IPv6 address in its normal spelling."""
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return str(ipaddress.ip_address(value.strip(_BLANKS)))
    except ValueError:
        raise refused(value, "is not an IP address", "an IPv4 or IPv6 address") from None


def address(value: Any) -> str:
    """An IP address or a host name."""
    try:
        return ip_address(value)
    except ValueError:
        pass
    try:
        name = dns_name(value)
        if re.fullmatch(r"[0-9.]+", name):
            raise ValueError
    except ValueError:
        raise refused(
            value,
            "is neither an IP address nor a host name",
            "192.0.2.10, 2001:db8::1, asa.example",
        ) from None
    return name


def group_prefix(value: Any) -> str:
    """A prefix for object-group names that leaves room for `-Block-NNNN` (docs/develop/asa.md, section 2)."""
    if not isinstance(value, str) or not _GROUP_NAME.fullmatch(value) or len(value) > _PREFIX_MAX:
        raise refused(
            value,
            "is not an object-group prefix",
            f"1 to {_PREFIX_MAX} letters, digits and .!@#$%^&()-_{{}}",
        )
    return value


def access_list(value: Any) -> str:
    """The name of an access-list as the ASA takes it: printable, without blanks, 241 characters at most."""
    if not isinstance(value, str) or not _ACCESS_LIST.fullmatch(value):
        raise refused(
            value, "is not an access-list name", "1 to 241 printable characters without blanks"
        )
    return value


def host_port(value: Any) -> HostPort:
    """`address`, `address:port`, `[v6]`, `[v6]:port`."""
    allowed = "address, address:port, [IPv6 address]:port"
    if isinstance(value, HostPort):
        return value
    if not isinstance(value, str):
        raise refused(value, "is not an address", allowed)
    found = re.fullmatch(
        r"\[([^\]]+)\](?::([0-9]{1,5}))?|([^:\s]+)(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]+)",
        value.strip(_BLANKS),
    )
    if not found:
        raise refused(value, "is not an address with a port", allowed)
    bracketed, port_a, plain, port_b, bare = found.groups()
    port = port_a or port_b
    try:
        host = ip_address(bracketed or bare) if bracketed or bare else address(plain)
    except ValueError:
        raise refused(value, "contains no address or name", allowed) from None
    return HostPort(host, None if port is None else port_number(port))


def port_number(value: Any) -> int:
    """A port from 1 to 65535."""
    return whole(1, _PORT_MAX)(value)


def listen_address(value: Any) -> HostPort:
    """Where to listen: an IP address with a port; port 0 lets the kernel choose."""
    allowed = "IP address:port, such as 0.0.0.0:514 or [::]:514"
    if isinstance(value, HostPort):
        return value
    try:
        if isinstance(value, str) and re.search(r":0+$", value.strip(_BLANKS)):
            return HostPort(ip_address(host_port(value.strip(_BLANKS).rpartition(":")[0]).host), 0)
        found = host_port(value)
        host = ip_address(found.host)
    except ValueError:
        raise refused(value, "is not a listen address", allowed) from None
    if found.port is None:
        raise refused(value, "has no port", allowed)
    return HostPort(host, found.port)


def web_url(*schemes: str) -> Callable[[Any], str]:
    """A URL of one of *schemes* with a host, and without user, password, query or fragment."""
    allowed = " or ".join(f"{scheme}://address[:port][/path]" for scheme in schemes)

    def read(value: Any) -> str:
        try:
            parts = urlsplit(value.strip(_BLANKS) if isinstance(value, str) else "")
            port = parts.port
        except ValueError:
            raise refused(value, "is not a URL", allowed) from None
        if parts.scheme not in schemes or not parts.hostname or port == 0:
            raise refused(value, "is not such a URL", allowed)
        if (
            parts.username is not None
            or parts.query
            or parts.fragment
            or re.search(r"\s", value.strip(_BLANKS))
        ):
            raise refused(value, "contains more than an address and a path", allowed)
        try:
            address(parts.hostname)
        except ValueError:
            raise refused(value, "contains no address or host name", allowed) from None
        return str(value.strip(_BLANKS).rstrip("/"))

    return read


def proxy_url(value: Any) -> str:
    """`http://address:port` of a proxy that speaks CONNECT."""
    if isinstance(value, str) and value.strip(_BLANKS).lower().startswith("https:"):
        raise refused(value, "is an https proxy, which is not supported", "http://address:port")
    try:
        url = web_url("http")(value)
        parts = urlsplit(url)
        if parts.port is None or parts.path:
            raise ValueError
    except ValueError:
        raise refused(value, "is not a proxy address", "http://address:port") from None
    return url


def rest_url(value: Any) -> str | None:
    """The root of the device's REST API; None for `auto`."""
    if value is None or (isinstance(value, str) and value.strip(_BLANKS).lower() == "auto"):
        return None
    return web_url("https")(value)


def fingerprint(value: Any) -> str:
    """
    SHA-256 of a certificate as 64 hexadecimal digits, with or without colons; also as a whole line of
    `openssl x509 -fingerprint -sha256`: `sha256 Fingerprint=AB:CD:…`.
    """
    try:
        return read_fingerprint(value if isinstance(value, str) else "")
    except ValueError:
        raise refused(
            value,
            "is not a SHA-256 fingerprint",
            "64 hexadecimal digits, with or without colons, or the line that openssl prints",
        ) from None


def fingerprints(value: Any) -> tuple[str, ...]:
    """Several of them, as `many` takes them."""
    return many(fingerprint)(without_label(value) if isinstance(value, str) else value)


def path(value: Any) -> str:
    """An absolute path."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise refused(value, "is not an absolute path", "a path starting with /")
    return value


def dns_port(value: Any) -> int:
    """The port of the policy service."""
    try:
        found = port_number(value)
    except ValueError:
        found = 0
    if found not in {53, 5353}:
        raise refused(value, "is not a port of the policy service", "53 (standard) or 5353")
    return found
