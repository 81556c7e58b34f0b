"""
Calls of the API out of requests, and its answers into them.
"""

from urllib.parse import parse_qs, unquote_to_bytes

from twisted.web.server import Request

from tscm.faces.web.api.answers import (
    JSON,
    ApiAnswer,
    ApiCall,
    ApiRefused,
    document_answer,
    error_body,
)
from tscm.faces.web.headers import header

METHODS = ("GET", "POST", "PUT", "DELETE")
_MOST_FIELDS = 500


def call_of(request: Request, now: float) -> ApiCall:
    """The call in *request*.  Raises `ApiRefused`."""
    content = request.content
    method = request.method.decode("ascii", "replace")
    try:
        query = parse_qs(
            request.uri.partition(b"?")[2].decode("ascii", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise ApiRefused(400, f"the query has more than {_MOST_FIELDS} arguments") from None
    return ApiCall(
        method="GET" if method == "HEAD" else method,
        path=unquote_to_bytes(request.path).decode("utf-8", "replace"),
        query={name: tuple(values) for name, values in query.items()},
        body=b"" if content is None else content.getvalue(),
        content_type=header(request, "content-type") or "",
        authorization=header(request, "authorization") or "",
        address=str(getattr(request.getClientAddress(), "host", "")),
        now=now,
    )


def no_such_path() -> ApiAnswer:
    """What is answered below `/api` where nothing is."""
    return document_answer(error_body("the API begins at /api/v1"), 404)


def put_into(request: Request, answer: ApiAnswer) -> bytes:
    """Status and headers of *answer* into *request*; gives the body."""
    request.setResponseCode(answer.status)
    request.setHeader("content-type", JSON)
    request.setHeader("cache-control", "no-store")
    for name, value in answer.headers:
        request.setHeader(name, value)
    return answer.body
