"""
Words that are given up stay given up: in the texts, docstrings and comments of the program, and on the pages of
the documentation.

The list and what to say instead: docs/develop/words.md.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_sentences import texts

ROOT = Path(__file__).parent.parent
GIVEN_UP = {
    r"some(?:body|one)|any(?:body|one)|nobody|whoever": "name the party",
    r"anew": "again, rebuilt",
    r"mend(?:s|ed|ing)?|puts? (?:right|in order)": "repair, correct",
    r"hand-shakes?": "handshake",
    r"hung up": "disconnected",
    r"fell silent": "sent nothing for",
    r"(?:broke|broken) off": "interrupted, closed",
    r"under way": "in progress",
    r"(?:lies|lay) damaged": "is damaged",
    r"is no (?:CIDR|address|DNS name|IP address|list|number|URL|whole number|time)": "is not a",
    r"set aside|refused for good|for want of": "rejected; for lack of",
}
"""Of texts that a person reads, and what to say instead."""
KEPT = {
    ("simulator/", "somebody"),  # kinds of faults, told to those who write tests
    ("intake/tcp.py", "hand-shake"),  # a cause, which is a label of a metric
}
"""Values that programs compare, and texts of the simulator: where, and the word."""


def literals() -> Iterator[tuple[str, str]]:
    """Where, and what, for each text of the program with more than one word."""
    for path in sorted((ROOT / "tscm").rglob("*.py")):
        for line, text in texts(ast.parse(path.read_text())):
            if " " in text.strip():
                yield f"{path.relative_to(ROOT / 'tscm')}:{line}", text


def remarks(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring and comment of a module, without what stands there as code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, _without_code(str(node.value.value))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], _without_code(token.string)


def _without_code(text: str) -> str:
    return re.sub(r"`[^`]*`", "`", text)


def prose() -> Iterator[tuple[str, str]]:
    """Where, and what, for each line of the pages for people, without what stands there as code."""
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for path in sorted(pages):
        if path.name == "words.md":  # which lists them
            continue
        fenced = False
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            fenced ^= line.startswith("```")
            if not fenced:
                yield f"{path.relative_to(ROOT)}:{number}", _without_code(line)


def given_up(text: str) -> Iterator[str]:
    for words in GIVEN_UP:
        for found in re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE):
            yield found.group()


def test_no_text_of_the_program_has_a_word_that_is_given_up() -> None:
    wrong = [
        f"{where}: {word!r} in {text!r}"
        for where, text in literals()
        for word in given_up(text)
        if not any(where.startswith(place) and word.startswith(kept) for place, kept in KEPT)
    ]
    assert not wrong, "see docs/develop/words.md:\n" + "\n".join(wrong)


def test_no_docstring_or_comment_has_a_word_that_is_given_up() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {word!r} in {text!r}"
        for path in sorted((ROOT / "tscm").rglob("*.py"))
        for line, text in remarks(path.read_text("utf-8"))
        for word in given_up(text)
    ]
    assert not wrong, "see docs/develop/words.md:\n" + "\n".join(wrong)


def test_no_page_has_a_word_that_is_given_up() -> None:
    wrong = [f"{where}: {word!r} in {line!r}" for where, line in prose() for word in given_up(line)]
    assert not wrong, "see docs/develop/words.md:\n" + "\n".join(wrong)


def test_what_is_kept_is_still_there() -> None:
    found = {
        (place, kept)
        for where, text in literals()
        for word in given_up(text)
        for place, kept in KEPT
        if where.startswith(place) and word.startswith(kept)
    }
    assert found == KEPT


def test_docstrings_and_comments_are_read_and_code_is_not() -> None:
    source = 'def anew():\n    """Made anew, see `mend`."""\n    return "nobody"  # under way\n'
    found = [(line, word) for line, text in remarks(source) for word in given_up(text)]
    assert found == [(2, "anew"), (3, "under way")]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Somebody changed it", "Somebody"),
        ("the update is under way", "under way"),
        ("10.0.0.0/33 is no CIDR", "is no CIDR"),
        ("office is recommended", None),
    ],
)
def test_a_word_is_found_between_its_bounds(text: str, word: str | None) -> None:
    assert next(given_up(text), None) == word
