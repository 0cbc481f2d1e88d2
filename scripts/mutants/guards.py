"""
Every guard of a file, found in its syntax tree, and the ways to take it away. No list is kept, so none is forgotten.

A guard is what keeps something from happening: a test, a comparison, a bound, a member of a set of what is allowed, a
flag, a call that is made for its effect (a sync, a comparing, a dropping), a rename that replaces nothing.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FLIPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE,
    ast.LtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,  # codespell:ignore notin
}  # fmt: skip
_SHIFTED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
_LEAVES: Final = (ast.Raise, ast.Return, ast.Continue)
# A call that is put in the place of another one: it does the same without the care.
_CARELESS: Final = {
    "syscalls.rename_noreplace": "(lambda of, on, to, tn: os.replace(on, tn, src_dir_fd=of, dst_dir_fd=to))",
    "parts.rename_noreplace": "(lambda _, o, n: os.replace(o[1], n[1], src_dir_fd=o[0], dst_dir_fd=n[0]))",
    "reading.read_medium": (
        '(lambda o, *_, **__: reading.Reading(reading.read_cached(o), "cached", os.fstat(o(reading.READ))))'
    ),
    "reading.medium": (
        '(lambda o, _, of, **__: (of(syscalls.chunks(o(reading.READ))), "cached", os.fstat(o(reading.READ))))'
    ),
}
_FLAGS: Final = frozenset({"O_NOFOLLOW", "O_EXCL", "O_NONBLOCK", "O_DIRECTORY"})
_BOUNDS: Final = frozenset({"min", "max"})
_TURNED: Final = {"any": "all", "all": "any"}
# Where tests may cut the power, and what only gives back descriptors: they guard nothing.
_SILENT: Final = frozenset({"touch", "_touch", "close", "release"})
_NO_GUARDS: Final = frozenset({"annotation", "returns", "decorator_list", "exc", "cause"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard taken away. `lines`: of the whole statement; `scope`: the function, "" for the module itself."""

    file: str
    line: int
    scope: str
    text: str
    change: str
    start: int
    end: int
    instead: str
    lines: tuple[int, int]

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What it is known by, wherever in the file it stands."""
        return self.file, self.scope, self.text, self.change

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.instead.encode() + source[self.end :]


Change = tuple[ast.AST, str, str]  # what is replaced, what is done to it, what stands there then


class Finder:
    """The mutants of one source text. `about`: only in functions that mention one of these names."""

    def __init__(self, file: str, source: bytes, about: tuple[str, ...] = ()) -> None:
        self._file = file
        self._source = source
        self._about = about
        self._meant: set[str] = set()
        starts, at = [], 0
        for line in source.splitlines(keepends=True):
            starts.append(at)
            at += len(line)
        self._starts = starts

    def mutants(self) -> list[Mutant]:
        found = list(self._below(ast.parse(self._source), "", (0, 0)))
        return list({(m.start, m.end, m.instead): m for m in found}.values())

    def _below(self, node: ast.AST, scope: str, lines: tuple[int, int]) -> Iterator[Mutant]:
        for child in _children(node):
            inner, span = scope, lines
            if isinstance(child, ast.stmt):
                span = (child.lineno, _end_of(child))
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{scope}.{child.name}".lstrip(".")
            if self._is_meant(inner, child):
                for what, change, instead in changes(child):
                    yield self._mutant(inner, span, (what, change, instead))
            yield from self._below(child, inner, span)

    def _is_meant(self, scope: str, node: ast.AST) -> bool:
        if not self._about:
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.unparse(node)
            if any(name in text for name in self._about):
                self._meant.add(scope)
        return scope in self._meant

    def _mutant(self, scope: str, lines: tuple[int, int], found: Change) -> Mutant:
        what, change, instead = found
        assert isinstance(what, ast.expr | ast.stmt)  # noqa: S101 - nothing else has a place in the text
        text = " ".join(ast.unparse(what).split())
        start = self._starts[what.lineno - 1] + what.col_offset
        end = self._starts[(what.end_lineno or 0) - 1] + (what.end_col_offset or 0)
        return Mutant(
            self._file, what.lineno, scope, text, change, start, end, instead, lines
        )  # fmt: skip


def changes(node: ast.AST) -> Iterator[Change]:  # noqa: C901, PLR0912 - a table; one case a kind
    """Every way in which this one node, the ones below it left alone, guards less or something else."""
    match node:
        case ast.If():
            yield node.test, "never", "(False)"
            if not isinstance(node.body[-1], _LEAVES):
                yield node.test, "always", "(True)"
        case ast.IfExp() if not (_is_wording(node.body) and _is_wording(node.orelse)):
            yield node.test, "never", "(False)"
            yield node.test, "always", "(True)"
        case ast.BoolOp() if not _is_wording(node.values[-1]):
            yield from _without_operand(node)
        case ast.Compare():
            yield from _compared(node)
        case ast.UnaryOp(op=ast.Not()):
            yield node, "without not", _text(node.operand)
        case ast.Return(value=ast.Constant(value=bool(said))):
            yield node, "other answer", f"return {not said}"
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())):
            yield from _uncalled(node)
        case ast.Call():
            yield from _called(node)
        case ast.Set() | ast.BinOp(op=ast.BitOr()):
            yield from _without_member(node)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            for loop in node.generators:
                yield from ((test, "all pass", "(True)") for test in loop.ifs)
        case _:
            return


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Neither what is only said to people, nor types and decorators."""
    for name, value in ast.iter_fields(node):
        if name in _NO_GUARDS:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield child


