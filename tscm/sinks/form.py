"""
What the types of sinks over HTTP differ in: the request for a batch, and what its answer means.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen

from tscm.settings.sinks import SinkSettings
from tscm.sinks.outcome import Failed, Outcome, Refused
from tscm.sinks.records import Records

OK, CREATED, NO_CONTENT = 200, 201, 204
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_LARGE = 400, 401, 403, 404, 413
TOO_MANY = 429
_SERVER_FAULT = 500


@frozen(kw_only=True)
class Request:
    """
    A POST of *body*; *path* stands behind the sink's URL, its query with it.
    """

    path: str
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Answer:
    """
    What came back: *json* is the body where it is JSON, *text* its beginning as one visible line.
    """

    status: int
    text: str = ""
    json: Any = None
    retry_after: float = 0.0


class Form(Protocol):
    """
    One type of sink; its functions are pure.
    """

    @property
    def path(self) -> str:
        """Where batches go, behind the sink's URL."""

    def headers(self, sink: SinkSettings, secret: str | None) -> Mapping[str, str]:
        """Headers of every request: who asks, and for whom."""

    def request(self, sink: SinkSettings, records: Records) -> Request:
        """The request that carries *records*."""

    def outcome(self, sink: SinkSettings, answer: Answer, lines: int) -> Outcome:
        """What *answer* says of a batch of *lines*."""


def failed(answer: Answer, remedy: str = "") -> Failed:
    """An answer by which the sink takes nothing at present."""
    said = f": {answer.text}" if answer.text else ""
    advice = remedy or _REMEDIES.get(answer.status, "")
    return Failed(
        f"answered {answer.status}{said}{f'; {advice}' if advice else ''}", answer.retry_after
    )


def refused(answer: Answer) -> Refused:
    """An answer that is about this batch."""
    return Refused(f"answered {answer.status}{f': {answer.text}' if answer.text else ''}")


_REMEDIES = {
    UNAUTHORIZED: "check secret_file and user",
    FORBIDDEN: "check what the token or user may do",
    NOT_FOUND: "check url and index",
    TOO_MANY: "it limits the rate",
}


def at_fault(answer: Answer) -> bool:
    """Whether the server has trouble of its own, or wants fewer requests."""
    return answer.status == TOO_MANY or answer.status >= _SERVER_FAULT
