"""
Many requests in one: their entries taken apart, and their replies joined.
"""

import json
from collections.abc import Sequence
from typing import Any

from tscm.simulator.http_values import Reply, Request
from tscm.simulator.member_json import compact
from tscm.simulator.rest_errors import BodyFaulty
from tscm.simulator.switches import Switches

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def entries(body: Any, request: Request, most: int) -> list[Request]:
    """The requests in *body*, which came with *request*; raises `BodyFaulty`."""
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise BodyFaulty("body must be an array of objects")
    if len(body) > most:
        raise BodyFaulty(f"more than {most} entries in one request")
    return [_entry(one, request) for one in body]


def _entry(entry: dict[str, Any], request: Request) -> Request:
    method, uri = entry.get("method"), entry.get("resourceUri")
    if not isinstance(method, str) or method not in _METHODS or not isinstance(uri, str):
        raise BodyFaulty("an entry needs method and resourceUri")
    segments = tuple(part for part in uri.split("/") if part)
    if segments[:1] != ("api",) or len(segments) < 2:
        raise BodyFaulty(f"{uri!r} is not a resource")
    body = compact(entry["data"]).encode("utf-8", "surrogatepass") if "data" in entry else b""
    return Request(
        method=method,
        segments=segments,
        headers=request.headers,
        body=body,
        peer=request.peer,
        root=request.root,
    )


def joined(replies: Sequence[Reply], switches: Switches) -> Reply:
    """One reply for all."""
    failed = any(reply.status >= 400 for reply in replies)
    messages = [_message(reply, switches.bulk_entry_form) for reply in replies]
    body = compact({"entryMessages": messages, "commonMessages": []})
    return Reply(status=switches.bulk_failure_status if failed else 200, body=body)


def _message(reply: Reply, form: str) -> Any:
    body = json.loads(reply.body) if reply.body else {}
    found = body.get("messages", []) if isinstance(body, dict) else []
    if form == "bare":
        return found
    if form == "null" and not found:
        return None
    return {"messages": found}
