"""
The body of an answer, read: whether it is JSON, the error that it holds, and what was wanted of it.

Pure.  Where a body is large this runs in a child process, so that all of a `Content` is what JSON carries.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from tscm.kinds.asa.rest.picks import NOTHING, TooMuch, Want, pick
from tscm.printable import quoted

_QUOTED = 200
_DIGITS = 30
_BYTES_A_VALUE = 100
_MESSAGES_NESTED = 2
_STANDBY_TEXTS = (
    b"Configuration Replication is NOT performed",
    b"Configurations are no longer synchronized",
)
_BULK_SYNC_TEXT = b"Beginning configuration replication"


@frozen(kw_only=True)
class Content:
    """
    What is known of a body.

    *code* and *details* are those of the first error in it; *too_much* says of what there is more than is kept.
    """

    blank: bool = True
    is_json: bool = False
    standby: bool = False
    bulk_sync: bool = False
    code: str = ""
    details: str = ""
    picked: Any = None
    too_much: str = ""


def read_content(content: bytes | bytearray, want: Want = NOTHING) -> Content:
    """What a body says, and what is wanted of it."""
    answer = json_of(content)
    code, details = error_of(answer)
    picked, too_much = None, ""
    try:
        picked = pick(want, answer)
    except TooMuch as error:
        too_much = str(error)
    return Content(
        blank=is_blank(content),
        is_json=answer is not None,
        standby=any(text in content for text in _STANDBY_TEXTS),
        bulk_sync=_BULK_SYNC_TEXT in content,
        code=code,
        details=details,
        picked=picked,
        too_much=too_much,
    )


def plain(text: str) -> str:
    """A device's words as an error may quote them: short, on one line, harmless on a terminal."""
    return quoted(text, _QUOTED)


def json_of(content: bytes | bytearray) -> Any:
    """What a body holds; None where it is no JSON, as from the ASA's own web server."""
    try:
        return json.loads(content, parse_int=_whole) if not is_blank(content) else None
    except (ValueError, RecursionError):
        return None


def is_blank(content: bytes | bytearray) -> bool:
    """Nothing but white space; tells it without a copy."""
    return not content or content.isspace()


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("an ASA has no resource with such a number")
    return int(text)


def parsing_cost(content: bytes | bytearray) -> int:
    """
    How many bytes parsing *content* could take at most.

    A value takes some hundred bytes, however few it has in JSON: 64 MB of `[],[],…` would become
    gigabytes.  Each of the marks counted here makes one value at most.
    """
    values = sum(content.count(mark) for mark in (b",", b":", b"[", b"{"))
    return len(content) + _BYTES_A_VALUE * values


def error_of(answer: Any) -> tuple[str, str]:
    """
    Code and text of the first error in a reply; empty where it holds none.

    The reply to a bulk request has a list of messages for each entry and one for all (docs/develop/asa.md,
    section 3).
    """
    if not isinstance(answer, Mapping):
        return "", ""
    for one in _messages(answer.get("messages")):
        if found := _error(one):
            return found
    entries = answer.get("entryMessages")
    for number, entry in enumerate(entries if isinstance(entries, list) else (), 1):
        for one in _messages(entry):
            if found := _error(one):
                return found[0], f"entry {number}: {found[1]}"
    for one in _messages(answer.get("commonMessages")):
        if found := _error(one):
            return found
    return "", ""


def _messages(value: Any) -> Iterator[Mapping[str, Any]]:
    """Messages as they come: one, a list, or either under `messages`; no bulk reply was ever recorded."""
    for _ in range(_MESSAGES_NESTED):
        if not isinstance(value, Mapping) or "messages" not in value:
            break
        value = value["messages"]
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            inner = one.get("messages")
            yield from (
                (m for m in inner if isinstance(m, Mapping)) if isinstance(inner, list) else (one,)
            )


def _error(message: Mapping[str, Any]) -> tuple[str, str] | None:
    """Code and text of a message of level Error."""
    if str(message.get("level", "")).lower() != "error":
        return None
    code = plain(str(message.get("code") or ""))
    details = plain(str(message.get("details") or "")) or code or "no reason given"
    return code, f"{details} ({code})" if code else details
