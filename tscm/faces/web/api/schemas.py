"""
JSON Schema (2020-12, as OpenAPI 3.1 has it) of the types that operations take and answer.  Pure.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import define, field

from tscm.model import Json
from tscm.wire.keys import key_of, omits_none

_PLAIN: Mapping[Any, Json] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    NoneType: {"type": "null"},
    dict: {"type": "object"},
}


@define(eq=False)
class Schemas:
    """
    Schemas by the names of their classes, collected while they are asked for.
    """

    found: dict[str, Json] = field(factory=dict)
    _names: dict[Any, str] = field(factory=dict, init=False)

    def of(self, kind: Any) -> Json:
        """The schema of a value of the type *kind*; attrs classes by reference."""
        kind = getattr(kind, "__supertype__", kind)  # of a NewType
        origin, args = get_origin(kind), get_args(kind)
        if origin in {Union, UnionType}:
            return {"anyOf": [self.of(one) for one in args]}
        if origin is tuple:
            return {"type": "array", "items": self.of(args[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        if attrs.has(kind):
            return {"$ref": f"#/components/schemas/{self._named(kind)}"}
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return {"type": "string", "examples": [str(one) for one in kind]}
        return dict(_PLAIN.get(kind, {}))

    def _named(self, cls: type[Any]) -> str:
        name = self._names.get(cls)
        if name is None:
            name = cls.__name__.lstrip("_")
            if name in self.found:  # of another module
                name = f"{name}.{cls.__module__.rpartition('.')[2]}"
            self._names[cls] = name
            self.found[name] = {}  # it may hold its like
            self.found[name] = self._object(cls)
        return name

    def _object(self, cls: type[Any]) -> Json:
        hints = get_type_hints(cls)
        fields = attrs.fields(cls)
        made: Json = {
            "type": "object",
            "properties": {key_of(one): self.of(hints[one.name]) for one in fields},
        }
        required = [key_of(one) for one in fields if not omits_none(one)]
        if required:
            made["required"] = required
        return made
