"""
The import table of docs/develop/design.md, section 3, read from the source.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tscm"

ROOMS = (
    ("errors", "fingerprints", "model", "nearest", "plural", "printable", "risks", "wire"),
    ("policy", "syslog", "upload_format"),
    ("base",),
    ("appliance", "settings"),
    ("channels", "consumers", "intake", "kinds", "retrieve", "spool", "store"),
    ("events", "forward", "portal", "services", "simulator", "update", "upload"),
    ("cluster", "ledger", "pairing", "sinks"),
    ("state",),
    ("standing",),
    ("alarms", "devices", "metrics", "reports"),
    ("backup", "doctor"),
    ("kinds of firewall",),
    ("operations",),
    ("faces",),
    ("manager",),
    ("__main__", "cli", "demo", "plugins"),
)
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}

SAME_RANK = {
    ("errors", "printable"),
    ("risks", "errors"),
    ("risks", "fingerprints"),
    ("risks", "wire"),
    ("wire", "model"),
    ("operations", "manager"),  # its handlers take the node: a value of the manager's parts
    ("cli", "demo"),
    ("__main__", "cli"),
}

SIMULATOR_RANKS = {0, 1}

"""What names a kind's module: the core finds its kinds there, and imports none."""
OF_KINDS = re.compile(r"\btscm\.kinds\.(?!(?:driver|faults|kind|question|questions)\b)\w+")


def room(parts: Sequence[str]) -> str:
    """The folder or module under `tscm`; each folder of `kinds` is a room above what it builds on."""
    if parts[0] == "kinds" and len(parts) > 1 and (PACKAGE / "kinds" / parts[1]).is_dir():
        return "kinds of firewall"
    return parts[0]


def room_of(path: Path) -> str:
    return room(path.relative_to(PACKAGE).with_suffix("").parts)


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
            if node.module in {"tscm", "tscm.kinds"}:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "tscm" and len(parts) > 1 and parts[1] != "__version__":
                yield room(parts[1:]), node.lineno


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


def test_nothing_but_the_kinds_names_the_engine_of_a_firewall() -> None:
    named = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        if room_of(path) not in {"kinds of firewall", "demo"}
        and OF_KINDS.search(path.read_text("utf-8"))
    }
    assert not named


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
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(reversed(error.args[1]))}")


def test_each_exception_among_the_rooms_is_used() -> None:
    used = {(room_of(path), other) for path in modules() for other, _ in imported_rooms(path)}
    assert not SAME_RANK - used
