"""Changes a candidate's syntax tree before it is compiled: path code goes, imports of components become bindings.

What to change comes from C as `skip`, `missing`, `binds` and `calls` (docs/protocol.md, "The program").
"""

from __future__ import annotations

import ast
from typing import Any, Dict, List, Optional, Tuple

from .syntax import Columns

COMPONENT, PACKAGE = "<component>", "<package>"
REWRITTEN = ("skip", "missing", "binds", "calls")  # what C says of a file; without any of it, it runs as it is
BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")  # where statements stand in statements
Place = Tuple[int, int]


def rewrite(tree: ast.Module, source: bytes, file: Dict[str, Any]) -> ast.Module:
    rows = [tuple(row) for row in file.get("binds", [])]
    changed = Rewriter(source, {tuple(place) for place in file.get("skip", [])},
                       {tuple(place) for place in file.get("missing", [])}, rows,
                       {(row[0], row[1]): (row[2], row[3]) for row in file.get("calls", [])}).visit(tree)
    made = any(file.get(key) for key in ("missing", "binds", "calls"))
    return ast.fix_missing_locations(changed) if made else changed


class Rewriter(ast.NodeTransformer):
    def __init__(self, source: bytes, skip: Any, missing: Any, binds: List[Any],
                 calls: Dict[Place, Tuple[int, Optional[str]]]) -> None:
        self.columns = Columns(source)
        self.skip, self.missing, self.calls = skip, missing, calls
        self.binds: Dict[Place, List[Any]] = {}
        for row in binds:
            self.binds.setdefault((row[0], row[1]), []).append(row[2:])

    def place(self, node: Any) -> Place:
        """Line and column of the first character, as in the tree that C judged."""
        return node.lineno, self.columns.column(node.lineno, node.col_offset)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in node._fields if self.calls else BLOCKS:
            value = getattr(node, field, None)
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                kept: List[ast.stmt] = []
                for statement in value:
                    kept.extend(self.statement(statement))
                setattr(node, field, kept or [ast.copy_location(ast.Pass(), value[0])])
            elif isinstance(value, list):
                setattr(node, field, [self.visit(item) if isinstance(item, ast.AST) else item for item in value])
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        return node

    def statement(self, statement: ast.stmt) -> List[ast.stmt]:
        place = self.place(statement)
        if place in self.skip:
            return []
        if place in self.missing and isinstance(statement, (ast.Import, ast.ImportFrom)):
            failure = ast.Raise(exc=ast.Name(id="ImportError", ctx=ast.Load()), cause=None)
            return [ast.copy_location(failure, statement)]
        if place in self.binds and isinstance(statement, (ast.Import, ast.ImportFrom)):
            return self.bindings(statement, self.binds[place])
        return [self.visit(statement)]

    def bindings(self, statement: Any, rows: List[Any]) -> List[ast.stmt]:
        names = {row[0] for row in rows}
        statement.names = [alias for alias in statement.names if (alias.asname or alias.name) not in names]
        made: List[ast.stmt] = [statement] if statement.names else []
        for name, index, attribute in rows:
            if index is None:
                continue
            if "." in name:
                value = call(PACKAGE, [name, index])
            else:
                value = call(COMPONENT, [index, attribute])
            target = ast.Name(id=name.split(".")[0], ctx=ast.Store())
            made.append(ast.Assign(targets=[target], value=value))
        return [ast.copy_location(each, statement) for each in made or [ast.Pass()]]

    def visit_Call(self, node: ast.Call) -> ast.AST:
        meaning = self.calls.get(self.place(node))
        if meaning is not None and is_chain(node.func):
            return ast.copy_location(call(COMPONENT, list(meaning)), node)
        return self.generic_visit(node)


def is_chain(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def call(function: str, arguments: List[Any]) -> ast.Call:
    return ast.Call(func=ast.Name(id=function, ctx=ast.Load()),
                    args=[ast.Constant(value=value, kind=None) for value in arguments], keywords=[])
