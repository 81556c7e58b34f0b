"""
Every small change that can be made to a module: what `tests/mutants.py` tries one after the other.

A change is a comparison turned round, a sum made a difference, a constant one higher, a condition negated, a
returned value left out, a statement skipped.  Sentences for people, annotations, assertions and tables of
constants are left alone, and so is a line that ends with `SPEED_ALONE`: a bound between two ways to one result,
of which no test can tell which was taken.
"""

import ast
import re

from attrs import frozen

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
SPEED_ALONE = "# either way gives the same"
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
        if self._text[end:].partition(b"\n")[0].rstrip().endswith(SPEED_ALONE.encode()):
            return
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

    def visit_Dict(self, node: ast.Dict) -> None:
        """Not of a table of constants: a test of it would be the same table."""
        if not all(isinstance(one, ast.Constant) for one in node.values):
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
