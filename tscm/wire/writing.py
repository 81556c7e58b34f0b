"""
Values to JSON, as the control interface, `--json` and the database carry them: the one converter of the house.

The client reads them back with `tscm.wire.reading`.
"""

from collections.abc import Callable
from typing import Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from tscm.model import Json
from tscm.wire.keys import is_plain, key_of, omits_none


def _as_it_stands(value: Any) -> Any:
    return value


def _converter() -> Converter:
    made = Converter(unstruct_collection_overrides={tuple: list})

    def hook(cls: type[Any]) -> Callable[[Any], Json]:
        keys: dict[str, Any] = {
            one.name: override(
                rename=key_of(one), unstruct_hook=_as_it_stands if is_plain(one) else None
            )
            for one in attrs.fields(cls)
        }
        write: Callable[[Any], Json] = make_dict_unstructure_fn(
            cls, made, _cattrs_include_init_false=True, **keys
        )
        absent = [key_of(one) for one in attrs.fields(cls) if omits_none(one)]
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


def prepare(*kinds: type[Any]) -> None:
    """Generate the writers of *kinds* and of what is in them, before the first value has to be written."""
    for kind in (
        *kinds,
        *kinds,
    ):  # a writer that is new makes the converter look up all others once more
        _CONVERTER.get_unstructure_hook(kind)


def as_json(value: Any, kind: type[Any] | None = None) -> Json:
    """
    A value as JSON: an object with a key for each field, or for each field of *kind*, which it is a sort of.
    """
    found: Json = _CONVERTER.unstructure(value, unstructure_as=kind)
    return found