def _is_wording(node: ast.expr) -> bool:
    """A sentence for a person, or half of one. "" is none: it often means that nothing is wrong."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    return is_text or isinstance(node, ast.JoinedStr)


def _end_of(statement: ast.stmt) -> int:
    """Of a compound one: its head."""
    body = getattr(statement, "body", None)
    if (
        isinstance(body, list)
        and body
        and isinstance(statement, ast.If | ast.While | ast.For | ast.With)
    ):
        return int(max(statement.lineno, body[0].lineno - 1))
    return statement.end_lineno or statement.lineno


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


def _without_operand(node: ast.BoolOp) -> Iterator[Change]:
    for n, gone in enumerate(node.values):
        left = [v for m, v in enumerate(node.values) if m != n]
        now = left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
        yield node, f"without `{ast.unparse(gone)}`", _text(now)


def _compared(node: ast.Compare) -> Iterator[Change]:
    for n, op in enumerate(node.ops):
        for table, change in ((_FLIPPED, "inverted"), (_SHIFTED, "bound moved")):
            if type(op) in table:
                ops = [*node.ops[:n], table[type(op)](), *node.ops[n + 1 :]]
                now = ast.Compare(node.left, ops, node.comparators)
                yield node, f"{change} at {n + 1}" if n else change, _text(now)


def _uncalled(node: ast.Expr) -> Iterator[Change]:
    call = node.value.value if isinstance(node.value, ast.Await) else node.value
    name = ast.unparse(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""
    if name not in _SILENT:
        yield node, "not called", "pass"


def _called(node: ast.Call) -> Iterator[Change]:
    name = ast.unparse(node.func)
    if name in _CARELESS:
        yield node.func, "careless", _CARELESS[name]
    if name in _TURNED:
        yield node.func, "turned", _TURNED[name]
    if name in _BOUNDS and len(node.args) == 2 and not node.keywords:  # noqa: PLR2004 - a value and its bound
        yield from ((node, f"only `{ast.unparse(arg)}`", _text(arg)) for arg in node.args)
    for word in node.keywords:
        if isinstance(word.value, ast.Constant) and isinstance(word.value.value, bool):
            yield word.value, f"other {word.arg}", str(not word.value.value)


def _without_member(node: ast.Set | ast.BinOp) -> Iterator[Change]:
    if isinstance(node, ast.Set):
        for n, gone in enumerate(node.elts):
            left = node.elts[:n] + node.elts[n + 1 :]
            now = f"{{{', '.join(map(ast.unparse, left))}}}" if left else "set()"
            yield node, f"without `{ast.unparse(gone)}`", now
        return
    for gone, kept in ((node.left, node.right), (node.right, node.left)):
        if isinstance(gone, ast.Attribute) and gone.attr in _FLAGS:
            yield node, f"without `{gone.attr}`", _text(kept)
