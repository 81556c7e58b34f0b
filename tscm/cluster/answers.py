"""
What the servers of a cluster answer, as values.  Pure.
"""

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tscm.cluster.message import Last, MessageFaulty, read_last
from tscm.printable import visible

_ANSWER_BYTES = 65536
_WRONG_LAST = 10071
_FULL = (10077, 10047, 10023)
"""The stream's own bound; no room in the servers' storage; not enough resources."""
_NOT_FOUND = "404"
_SHOWN = 200


@frozen
class Stored:
    """The stream has the block as its message *sequence*."""

    sequence: int


@frozen
class OutOfStep:
    """The log's last message is another one than was expected: ask which."""


@frozen
class Held:
    """Nothing is stored at present; *sentence* continues one that begins with the cluster's name."""

    sentence: str


@frozen
class Found:
    """The newest message of a log; None where it has none."""

    last: Last | None


def published(payload: bytes) -> Stored | OutOfStep | Held:
    """The answer to a publish (JetStream's PubAck)."""
    answer = _decoded(payload)
    error = answer.get("error")
    if isinstance(error, dict):
        return _refused(error)
    sequence = answer.get("seq")
    if type(sequence) is not int or sequence <= 0:
        return Held("gave an answer that is no acknowledgement; check that NATS JetStream answers")
    # A repeat that the server knows by its id may hold more lines than what it has.
    return OutOfStep() if answer.get("duplicate") is True else Stored(sequence)


def _refused(error: Mapping[str, Any]) -> OutOfStep | Held:
    code = error.get("err_code")
    if code == _WRONG_LAST:
        return OutOfStep()
    told = visible(str(error.get("description", "without a reason"))[:_SHOWN])
    if code in _FULL:
        return Held(
            f"has no room ({told}); lines wait in the logs: raise [cluster] stream_gb and run "
            "`tsadmin cluster init` again, or let its readers catch up"
        )
    return Held(f"refuses lines: {told} ({code})")


def found(headers: Mapping[str, str] | None) -> Found | Held:
    """The answer to a direct get of a log's newest message."""
    given = headers or {}
    if given.get("Status") == _NOT_FOUND:
        return Found(None)
    if "Status" in given:
        told = visible(str(given.get("Description", ""))[:_SHOWN])
        return Held(f"cannot tell the last message of a log: {given['Status'][:20]!r} {told}")
    try:
        return Found(read_last(given))
    except MessageFaulty as error:
        return Held(f"holds a message of a log that cannot be used: {error}")


def _decoded(payload: bytes) -> dict[str, Any]:
    if len(payload) > _ANSWER_BYTES:
        return {}
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
