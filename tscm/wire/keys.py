"""
How a field of a value is called in JSON, where its name does not say it.
"""

from typing import Any

import attrs

_KEY = "key"
_OMITTED = "omitted"
_PLAIN = "plain"


def as_key(key: str) -> dict[str, str]:
    """The metadata of a field that JSON has under another *key*."""
    return {_KEY: key}


OMIT_NONE = {_OMITTED: True}
"""The metadata of a field that JSON lacks where the value is None."""


PLAIN = {_PLAIN: True}
"""The metadata of a field whose value is JSON as it stands: texts by the 100,000 are not gone through one by one."""


def key_of(attribute: "attrs.Attribute[Any]") -> str:
    """The key of a field in JSON."""
    return str(attribute.metadata.get(_KEY, attribute.name))


def omits_none(attribute: "attrs.Attribute[Any]") -> bool:
    """Does JSON lack the field where its value is None?"""
    return bool(attribute.metadata.get(_OMITTED))


def is_plain(attribute: "attrs.Attribute[Any]") -> bool:
    """Is the field's value JSON already?"""
    return bool(attribute.metadata.get(_PLAIN))
