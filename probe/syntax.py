"""Syntax trees as JSON: what this interpreter's parser makes of a file (docs/protocol.md, "work: syntax").

Standard library only; Python 3.7 to 3.14. `python3 syntax.py FILE...` prints {"trees": [..]}.
"""

import _ast as ast  # its door, ast.py, takes milliseconds to load and adds nothing for us
import sys
import warnings

DEEPEST = 200  # levels of nodes; real files stay under 40

NOWHERE = "0 0 0 0"
LEFT_OUT = frozenset(("type_comment", "type_ignores", "kind"))
CONSTANT_KINDS = {type(None): "none", bool: "bool", int: "int", float: "float", complex: "complex",
                  str: "str", bytes: "bytes", type(Ellipsis): "ellipsis"}
# The classes in which Python 3.7 gives constants, and the field that holds the value.
OLD_CONSTANTS = {"Num": "n", "Str": "s", "Bytes": "s", "NameConstant": "value", "Ellipsis": None}


class TooDeep(Exception):
    pass


def constant_text(value):
    if value is None or value is Ellipsis:
        return ""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bytes):
        return value.decode("latin-1")
    try:
        return repr(value)
    except ValueError:  # an int with more digits than Python is willing to print
        return hex(value)


def constant(value, position):
    return {"t": "Constant", "p": position, "v": [CONSTANT_KINDS[type(value)], constant_text(value)]}


class Columns:
    """Turns the byte columns of `ast` (in the line's UTF-8) into characters, from 1."""

    def __init__(self, source):
        self.lines = None
        if any(byte > 127 for byte in source):
            import io
            import tokenize

            encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
            text = source.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
            self.lines = [line.encode("utf-8", "replace") for line in text.split("\n")]

    def column(self, line, offset):
        if offset is None or offset < 0:
            return 0
        if self.lines is not None and 0 < line <= len(self.lines):
            offset = len(self.lines[line - 1][:offset].decode("utf-8", "ignore"))
        return offset + 1

    def position(self, node):
        line = getattr(node, "lineno", None)
        if line is None:
            return NOWHERE
        end = getattr(node, "end_lineno", None)
        if end is None:
            return "%d %d 0 0" % (line, self.column(line, node.col_offset))
        if self.lines is None and node.end_col_offset is not None:
            return "%d %d %d %d" % (line, node.col_offset + 1, end, node.end_col_offset + 1)
        return "%d %d %d %d" % (line, self.column(line, node.col_offset), end, self.column(end, node.end_col_offset))


def encode(node, columns, depth):
    """The JSON of one node and all below it."""
    if depth > DEEPEST:
        raise TooDeep(getattr(node, "lineno", 0))
    name = type(node).__name__
    if name == "Index":  # before 3.9, subscripts wrapped what stands in the brackets
        return encode(node.value, columns, depth)
    if name == "ExtSlice":
        return {"t": "Tuple", "p": NOWHERE, "elts": [encode(item, columns, depth + 1) for item in node.dims]}
    position = columns.position(node)
    if name == "Constant":
        return constant(node.value, position)
    if name in OLD_CONSTANTS:
        field = OLD_CONSTANTS[name]
        return constant(Ellipsis if field is None else getattr(node, field), position)
    out = {"t": name}
    if position is not NOWHERE:
        out["p"] = position
    for field in node._fields:
        value = getattr(node, field, None)
        if field in LEFT_OUT or (field == "ctx" and type(value) is ast.Load):
            continue
        if name == "MatchSingleton":  # its value is a bare None, True or False
            value = constant(value, position)
        elif isinstance(value, ast.AST):
            value = encode(value, columns, depth + 1)
        elif isinstance(value, list):
            value = [encode_item(item, position, columns, depth + 1) for item in value]
        elif value is None:
            continue
        elif not isinstance(value, (str, int)):
            value = constant_text(value)
        out[field] = value
    return out


def encode_item(item, position, columns, depth):
    if isinstance(item, str):  # names of Global, Nonlocal, and keywords of MatchClass
        return {"t": "Name", "p": position, "id": item}
    return None if item is None else encode(item, columns, depth)


def error(line, column, message):
    return {"error": {"line": line or 0, "column": max(column or 0, 0), "message": str(message)}}


def parse(source, name):
    """{"tree": node} or {"error": {"line", "column", "message"}} for the bytes of one file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = compile(source, name, "exec", ast.PyCF_ONLY_AST, True)
        return {"tree": encode(tree, Columns(source), 0)}
    except SyntaxError as cause:
        return error(cause.lineno, cause.offset, cause.msg)
    except TooDeep as cause:
        return error(cause.args[0], 0, "nested too deeply")
    except (RecursionError, MemoryError):
        return error(0, 0, "nested too deeply")
    except (ValueError, OverflowError, SystemError) as cause:  # a NUL byte, before 3.12
        return error(0, 0, cause)


def check(source, name):
    """[line, message] if the file is not valid Python, else None: the parser and the symbol table, and no tree."""
    try:
        import _symtable

        _symtable.symtable(source, name, "exec")
        return None
    except SyntaxError as cause:
        return [cause.lineno or 0, str(cause.msg)]
    except (RecursionError, MemoryError):
        return [0, "nested too deeply"]
    except (ValueError, OverflowError, SystemError) as cause:
        return [0, str(cause)]
    except (ImportError, TypeError):  # before 3.8 it takes no bytes
        found = parse(source, name).get("error")
        return None if found is None else [found["line"], found["message"]]


def main(paths):
    import json

    trees = []
    for path in paths:
        with open(path, "rb") as file:
            trees.append(parse(file.read(), path))
    sys.stdout.write(json.dumps({"trees": trees}, separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1:])
