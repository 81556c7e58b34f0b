"""
The API described as OpenAPI 3.1, made from the operation table.

`python -m tscm.faces.web.api.openapi` prints it; the page serves it at `/api/v1/openapi.json`.
"""

import json
import sys
from functools import cache
from typing import Any

import attrs

from tscm import __version__
from tscm.faces.web.api.rights import accepting, role_for
from tscm.faces.web.api.schemas import Schemas
from tscm.model import Json
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import WHOLE_BODY, Operation, variables
from tscm.operations.table.whole import TABLE

DOCUMENT = "/api/v1/openapi.json"
_ERRORS = {
    "400": "The request cannot be read",
    "401": "The key is missing, unknown or has expired",
    "403": "The key's role, groups of calls or source networks do not allow the call",
    "404": "What the path or the request names does not exist",
    "405": "The path exists, and not for this method",
    "409": "The manager rejected the call",
    "413": "The body is too large",
    "415": "The body is not application/json",
    "422": "A value in the request is not allowed",
    "429": "The key makes too many calls",
    "500": "Internal error; the log has its details",
    "503": "The manager does not answer",
}


def path_of(operation: Operation[Any, Any]) -> str:
    """The path of *operation* in the API, with its variables as OpenAPI writes them."""
    words = (
        f"{{{one[1:-1]}}}" if one.startswith("<") else one for one in operation.path.split("/")
    )
    return "/api" + "/".join(words)


@cache
def document() -> Json:
    """The whole description.  Do not change it: it is made once."""
    schemas = Schemas()
    schemas.found["Error"] = _error_schema(schemas)
    paths: Json = {}
    for operation in TABLE.values():
        paths.setdefault(path_of(operation), {})[operation.verb.lower()] = _described(
            operation, schemas
        )
    paths[DOCUMENT] = {"get": _described_itself()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tscm",
            "version": __version__,
            "description": (
                "The operations of tsadmin over HTTPS.  A call changes what the same tsadmin command "
                "changes and answers what it prints with --json."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key that `tsadmin web keys add` or the page API keys printed.",
                }
            },
            "responses": {
                f"Error{status}": {
                    "description": what,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                    },
                }
                for status, what in _ERRORS.items()
            },
            "schemas": dict(sorted(schemas.found.items())),
        },
    }


def _error_schema(schemas: Schemas) -> Json:
    from tscm.update.figures import UpdateRecord

    return {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["sentence"],
                "properties": {
                    "sentence": {"type": "string", "description": "Cause and remedy"},
                    "exit_status": {
                        "type": "integer",
                        "description": "Exit status of the same tsadmin command",
                    },
                    "outcome": schemas.of(UpdateRecord),
                    "certificate": {
                        "type": "string",
                        "description": "SHA-256 of a certificate of the device that is not trusted",
                    },
                },
            }
        },
    }


def _described(operation: Operation[Any, Any], schemas: Schemas) -> Json:
    in_path = variables(operation.path)
    fields = [one for one in attrs.fields(operation.args) if one.name not in in_path]
    parameters = [
        _parameter(one, schemas, "path")
        for one in attrs.fields(operation.args)
        if one.name in in_path
    ]
    made: Json = {
        "operationId": operation.name,
        "summary": operation.noun[0].upper() + operation.noun[1:],
        "description": _description(operation),
        "tags": [operation.room],
        "x-tscm-role": role_for(operation).word,
        "responses": _responses(operation, schemas),
    }
    if operation.verb == "GET":
        parameters += [_parameter(one, schemas, "query") for one in fields]
    elif operation.verb == "POST" or fields:
        made["requestBody"] = _body(fields, schemas)
    if operation.long:
        parameters.append(
            {
                "name": "detach",
                "in": "query",
                "schema": {"enum": ["yes", "no"]},
                "description": "yes: answer with the job at once, which goes on in the manager",
            }
        )
    if parameters:
        made["parameters"] = parameters
    return made


def _description(operation: Operation[Any, Any]) -> str:
    said = [f"Takes the role {role_for(operation).word}."]
    if words := accepting(operation):
        said.append(f"With {' or '.join(words)} it takes an admin.")
    if operation.changes:
        said.append("Changes something, and is audited under the name of the key.")
    if operation.destructive:
        said.append("Takes away what cannot be restored.")
    if operation.queues:
        said.append("Waits for its turn at the device.")
    return " ".join(said)


def _responses(operation: Operation[Any, Any], schemas: Schemas) -> Json:
    made: Json = {
        "200": {
            "description": "The answer",
            "content": {"application/json": {"schema": schemas.of(operation.answer)}},
        }
    }
    if operation.long:
        job = {"type": "object", "required": ["job"], "properties": {"job": schemas.of(JobFigures)}}
        made["202"] = {
            "description": "The job, with `detach=yes`; its path is in the header Location",
            "content": {"application/json": {"schema": job}},
        }
    return made | {status: {"$ref": f"#/components/responses/Error{status}"} for status in _ERRORS}


def _parameter(one: "attrs.Attribute[Any]", schemas: Schemas, place: str) -> Json:
    made: Json = {
        "name": one.name,
        "in": place,
        "required": place == "path" or one.default is attrs.NOTHING,
        "schema": _argument(one, schemas, query=True),
    }
    if place == "path":
        made["schema"] |= {"minLength": 1} if one.type is str else {"minimum": 0}
    return made


def _argument(one: "attrs.Attribute[Any]", schemas: Schemas, *, query: bool = False) -> Json:
    """The schema of an argument; a query has no null, for what is absent is that."""
    found = schemas.of(one.type)
    if query and "anyOf" in found:
        rest = [each for each in found["anyOf"] if each != {"type": "null"}]
        found = rest[0] if len(rest) == 1 else {"anyOf": rest}
    return found


def _body(fields: "list[attrs.Attribute[Any]]", schemas: Schemas) -> Json:
    whole = any(one.metadata.get(WHOLE_BODY) for one in fields)
    schema: Json = {"type": "object", "additionalProperties": whole}
    if fields and not whole:
        schema["properties"] = {one.name: _argument(one, schemas) for one in fields}
    required = [one.name for one in fields if one.default is attrs.NOTHING]
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _described_itself() -> Json:
    errors = {"401", "403", "405", "429", "500", "400"}
    return {
        "operationId": "openapi",
        "summary": "This description",
        "description": "Takes the role viewer.",
        "tags": ["api"],
        "x-tscm-role": "viewer",
        "responses": {
            "200": {
                "description": "The description in OpenAPI 3.1",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **{one: {"$ref": f"#/components/responses/Error{one}"} for one in sorted(errors)},
        },
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    sys.stdout.write("\n")
