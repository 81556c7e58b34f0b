"""
Accepted connections over a restart: handed to systemd's store with what is held of each line.

A connection's descriptor goes under a name of its own; the states (sender's framing, partial
line) go together, in a memory file under one more name.  The next manager finds all of them among
its inherited descriptors and goes on in the middle of a line.
"""

import json
import os
import re
import socket
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from tscm.intake.systemd import Inherited, Notifier
from tscm.syslog.framing import Framing, StreamState

_STATES = "tscm-streams"
_STREAM = re.compile(r"tscm-stream-[0-9]{1,9}")
_MAX_STATES = 512 << 20


@frozen
class RestoredConnection:
    """A connection that came over a restart."""

    connection: socket.socket
    listener_port: int
    state: StreamState


def hand_over(notifier: Notifier, streams: Sequence[tuple[int, StreamState]]) -> set[int]:
    """
    Give (descriptor, state) of each connection to systemd; gives back the descriptors it took.

    Only what systemd took may be closed without a good-bye by the caller: its own copy keeps
    the connection open.
    """
    states: dict[str, Any] = {}
    taken: dict[str, int] = {}
    for number, (fd, state) in enumerate(streams):
        name = f"tscm-stream-{number}"
        states[name] = [
            state.framing and state.framing.value,
            b64encode(state.partial).decode(),
            state.skip,
        ]
        taken[name] = fd
    if not taken:
        return set()
    text = json.dumps(states).encode()
    memory = os.memfd_create(_STATES, os.MFD_CLOEXEC)
    with os.fdopen(memory, "wb") as file:
        file.write(text)
        file.flush()
        if not notifier.keep(memory, _STATES):
            return set()
    return {fd for name, fd in taken.items() if notifier.keep(fd, name)}


def take_over(found: Sequence[Inherited], notifier: Notifier) -> list[RestoredConnection]:
    """
    The connections among *found*; systemd is told to forget its copies.

    A descriptor without a state, or a state that does not read, loses the connection's place in
    its line and not the connection.
    """
    states: Mapping[str, Any] = {}
    kept: list[RestoredConnection] = []
    for one in found:
        if one.name == _STATES:
            states = _read(one.fd)
            notifier.drop(_STATES)
    for one in found:
        if not _STREAM.fullmatch(one.name):
            continue
        notifier.drop(one.name)
        try:
            connection = socket.socket(fileno=one.fd)
            connection.setblocking(False)
            port = connection.getsockname()[1]
            connection.getpeername()
        except (OSError, IndexError):
            os.close(one.fd)
            continue
        kept.append(RestoredConnection(connection, port, _state(states.get(one.name))))
    return kept


def _read(fd: int) -> Mapping[str, Any]:
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        try:
            found = json.loads(file.read(_MAX_STATES))
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _state(found: Any) -> StreamState:
    try:
        framing, partial, skip = found
        return StreamState(
            None if framing is None else Framing(framing), b64decode(partial), int(skip)
        )
    except (TypeError, ValueError):
        return StreamState()
