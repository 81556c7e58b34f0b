"""
A manager that runs imports nothing more: the files below it may be those of another version.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import tscm
from tscm.manager.preload import ELSEWHERE, modules

PACKAGE = Path(tscm.__file__).parent
SCRIPT = """
import json, sys
from tscm.manager.preparation import prepare
prepare()
json.dump(sorted(sys.modules), sys.stdout)
"""
NOT_OF_THIS_PACKAGE = {"cffi", "confluent_kafka", "nats.aio.client", "nats.errors"}
"""Imported where the compiled helper is absent, to say so; with a sink of type kafka or a cluster, when it is made."""

NOT_OF_A_MANAGER = {
    *("tscm.cli.main", "tscm.demo.run", "tscm.faces.web.app", "tscm.simulator.service"),
    *("jinja2", "argon2"),
}


def loaded() -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=300
    )
    return set(json.loads(ended.stdout))


def imported_late(path: Path) -> Iterator[str]:
    """Modules that functions of a file import."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (one.name for one in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module
                    whole = (f"{node.module}.{one.name}" for one in node.names)
                    yield from (one for one in whole if is_module(one))


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # no package above it; one that hides what it is
        return False


def is_replaced(name: str) -> bool:
    """Does an upgrade replace it?  What belongs to Python itself it does not."""
    return name.partition(".")[0] not in sys.stdlib_module_names


def test_what_a_function_imports_is_there_before() -> None:
    present = loaded()
    ours = {name: PACKAGE.parent / (name.replace(".", "/") + ".py") for name in modules()}
    wanted = {
        one
        for path in ours.values()
        if path.is_file()
        for one in imported_late(path)
        if is_replaced(one) and not one.startswith(ELSEWHERE)
    }
    assert wanted - present <= NOT_OF_THIS_PACKAGE
    assert set(ours) <= present
    assert not present & NOT_OF_A_MANAGER


def test_records_of_every_type_can_be_read() -> None:
    assert {"dns.rdtypes.ANY.SOA", "dns.rdtypes.IN.APL", "dns.rdtypes.ANY.TSIG"} <= loaded()
