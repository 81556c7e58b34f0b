"""
What tests set is a field or a parameter: a constant of a module is the same for everybody who reads it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")

EXCEPTIONS = {
    "_OWN",  # the registry of consumers, as the house has it with a row more
    "CONSUMERS",
    "HOST",  # what a command of this host's finds, whoever asks
    "SSH_PORT",  # of a device whose settings know no port of SSH
    "GRACE_SECONDS",  # of the simulator
    "MAX_BODY",
    "SLICE",  # rows of one transaction of a user list
    "LONG_SECONDS",  # two hours of a first load
    "READER_SECONDS",  # of a proof, which an operation begins
    "_PAUSES",
    "COPIED_MOST",  # of repairs below the services
    "_TOMBSTONES_MAX",
    "_SETTLE_SECONDS",  # of the embedded policy service
    "MAX_FILE_BYTES",
    "SHOWN",  # what a report shows
    "_TRIM_SECONDS",  # of a listener that a service makes
}


def set_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Constants of modules that a `monkeypatch.setattr` sets, with the line."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "setattr" or not ast.unparse(node.func).startswith("monkeypatch."):
            continue
        named = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
        name = str(named[0]).rpartition(".")[2] if named else ""
        if CONSTANT.fullmatch(name):
            yield node.lineno, name


def test_no_test_sets_a_constant_of_a_module() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("*.py")):
        for line, name in set_in(ast.parse(path.read_text("utf-8"))):
            found.setdefault(name, []).append(f"{path.relative_to(TESTS)}:{line}: {name}")
    assert not [
        place for name, places in found.items() if name not in EXCEPTIONS for place in places
    ]
    assert set(found) == EXCEPTIONS, "an exception that no test needs"


def test_what_sets_one_is_seen() -> None:
    text = 'monkeypatch.setattr(m, "_MOST", 1)\nmonkeypatch.setattr("a.b.MOST", 2)\nmonkeypatch.setattr("a.b.Most", 3)'
    assert [name for _, name in set_in(ast.parse(text))] == ["_MOST", "MOST"]
