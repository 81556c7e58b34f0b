"""
Change the pure rooms one place at a time and show which changes no test notices: `make mutants`.

A mutant is a copy of the tree with one small change: a comparison, a sum, a constant, a condition, a
returned value, a statement that is left out.  The tests that name the changed module run first, then the
rest of its room, then the neighbours that use it; the first test that fails notices the change.  Changes are
drawn with a fixed seed, so two runs of one tree draw the same.  What survives wants a test, or a reader who
finds that the change makes no difference.
"""

import argparse
import ast
import os
import queue
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parent.parent
COPIED = ("tscm", "tests", "twisted", "etc", "docs", "bench", "pyproject.toml", "README.md")
NEIGHBOURS = {
    "policy": (
        "tests/retrieve/test_retrieve_records.py",
        "tests/retrieve/test_retrieve_feeds.py",
        "tests/update/test_update_in_force.py",
        "tests/update/test_update_by_hand.py",
        "tests/update/test_update_run.py",
    ),
    "syslog": (
        "tests/intake/test_intake_relays.py",
        "tests/forward/test_forward_content.py",
        "tests/events/test_events_judge.py",
        "tests/events/test_events_report.py",
        "tests/events/test_events_blocks.py",
    ),
}
"""Tests of other rooms that hold a pure room to its promises."""
SECONDS_A_TEST = 120
MEMORY_BYTES = 4 << 30
COMPARED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
CALCULATED = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Div: "*",
    ast.Mod: "+",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}
LAYOUT = {"kw_only", "eq", "order", "repr", "init", "slots", "strict", "factory"}
"""Keywords that say how a class is made, not what it decides."""


@frozen
class Mutant:
    """One change: where it is, what stood there, what stands there instead."""

    path: str
    start: int
    end: int
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        """A line for people; long pieces are shortened."""
        before, after = (re.sub(r"\s+", " ", text)[:70] for text in (self.before, self.after))
        return f"{self.path}:{self.line}: {before}  ->  {after}"


