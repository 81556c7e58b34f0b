"""
The import table of docs/design.md, section 3, read from the source.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tscm"

RANK = {
    "errors": 0,
    "model": 0,
    "plural": 0,
    "nearest": 0,
    "printable": 0,
    "risks": 0,
    "stray_signals": 0,
    "wire": 0,
    "fingerprints": 0,
    "syslog": 1,
    "policy": 1,
    "upload_format": 1,
    "safe_files": 2,
    "secrets": 2,
    "settings": 2,
    "clock": 2,
    "schedule": 2,
    "threads": 2,
    "metrics": 2,
    "cut_off": 2,
    "memory_bound": 2,
    "parse_apart": 2,
    "parse_child": 2,
    "http_gate": 2,
    "http_places": 2,
    "tls_answers": 2,
    "http_site": 3,
    "watched_http": 2,
    "listening": 3,
    "store": 3,
    "spool": 3,
    "consumers": 3,
    "intake": 3,
    "retrieve": 3,
    "asa": 3,
    "forward": 4,
    "upload": 4,
    "events": 4,
    "update": 4,
    "portal": 4,
    "simulator": 4,
    "log_text": 5,
    "service": 5,
    "settings_watch": 5,
    "control": 5,
    "control_site": 5,
    "audit_trail": 5,
    "health": 5,
    "standing": 5,
    "state": 5,
    "balance": 5,
    "peer": 5,
    "operations": 5,
    "device_rooms": 5,
    "log_consumers": 5,
    "embedded": 5,
    "devices": 5,
    "device_check": 5,
    "arrival": 5,
    "claims": 5,
    "ledger": 5,
    "ledger_book": 5,
    "bookkeeping": 5,
    "doctor": 5,
    "watch": 5,
    "watch_access": 5,
    "families": 5,
    "reader_lag": 5,
    "tap": 6,
    "tap_asa": 6,
    "tap_exit": 6,
    "tap_signals": 6,
    "tap_portal": 6,
    "demo": 6,
    "cli": 6,
    "__main__": 6,
}

SAME_RANK = {
    ("errors", "printable"),
    ("risks", "errors"),
    ("risks", "fingerprints"),
    ("wire", "model"),
    ("risks", "wire"),
    ("settings", "secrets"),
    ("settings", "safe_files"),
    ("secrets", "safe_files"),
    ("threads", "cut_off"),
    ("watched_http", "cut_off"),
    ("parse_child", "memory_bound"),
    ("parse_apart", "parse_child"),
    ("parse_apart", "cut_off"),
    ("service", "control"),
    ("devices", "claims"),
    ("service", "claims"),
    ("doctor", "claims"),
    ("devices", "device_check"),
    ("device_check", "arrival"),
    ("operations", "device_check"),
    ("operations", "arrival"),
    ("operations", "claims"),
    ("cli", "demo"),
    ("__main__", "cli"),
    ("operations", "devices"),
    ("operations", "device_rooms"),
    ("operations", "log_consumers"),
    ("operations", "bookkeeping"),
    ("operations", "reader_lag"),
    ("control", "operations"),
    ("control", "control_site"),
    ("control_site", "peer"),
    ("control", "peer"),
    ("peer", "operations"),
    ("health", "operations"),
    ("health", "ledger"),
    ("service", "health"),
    ("service", "audit_trail"),
    ("audit_trail", "operations"),
    ("service", "peer"),
    ("operations", "ledger"),
    ("operations", "doctor"),
    ("ledger", "ledger_book"),
    ("ledger", "balance"),
    ("ledger_book", "balance"),
    ("bookkeeping", "balance"),
    ("state", "balance"),
    ("standing", "state"),
    ("health", "balance"),
    ("health", "standing"),
    ("health", "state"),
    ("families", "state"),
    ("watch", "state"),
    ("doctor", "standing"),
    ("doctor", "state"),
    ("operations", "balance"),
    ("operations", "standing"),
    ("operations", "state"),
    ("bookkeeping", "ledger"),
    ("bookkeeping", "ledger_book"),
    ("service", "bookkeeping"),
    ("service", "operations"),
    ("service", "settings_watch"),
    ("settings_watch", "service"),
    ("service", "watch"),
    ("watch", "families"),
    ("watch", "watch_access"),
    ("service", "reader_lag"),
    ("service", "device_rooms"),
    ("service", "log_consumers"),
    ("service", "embedded"),
    ("device_rooms", "log_consumers"),
    ("tap", "tap_exit"),
    ("tap", "tap_signals"),
    ("tap_asa", "tap_exit"),
    ("tap_asa", "tap_signals"),
    ("tap_portal", "tap_exit"),
    ("tap_portal", "tap_signals"),
}

SIMULATOR_RANKS = {0, 1}

CIRCLES = {
    ("tscm.settings_watch", "tscm.service"),
    ("tscm.simulator.control", "tscm.simulator.service"),
    ("tscm.simulator.report", "tscm.simulator.service"),
}
"""Imports that close a circle, for types alone.  To become shorter."""


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def modules() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] != "__init__.py":
            yield path


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import in line {node.lineno}"
            names = [node.module or ""]
            if node.module == "tscm":
                names = [f"tscm.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "tscm" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1], node.lineno


def forbidden(room: str, other: str) -> bool:
    if other == room or (room, other) in SAME_RANK:
        return False
    return RANK[other] >= RANK[room] or (room == "simulator" and RANK[other] not in SIMULATOR_RANKS)


def test_a_room_imports_only_downwards() -> None:
    faults = [
        f"{path}:{line}: {room_of(path)} imports {other}"
        for path in modules()
        for other, line in imported_rooms(path)
        if forbidden(room_of(path), other)
    ]
    assert not faults


def test_only_the_top_imports_the_reactor() -> None:
    faults = [
        f"{path}:{node.lineno}"
        for path in modules()
        if RANK[room_of(path)] < max(RANK.values())
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "twisted.internet"
        and "reactor" in {alias.name for alias in node.names}
    ]
    assert not faults


def test_every_room_has_a_rank() -> None:
    assert {room_of(path) for path in modules()} <= set(RANK)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def imports() -> dict[str, set[str]]:
    """Modules that each module imports, also late and for types alone."""
    paths = {name_of(path): path for path in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in paths.items():
        wanted = found[name] = set[str]()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted.update(alias.name for alias in node.names if alias.name in paths)
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = (f"{node.module}.{alias.name}" for alias in node.names)
                wanted.update(one if one in paths else node.module for one in inside)
        wanted &= set(paths)
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = imports()
    unused = {(one, other) for one, other in CIRCLES if other not in graph.get(one, set())}
    assert not unused
    for one, other in CIRCLES:
        graph[one].discard(other)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(reversed(error.args[1]))}")


def test_each_exception_among_the_rooms_is_used() -> None:
    used = {(room_of(path), other) for path in modules() for other, _ in imported_rooms(path)}
    assert not SAME_RANK - used
