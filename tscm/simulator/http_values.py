"""
A request to the agent and its reply, as values; the wire is another module's.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tscm.simulator.member_json import compact

AGENT = "REST API Agent"


@frozen(kw_only=True)
class Request:
    """
    One request; names of headers in lower case, *path* percent-decoded by segment.
    """

    method: str
    segments: tuple[str, ...]
    path: str = ""
    """As it was asked, for the link by which a collection calls itself; made of *segments* where empty."""
    query: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    peer: tuple[str, int] = ("0.0.0.0", 0)  # noqa: S104 - no address is bound here
    root: str = "https://asa"
    """Scheme and host as the client sees them, for links."""

    @property
    def basic(self) -> tuple[str, str] | None:
        """Name and password of a Basic header; None without, `ValueError` when unreadable."""
        scheme, _, coded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("Basic header cannot be read") from error
        if not colon or not name:
            raise ValueError("Basic header holds no name and password")
        return name, password


@frozen(kw_only=True)
class Reply:
    """
    What is answered; a None body means none at all.
    """

    status: int
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=UTF-8"


def ok(value: Any) -> Reply:
    """200 with JSON."""
    return Reply(status=200, body=compact(value))


def message(
    status: int, code: str, details: str, *, level: str = "Error", context: str = ""
) -> Reply:
    """The agent's own form of a message; what goes with a success was recorded without a context."""
    item = {"level": level, "code": code, "context": context, "details": details}
    if level != "Error" and not context:
        del item["context"]
    return Reply(status=status, body=compact({"messages": [item]}))


def web_server(status: int, form: str, details: str) -> Reply:
    """An answer of the ASA's web server in front of the agent, or for an agent that is not there."""
    if form == "empty":
        return Reply(status=status, body="")
    if form == "json":
        return message(status, "", details)
    text = f"<html><head><title>{status}</title></head><body><h1>{details}</h1></body></html>\n"
    return Reply(status=status, body=text, content_type="text/html")
