"""
Bodies of control calls: bytes to checked values.  Pure.

Whatever is wrong with one is a sentence and status 400, before any operation has begun.
"""

import json
from math import isfinite
from typing import Any

from attrs import define

from tscm.errors import TscmError
from tscm.model import Json
from tscm.wire.bounded_json import marks_within

MOST_LEVELS = 32
"""Settings are two levels deep; no call needs more than a few."""
MOST_VALUES = 2000
"""Members and items in all: a device has some hundred settings.  Each costs every step behind this one."""
_MOST_DIGITS = 30


@define(eq=False)
class RequestFaulty(TscmError):
    """
    A call of the control interface holds something that it cannot hold.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return f"control request: {self.cause}"


def read_body(raw: bytes) -> Json:
    """
    The object in a body, `{}` for an empty one.  Raises `RequestFaulty`.
    """
    _refuse_many(raw)
    try:
        body = json.loads(
            raw or b"{}", parse_int=_number, parse_float=_real, parse_constant=_no_constant
        )
    except RequestFaulty:
        raise
    except (ValueError, RecursionError):
        raise RequestFaulty("the request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise RequestFaulty("the request body is not a JSON object")
    _check_shape(body)
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RequestFaulty(
            "a text contains half of a surrogate pair, which is not a character"
        ) from None
    return body


def _refuse_many(raw: bytes) -> None:
    """Raise `RequestFaulty` where there are too many values: before any is made."""
    # A name and a text for each; its marks, and one more for the object itself.
    if not marks_within(raw, 2 * MOST_VALUES + 1):
        raise RequestFaulty(f"the request body contains more than {MOST_VALUES:,} values")


def _check_shape(body: Json) -> None:
    """Raise `RequestFaulty` for a body with too many values, or with containers too deep within each other."""
    level: list[Any] = [body]
    left = MOST_VALUES
    for _ in range(MOST_LEVELS + 1):
        left -= sum(map(len, level))
        if left < 0:
            raise RequestFaulty(f"the request body contains more than {MOST_VALUES:,} values")
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for each in inner for one in each if isinstance(one, dict | list)]
        if not level:
            return
    raise RequestFaulty(f"the request body is nested more than {MOST_LEVELS} levels deep")


def _number(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise RequestFaulty(f"a number has more than {_MOST_DIGITS} digits")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise RequestFaulty(f"{text[:_MOST_DIGITS]} is too large a number")
    return number


def _no_constant(text: str) -> float:
    raise RequestFaulty(f"{text} is not a JSON number")
