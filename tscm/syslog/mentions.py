"""
Which lines name an address or a user: for erasing them, so that no other line is taken for one of theirs.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence

from attrs import define, frozen

from tscm.errors import TscmError
from tscm.printable import quoted

_USER_MOST = 256
_WORD = rb"[\w.\x80-\xff-]"
_WORDS = re.compile(rb"(?<![\w-])[\w-]*+:[\w:.-]*+")
_GROUP = re.compile(r"[0-9a-f]{0,4}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_COLONS_LEAST = 2
_PARTS_MOST = 10
"""Eight groups of an address, an interface before it and a port behind it."""


@frozen
class Mentions:
    """
    Lines in which *pattern* is found, and *holds* is true of what it found.
    """

    pattern: re.Pattern[bytes]
    holds: Callable[[bytes], bool] | None = None

    def spans(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Start and end, without the line's end, of each such line of a block of whole lines."""
        at = 0
        while at < len(block) and (found := self.pattern.search(block, at)):
            end = block.find(b"\n", found.start())
            end = len(block) if end < 0 else end
            if self.holds is None or self.holds(found[0]):
                yield block.rfind(b"\n", 0, found.start()) + 1, end
                at = end + 1
            else:
                at = max(found.end(), at + 1)


def about_address(text: str) -> Mentions:
    """
    Lines that name the address *text*, an IPv6 address in any of its forms.  Raises `ValueError` for another text.
    """
    address = ipaddress.ip_address(text)
    if address.version == 4:
        dotted = re.escape(str(address).encode())
        return Mentions(re.compile(rb"(?<![0-9])(?<![0-9]\.)" + dotted + rb"(?![0-9])(?!\.[0-9])"))
    wanted = address.packed
    groups = {f"{int(one, 16):x}" for one in address.exploded.split(":") if int(one, 16)}

    def holds(found: bytes) -> bool:
        given = found.decode("ascii", "replace").lower()
        if "." not in given and not all(one in given for one in groups):
            return False  # at once: a sender may write nothing but colons
        return any(_packed(part) == wanted for part in _parts(given))

    return Mentions(_WORDS, holds)


def _parts(text: str) -> Iterator[str]:
    """
    What of a word may be an address: `dmz:2001:db8::1` begins with an interface's name, `2001:db8::1.` ends a sentence.
    """
    for run in _runs(text.rstrip(".-").split(":")):
        whole = ":".join(run)
        yield whole
        yield ":".join(run[1:])
        if _packed(whole) is None:  # else its last part belongs to it, and is no port
            yield ":".join(run[:-1])
            yield ":".join(run[1:-1])


def _runs(parts: Sequence[str]) -> Iterator[list[str]]:
    """Parts that follow each other and may be groups of an address, or an IPv4 address at its end."""
    run: list[str] = []
    for part in (*parts, "-"):
        if _GROUP.fullmatch(part):
            run.append(part)
            continue
        if _COLONS_LEAST < len(run) <= _PARTS_MOST:
            yield run
        run = []


def _packed(text: str) -> bytes | None:
    try:
        return ipaddress.IPv6Address(text).packed
    except ValueError:
        return None


def about_user(name: str) -> Mentions:
    r"""
    Lines that name the user *name*, in either case, as a word by itself: also in `DOMAIN\name` and `name@host`.

    Raises `ValueError` for a name that no line can hold.
    """
    text = name.encode()
    if not name.strip() or len(text) > _USER_MOST or any(ord(one) < ord(" ") for one in name):
        raise ValueError(name)
    behind = rb"(?![\w\x80-\xff-])(?!\." + _WORD + rb")"
    return Mentions(re.compile(b"(?<!" + _WORD + b")" + re.escape(text) + behind, re.IGNORECASE))


@define(eq=False)
class NotNamed(TscmError):
    """
    What is to be erased is not the name of an address or a user.
    """

    exit_status = 2

    wrong: str

    def __str__(self) -> str:
        return f"{self.wrong}; give one address, such as 192.0.2.5, or one user name"


def mentions(address: str | None, user: str | None) -> Mentions:
    """Which lines *address* or *user* stand for.  Raises `NotNamed`."""
    if (address is None) == (user is None):
        raise NotNamed("lines are erased about an address or about a user")
    try:
        return about_address(address) if address is not None else about_user(user or "")
    except ValueError:
        kind = "a user name" if address is None else "an address"
        raise NotNamed(f"{quoted(address or user)!r} is not {kind}") from None
