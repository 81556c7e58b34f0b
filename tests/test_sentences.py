"""
What the sentences of the program tell an operator to type, read from the source: it can be typed as it stands.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tscm"
_QUOTED = re.compile(r"`([^`]+)`")
_PLACEHOLDER = re.compile(
    r"…|\b(?:NAME|NICKNAME|ADDRESS|READER|SHA256|FILE|HOST|MASK|INTERFACE|NUMBER|DIR)\b"
)
_NAMELESS = re.compile(
    r"tsadmin (?:configure|update|plan|logs|remove|policy (?:resume|pause|history|dropped|diff)|"
    r"spool (?:repair|inspect|drop|export)|events rebuild)(?: --.*)?"
)
_GENERAL = {"plan"}
"""Told of, not told to type."""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of a module that is no docstring, with `{}` where a value is put in."""
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # a docstring, of whatever
            passed.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed |= {id(one) for one in ast.walk(node) if one is not node}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (
                str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values
            )
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def commands() -> Iterator[tuple[str, str]]:
    """Where, and what, for each thing in backquotes that a sentence of the program has."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(
            PACKAGE / "settings" / "page.py"
        ):  # makes a page of the documentation
            continue
        for line, text in texts(ast.parse(path.read_text())):
            for quoted in [] if "as with `" in text else _QUOTED.findall(text):
                yield f"{path.relative_to(PACKAGE)}:{line}", quoted


def wrong(quoted: str) -> bool:
    if quoted.removeprefix("tsadmin ") in _GENERAL:
        return False
    return bool(_PLACEHOLDER.search(quoted)) or bool(_NAMELESS.fullmatch(quoted))


def test_no_remedy_has_a_placeholder_or_lacks_the_name() -> None:
    found = [f"{where}: `{quoted}`" for where, quoted in commands() if wrong(quoted)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "quoted",
    [
        "tsadmin show NAME",
        "tsadmin configure {} --prefix …",
        "tsadmin configure",
        "tsadmin configure --fingerprint",
        "http ADDRESS MASK INTERFACE",
    ],
)
def test_placeholders_are_found(quoted: str) -> None:
    assert wrong(quoted)


@pytest.mark.parametrize("quoted", ["tsadmin configure {} --fingerprint {}", "no rest-api agent"])
def test_what_can_be_typed_passes(quoted: str) -> None:
    assert not wrong(quoted)
