"""
What an answer of the REST API agent means (docs/asa.md, sections 1 to 4).

Pure: status, headers and bytes in, a value or a `DeviceFault` out.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from tscm.asa.faults import (
    AgentAbsent,
    AgentFailed,
    LoginRefused,
    PrivilegeTooLow,
    Replicating,
    StepRefused,
    UnitOnStandby,
    revive,
)
from tscm.printable import quoted

TOKENS = "tokenservices"
_QUOTED = 200
_DIGITS = 30
_BYTES_A_VALUE = 100
_MESSAGES_NESTED = 2
PARSED_BYTES = 256 << 20
"""Room for an answer once it is parsed: about 470,000 members of groups."""
_STANDBY_TEXTS = (
    b"Configuration Replication is NOT performed",
    b"Configurations are no longer synchronized",
)
_BULK_SYNC_TEXT = b"Beginning configuration replication"


@frozen
class Answer:
    """A good answer: its status, and its JSON where it had any."""

    status: int
    json: Any


@frozen(kw_only=True)
class Judge:
    """
    Judges the answers of one device; the fields are for the sentences of its faults.
    """

    name: str
    root: str
    prefix: str
    username: str

    def judge(
        self, method: str, path: str, status: int, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        """
        The answer to *method* *path*, or what is wrong with it as a `DeviceFault`.
        """
        what = f"{method} {shown_path(path)}"
        if costs_too_much(content):
            raise AgentFailed(
                self.name,
                f"{what} was answered with more than can be read within {PARSED_BYTES >> 20} MB",
            )
        answer = json_of(content)
        if path != "cli" and any(standby in content for standby in _STANDBY_TEXTS):
            raise UnitOnStandby(
                self.name,
                "it is a standby unit: what is changed there reaches nobody",
                "set the device's address to that of the active unit",
            )
        if _BULK_SYNC_TEXT in content and method != "GET" and path != "cli":
            raise Replicating(self.name)
        if status in {200, 201, 202, 204}:
            if content.strip() and answer is None:
                raise AgentFailed(
                    self.name,
                    f"{what} was answered with {status} and no JSON",
                    revive(self.name, self.prefix),
                )
            code, details = _error_of(answer)
            if details:
                raise StepRefused(
                    self.name, f"{what} was refused: {details}", status=status, code=code
                )
            return Answer(status, answer)
        if status == 401:
            raise LoginRefused(
                self.name,
                "wrong user name or password (401)",
                f"check the account {self.username} and `aaa authentication http console LOCAL` on the device; "
                f"`tsadmin configure {self.name} --password -` takes another password",
            )
        if status == 403:
            raise PrivilegeTooLow(
                self.name,
                f"the account {self.username} has too little privilege for {what} (403)",
                "enter its `username` line on the device again, with the password and privilege 15 at the end",
            )
        if (status in {404, 405} and answer is None) or 300 <= status < 400:
            raise AgentAbsent(
                self.name,
                f"no REST API agent answers at {self.root} ({status}, "
                f"{headers.get('Content-Type', 'no content type')})",
                "on the device `rest-api image` with the agent's file, and `rest-api agent`; Firepower models "
                "and releases after 9.16 have no agent",
            )
        if status >= 500:
            reason = _error_of(answer)[1]
            raise AgentFailed(
                self.name,
                f"{what} was answered with {status}" + (f": {reason}" if reason else ""),
                revive(self.name, self.prefix),
                told=bool(reason),
            )
        code, details = _error_of(answer)
        raise StepRefused(
            self.name,
            f"{what} was refused with {status}: {details or 'without a reason'}",
            status=status,
            code=code,
        )


def plain(text: str) -> str:
    """A device's words as an error may quote them: short, on one line, harmless on a terminal."""
    return quoted(text, _QUOTED)


def json_of(content: bytes) -> Any:
    """What a body holds; None where it is no JSON, as from the ASA's own web server."""
    try:
        return json.loads(content, parse_int=_whole) if content.strip() else None
    except (ValueError, RecursionError):
        return None


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("no resource of an ASA has such a number")
    return int(text)


def costs_too_much(content: bytes) -> bool:
    """
    Whether parsing *content* could take more memory than an answer is worth.

    A value takes some hundred bytes, however few it has in JSON: 64 MB of `[],[],…` would become
    gigabytes.  Each of the marks counted here makes one value at most.
    """
    values = sum(content.count(mark) for mark in (b",", b":", b"[", b"{"))
    return len(content) + _BYTES_A_VALUE * values > PARSED_BYTES


def _error_of(answer: Any) -> tuple[str, str]:
    """
    Code and text of the first error in a reply; empty where it holds none.

    The reply to a bulk request has a list of messages for each entry and one for all (docs/asa.md,
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
    details = plain(str(message.get("details") or "")) or code or "without a reason"
    return code, f"{details} ({code})" if code else details


def shown_path(path: str) -> str:
    """A path as an error may show it: without a token."""
    return "tokenservices/…" if path.startswith(TOKENS + "/") else f"/{path}"