class _Changes(ast.NodeVisitor):
    """Every change that could be made to one module."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text.encode()
        self._starts = [0]
        for row in self._text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(row))
        self.found: list[Mutant] = []

    def _change(self, node: ast.expr | ast.stmt, after: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        before = self._text[start:end].decode()
        self.found.append(Mutant(self._path, start, end, node.lineno, before, after))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in {"__repr__", "__hash__"}:
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None:
                    self.visit(default)
            for statement in node.body:
                self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Nothing: an assertion tells the type checker what holds."""

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in LAYOUT:
            self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        for index, operator in enumerate(node.ops):
            words = [f"({ast.unparse(node.left)})"]
            for number, (one, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
                sign = COMPARED[type(operator)] if number == index else _sign(one)
                words += [sign, f"({ast.unparse(right)})"]
            self._change(node, f"({' '.join(words)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        sign = CALCULATED.get(type(node.op))
        if sign is not None and not (_is_text(node.left) or _is_text(node.right)):
            self._change(node, f"(({ast.unparse(node.left)}) {sign} ({ast.unparse(node.right)}))")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        sign = CALCULATED.get(type(node.op))
        if sign is not None and not _is_text(node.value):
            self._change(node, f"{ast.unparse(node.target)} {sign}= {ast.unparse(node.value)}")
        self.visit(node.value)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word = " or " if isinstance(node.op, ast.And) else " and "
        self._change(node, f"({word.join(f'({ast.unparse(one)})' for one in node.values)})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._change(node, f"bool({ast.unparse(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._change(node, str(not node.value))
        elif isinstance(node.value, int | float):
            self._change(node, str(node.value + 1))

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name | ast.Call | ast.Attribute):
            self._change(node.test, f"(not {ast.unparse(node.test)})")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and ast.unparse(node.value) != "None":
            self._change(node, "return None")
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._change(node, "pass")
            self.visit(node.value)
        elif not _is_text(node.value):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._change(node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._change(node, "break")

    def visit_Break(self, node: ast.Break) -> None:
        self._change(node, "continue")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nothing: a sentence for people."""


def _sign(operator: ast.cmpop) -> str:
    name = ast.Name("x", ast.Load())
    return ast.unparse(ast.Compare(name, [operator], [name]))[2:-2]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def changes_of(path: str, text: str) -> list[Mutant]:
    """Every change to the module *text*; those that are not Python (a constant in a pattern) are left out."""
    visitor = _Changes(path, text)
    visitor.visit(ast.parse(text))
    return [one for one in visitor.found if _compiles(changed(text, one))]


def changed(text: str, mutant: Mutant) -> str:
    """The module *text* with the change made."""
    raw = text.encode()
    return (raw[: mutant.start] + mutant.after.encode() + raw[mutant.end :]).decode()


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def stages(room: str, module: str) -> Iterator[tuple[str, ...]]:
    """The tests to run, nearest first: those that name the module, the rest of its room, its neighbours."""
    named = re.compile(rf"tscm\.{room}\.{module}\b|from tscm\.{room} import [^\n]*\b{module}\b")
    tests = sorted((ROOT / "tests" / room).glob("test_*.py"))
    near = [one for one in tests if named.search(one.read_text("utf-8"))]
    for stage in (near, [one for one in tests if one not in near]):
        if stage:
            yield tuple(str(one.relative_to(ROOT)) for one in stage)
    yield NEIGHBOURS[room]


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def is_noticed(tree: Path, files: Sequence[str]) -> bool:
    """Does a test of *files* fail in *tree*?  One that does not end counts as failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-n", "0"]
    done = subprocess.run(
        [*command, "-o", f"timeout={SECONDS_A_TEST}", *files],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_bounded,
        check=False,
    )
    return done.returncode != 0


def copy_of_the_tree(folder: Path) -> Path:
    """What the tests need, the compiled helpers included."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def run(tree: Path, todo: "queue.SimpleQueue[Mutant | None]", survived: list[Mutant]) -> None:
    """Try mutants in one tree until there are no more."""
    while (mutant := todo.get()) is not None:
        path = tree / mutant.path
        text = path.read_text("utf-8")
        path.write_text(changed(text, mutant), "utf-8")
        room = path.parent.name
        noticed = any(is_noticed(tree, files) for files in stages(room, path.stem))
        path.write_text(text, "utf-8")
        if not noticed:
            survived.append(mutant)
        print("noticed " if noticed else "SURVIVED", mutant, flush=True)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What `make mutants ARGS=…` may say."""
    parser = argparse.ArgumentParser(prog="mutants", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rooms", nargs="+", default=sorted(NEIGHBOURS), choices=NEIGHBOURS)
    parser.add_argument("--module", help="only this module of the rooms, without .py")
    parser.add_argument(
        "--sample", type=int, default=100, help="changes to try; 0 for all (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which changes (%(default)s)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--least", type=float, default=85, help="percent to be noticed (%(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 when fewer changes are noticed than wanted, 2 when the tests fail without any."""
    chosen = options(arguments)
    mutants = [
        mutant
        for room in chosen.rooms
        for path in sorted((ROOT / "tscm" / room).glob("*.py"))
        if chosen.module in {None, path.stem}
        for mutant in changes_of(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    ]
    print(f"{len(mutants):,} possible changes", flush=True)
    if 0 < chosen.sample < len(mutants):
        mutants = random.Random(chosen.seed).sample(mutants, chosen.sample)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = [copy_of_the_tree(Path(folder, str(n))) for n in range(chosen.processes)]
        for room in chosen.rooms:
            if any(is_noticed(trees[0], files) for files in stages(room, "none")):
                print(f"the tests of {room} fail without a change: run them first")
                return 2
        todo: queue.SimpleQueue[Mutant | None] = queue.SimpleQueue()
        for mutant in [*mutants, *[None] * len(trees)]:
            todo.put(mutant)
        survived: list[Mutant] = []
        workers = [threading.Thread(target=run, args=(one, todo, survived)) for one in trees]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    share = 100 * (1 - len(survived) / max(1, len(mutants)))
    print(f"\n{len(mutants)} changes tried, {share:.0f}% noticed")
    for mutant in sorted(survived, key=lambda one: (one.path, one.line)):
        print(f"  {mutant}")
    return int(share < chosen.least)


if __name__ == "__main__":
    sys.exit(main())
