"""
Values to JSON, as the control interface and `--json` carry them: the one converter of the house.

The client reads them back with `tscm.wire.read`.
"""

from collections.abc import Callable
from typing import Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from tscm.model import Json
from tscm.wire import OMITTED, key_of


def _converter() -> Converter:
    made = Converter(unstruct_collection_overrides={tuple: list})

    def hook(cls: type[Any]) -> Callable[[Any], Json]:
        keys: dict[str, Any] = {one.name: override(rename=key_of(one)) for one in attrs.fields(cls)}
        write: Callable[[Any], Json] = make_dict_unstructure_fn(cls, made, **keys)
        absent = [key_of(one) for one in attrs.fields(cls) if one.metadata.get(OMITTED)]
        if not absent:
            return write

        def without_none(value: Any) -> Json:
            found = write(value)
            for key in absent:
                if found[key] is None:
                    del found[key]
            return found

        return without_none

    made.register_unstructure_hook_factory(attrs.has, hook)
    return made


_CONVERTER = _converter()


def as_json(value: Any) -> Json:
    """
    A value of figures as JSON: an object with a key for each field.
    """
    found: Json = _CONVERTER.unstructure(value)
    return found
