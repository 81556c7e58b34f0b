"""
Requests to the API as values, and what it answers: a document, or one sentence with the status that HTTP has for it.

Pure but for the call itself, which blocks.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from tscm.errors import ControlUnavailable, TscmError
from tscm.faces.backend import ManagerError
from tscm.faces.web.asking import PageBusy
from tscm.model import Json
from tscm.operations.bodies import RequestFaulty
from tscm.operations.operation import WHOLE_BODY, Operation, read_args, read_query, variables
from tscm.settings.values import shown
from tscm.wire.writing import as_json

JSON = "application/json"
_TRUTH = {"yes", "true", "1", "no", "false", "0"}
_USAGE, _NO_MANAGER, _INTERNAL = 2, 6, 70
"""Exit statuses of `tsadmin` that have a status of HTTP of their own."""


@frozen(kw_only=True)
class ApiCall:
    """
    One request.
    """

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]]
    body: bytes
    content_type: str
    authorization: str
    address: str
    now: float


@frozen(kw_only=True)
class ApiAnswer:
    """
    Status, body and headers beside those that every answer has.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class ApiRefused(TscmError):
    """
    A request that is not carried out, with its status.
    """

    def __init__(self, status: int, sentence: str, *headers: tuple[str, str]) -> None:
        self.status = status
        self.sentence = sentence
        self.headers = headers
        super().__init__(status, sentence)

    def __str__(self) -> str:
        return self.sentence


def document_answer(content: Any, status: int = 200, *headers: tuple[str, str]) -> ApiAnswer:
    """*content* as JSON."""
    return ApiAnswer(status=status, body=json.dumps(content).encode() + b"\n", headers=headers)


def error_body(sentence: str, exit_status: int | None = None) -> Json:
    """An error as every answer of the API carries it."""
    told: Json = {"sentence": sentence}
    if exit_status is not None:
        told["exit_status"] = exit_status
    return {"error": told}


def refusal(error: TscmError) -> ApiAnswer:
    """The answer for an error that has a sentence."""
    if isinstance(error, ApiRefused):
        return document_answer(error_body(str(error)), error.status, *error.headers)
    body = error_body(str(error), error.exit_status)
    if isinstance(error, ManagerError):
        if error.outcome is not None:
            body["error"]["outcome"] = as_json(error.outcome)
        if error.shown is not None:
            body["error"]["certificate"] = error.shown
    headers = (("retry-after", "5"),) if isinstance(error, PageBusy) else ()
    return document_answer(body, status_of(error), *headers)


def status_of(error: TscmError) -> int:
    """The status of HTTP for an error of the manager's."""
    if isinstance(error, PageBusy | ControlUnavailable) or error.exit_status == _NO_MANAGER:
        return 503
    if error.absent:
        return 404
    if error.exit_status == _INTERNAL or not isinstance(error, ManagerError):
        return 500
    return 422 if error.exit_status == _USAGE else 409


def arguments_of(operation: Operation[Any, Any], parts: Mapping[str, str], call: ApiCall) -> Any:
    """
    What *operation* is to be called with.  Raises `ApiRefused`.

    Stricter than the control interface: what is not known is a typing error here, and not of a newer version.
    """
    given = _queried(operation, call) if operation.verb == "GET" else _posted(call)
    fields = [
        one for one in attrs.fields(operation.args) if one.name not in variables(operation.path)
    ]
    allowed = {one.name for one in fields}
    if not any(one.metadata.get(WHOLE_BODY) for one in fields):
        strange = sorted(given.keys() - allowed)
        if strange:
            known = ", ".join(sorted(allowed)) or "nothing"
            raise ApiRefused(
                422, f"{shown(strange[0])} is not an argument of this call; allowed: {known}"
            )
    try:
        return read_args(operation, parts, given)
    except RequestFaulty as error:
        raise ApiRefused(422, error.cause) from None


def _queried(operation: Operation[Any, Any], call: ApiCall) -> Json:
    words = {name: list(values) for name, values in call.query.items() if name != "detach"}
    for one in attrs.fields(operation.args):
        if one.type is bool and words.get(one.name, ["yes"])[0] not in _TRUTH:
            raise ApiRefused(422, f"{one.name} is {shown(words[one.name][0])}; allowed: yes or no")
        if one.type != tuple[str, ...] and len(words.get(one.name, ())) > 1:
            raise ApiRefused(422, f"{one.name} is given more than once")
    try:
        return {**dict.fromkeys(words, ""), **read_query(operation, words)}
    except RequestFaulty as error:
        raise ApiRefused(422, error.cause) from None


def _posted(call: ApiCall) -> Json:
    from tscm.operations.bodies import read_body

    if call.body and call.content_type.partition(";")[0].strip().lower() != JSON:
        raise ApiRefused(415, f"a request body must be {JSON}; set the header Content-Type")
    strange = sorted(call.query.keys() - {"detach"})
    if strange:
        raise ApiRefused(
            422,
            f"{shown(strange[0])} does not belong into the query of this call, but into its body",
        )
    try:
        return read_body(call.body)
    except RequestFaulty as error:
        raise ApiRefused(400, error.cause) from None


def is_detached(operation: Operation[Any, Any], call: ApiCall) -> bool:
    """Whether the answer is the job, at once?  Raises `ApiRefused`."""
    words = call.query.get("detach", ())
    if not words:
        return False
    if not operation.long:
        raise ApiRefused(422, "this call answers at once and makes no job; leave detach out")
    if words not in {("yes",), ("no",)}:
        raise ApiRefused(422, f"detach is {shown(words[0])}; allowed: yes or no")
    return words == ("yes",)


def carried_out(
    backend: Any, operation: Operation[Any, Any], args: Any, detached: bool
) -> ApiAnswer:
    """Have the manager do it; a large answer is written as JSON here, too.  Blocking.  Raises `TscmError`."""
    if not detached:
        return document_answer(as_json(backend.call(operation, args)))
    job = backend.detach(operation, args)
    return document_answer({"job": as_json(job)}, 202, ("location", f"/api/v1/jobs/{job.number}"))
