"""
Who is at the other end of a UNIX socket.
"""

import contextlib
import pwd
import socket
import struct
from collections.abc import Collection, Iterable
from typing import Any

from attrs import define

from tscm.errors import TscmError
from tscm.faces.backend import ON_BEHALF_OF
from tscm.operations.bodies import RequestFaulty
from tscm.operations.call import Actor

_CREDENTIALS = struct.Struct("3i")
_NAME_KEPT = 64


@define(eq=False)
class NotADelegate(TscmError):
    """
    A process acts on behalf of another user, and the settings do not allow it.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"user {self.name} may not act on behalf of others; to allow it, name the user "
            "under [control] delegates in tscm.toml"
        )


def actor_of(request: Any, delegates: Collection[int] = ()) -> Actor:
    """
    The user at the other end of *request*'s UNIX socket, as the kernel knows him (SO_PEERCRED, unix(7)).

    Users whose number is among *delegates* may name the user for whom they ask.  Raises `NotADelegate`, and
    `RequestFaulty` for a name that is not UTF-8.
    """
    uid = uid_of(request.transport)
    name = user_name(uid)
    asked: bytes | None = request.getHeader(ON_BEHALF_OF.encode())
    if asked is None:
        return Actor(name=name, uid=uid)
    if uid not in delegates:
        raise NotADelegate(name)
    try:
        on_behalf_of = asked.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestFaulty(f"the user in {ON_BEHALF_OF} is not UTF-8") from None
    return Actor(name=name, uid=uid, on_behalf_of=on_behalf_of[:_NAME_KEPT])


def uid_of(transport: Any) -> int | None:
    """The number of the user at the other end; None where *transport* is no UNIX socket's."""
    handle = transport.getHandle()
    if handle.family != socket.AF_UNIX:
        return None
    found = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])


def user_name(uid: int | None) -> str:
    """The user's name; his number where this host has no name for it."""
    if uid is None:
        return "unknown"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def user_numbers(names: Iterable[str]) -> frozenset[int]:
    """The numbers of users that are given by name or number; one that this host does not know is none."""
    found = set()
    for name in names:
        if name.isdecimal():
            found.add(int(name))
        else:
            with contextlib.suppress(KeyError):
                found.add(pwd.getpwnam(name).pw_uid)
    return frozenset(found)
