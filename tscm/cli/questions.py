"""
The questions of `add` and `configure`: which make sense, and what their defaults are.

How a setting is asked for stands with the kinds (`tscm.kinds.questions`).
"""

from collections.abc import Mapping
from typing import Any

import attrs

from tscm.kinds.question import Question
from tscm.settings import values
from tscm.settings.shapes import options

Answers = Mapping[str, Any]

NAME = Question(name="name", words="Device name : (letters, digits, '-' and '_')")

DEVICE_KEY = Question(
    name="upload_key",
    words="Device key at the log service {url} : (hidden; Enter for none)",
    hidden=True,
)
"""Of ours, and behind all of those: asked only where logs go to a service that wants a key."""


def applies(question: Question, answers: Answers) -> bool:
    """Does *question* make sense after what has been answered?"""
    other = None if question.instead is None else answers.get(question.instead)
    if other is not None and str(other).strip().lower() not in {"", "none"}:
        return False
    if question.only_with is None:
        return True
    value = answers.get(question.only_with)
    if isinstance(value, str):
        try:
            value = options(question.of)[question.only_with].metadata["read"](value)
        except ValueError:
            return True  # the fault will be told; the answer behind it is still wanted
    return bool(value)


def disagrees(question: Question, value: Any, answers: Answers) -> str | None:
    """What is wrong with *value* beside the answers that were given before, or None."""
    names = set(str(answers.get("block_list")).lower().replace(",", " ").split())
    if question.name == "allow_list" and names & set(str(value).split()):
        return "this is the block list; name a different list, which may be empty"
    return None


def default_of(question: Question, present: Answers | None) -> Any:
    """The present value, or the default of a new device; `attrs.NOTHING` where there is none."""
    if present is not None:
        value = present.get(question.name)
        if question.name == "forward_address" and value is None:
            return attrs.NOTHING
        if question.hidden and value is None:
            return attrs.NOTHING
        return value
    if question.default is not None:
        return question.default
    if question.name in {"forward_address", "log_proxy_password"} or question.needed:
        return attrs.NOTHING
    return question.field.default


def read_name(answer: str) -> str:
    """The answer to `NAME`."""
    return values.nickname(answer)
