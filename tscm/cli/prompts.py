"""
Asking at the terminal: a wrong answer is explained and asked again, the end of input is an error.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from attrs import define, evolve

from tscm.base.secrets import MASK
from tscm.cli import say
from tscm.cli.questions import DEVICE_KEY, NAME, applies, default_of, disagrees
from tscm.cli.typed import typed_line, wait_for_input
from tscm.errors import TscmError
from tscm.kinds.question import Question


@define(eq=False)
class InputEnded(TscmError):
    """
    A question was open when the input ended.
    """

    exit_status = 2

    question: str
    kept: str = "nothing was stored"
    option: str = "the option"

    def __str__(self) -> str:
        return (
            f"the input ended at the prompt {self.question!r}, so {self.kept}; answer it, "
            f"or use {self.option}"
        )


def ask_name(taken: Callable[[str], bool]) -> str:
    """The nickname of a new device; one that is *taken* is asked for again."""
    while True:
        answer = _line(NAME.prompt(None), NAME)
        try:
            name: str = NAME.read(answer)
        except ValueError as error:
            say.error(str(error))
            continue
        if not taken(name):
            return name
        say.error(f"a device named {name!r} already exists; choose another name")


Objection = Callable[[str], None]
"""Raises `TscmError` where an answer cannot be, whatever the others are."""


def ask_settings(
    questions: Sequence[Question],
    given: Mapping[str, Any],
    present: Mapping[str, Any] | None,
    *,
    basic: bool,
    advanced: bool,
    objections: Mapping[str, Objection] | None = None,
) -> dict[str, Any]:
    """
    Answers to every one of the *questions* that *given* leaves open, in order, as text.

    *present* are the settings in force where a device is changed: an answer that keeps the
    present value is left out.  *objections*, by the question's name, are heard before the next question.
    """
    answers: dict[str, Any] = {}
    titled = False
    for question in questions:
        if question.name in given or not (advanced if question.advanced else basic):
            continue
        known = {**(present or {}), **given, **answers}
        if question.advanced and not titled:
            say.plain("Advanced settings")
            titled = True
        if not applies(question, known):
            continue
        object_to = (objections or {}).get(question.name)
        answer = _ask(question, default_of(question, present), known, object_to)
        if answer is not None:
            answers[question.name] = answer
    return answers


def ask_device_key(url: str, present: Any = None) -> str | None:
    """The key by which the log service at *url* knows the device; None where the *present* one, or none, stays."""
    question = evolve(DEVICE_KEY, words=DEVICE_KEY.words.format(url=url))
    return _ask(question, present, {})


def prompt_corrections(
    questions: Sequence[Question],
    table: Mapping[str, Any],
    *,
    advanced: bool,
    objections: Mapping[str, Objection] | None = None,
) -> dict[str, Any]:
    """
    *table*, which turned out to be wrong, with every answer asked once more; what stands there is the default.
    """
    answered = {one.name: _answered(one, table) for one in questions}
    found = {
        **table,
        **ask_settings(
            questions, {}, answered, basic=True, advanced=advanced, objections=objections
        ),
    }
    for question in questions:
        if not applies(question, found):
            found.pop(question.name, None)
    return found


def _answered(question: Question, table: Mapping[str, Any]) -> Any:
    """The answer as a value; what is no right answer is none."""
    answer = table.get(question.name)
    if answer is None:
        return default_of(question, None)
    if question.hidden:
        return MASK
    try:
        return question.read(answer)
    except ValueError:
        return default_of(question, None)


def confirmed(question: str, *, default: bool = False, kept: str | None = None) -> bool:
    """
    Yes or no; an empty answer is the *default*.

    The end of the input is a no, or, where *kept* tells what then holds, an `InputEnded`.
    """
    sys.stderr.write(question)
    sys.stderr.flush()
    if sys.stdin.isatty():
        wait_for_input()
    answer = sys.stdin.readline()
    if not answer:
        if kept is not None:
            raise InputEnded(question.strip(), kept, "--yes")
        return False
    return answer.strip().lower() in ({"y", "yes", ""} if default else {"y", "yes"})


def _ask(
    question: Question, default: Any, known: Mapping[str, Any], object_to: Objection | None = None
) -> str | None:
    """The answer as text, or None where the default is kept."""
    shown = question.shown(default)
    while True:
        answer = _line(question.prompt(shown), question)
        if not answer.strip():
            if shown is not None:
                if object_to is not None and not question.hidden and not _heard(object_to, shown):
                    continue
                _told(question, default)
                return None
            if question.name == "log_proxy_password":
                return None
            say.error("a value is required")
            continue
        try:
            value = question.read(answer)
        except ValueError as error:
            say.error(str(error))
            continue
        if value is None and question.name == "forward_address":
            say.error("syslog forward requires an address")
            continue
        wrong = disagrees(question, value, known)
        if wrong:
            say.error(wrong)
            continue
        if object_to is not None and not _heard(object_to, str(value)):
            continue
        _told(question, value)
        return answer


def _heard(object_to: Objection, value: str) -> bool:
    """Is there no objection?  One is said."""
    try:
        object_to(value)
    except TscmError as error:
        say.error(str(error))
        return False
    return True


def _told(question: Question, value: Any) -> None:
    if question.said is not None and value is not attrs.NOTHING:
        say.info(question.said.format(value=value))


def _line(prompt: str, question: Question) -> str:
    *before, last = prompt.split("\n")
    for line in before:
        say.plain(line)
    try:
        return typed_line(last, hidden=question.hidden)
    except EOFError:
        say.plain("")
        raise InputEnded(question.words.split("\n")[0].strip(" :")) from None
    except UnicodeDecodeError:
        say.error("the input is not valid UTF-8")
        return ""
