"""Lists the overridable functions of this Python's torch by the class that ops/operators.txt gives them.

    python tests/operators_known.py          the names that fall to compute, for a person to look over
    python tests/operators_known.py CLASS    those of another class, or `forbidden`, `all`

Says last, on stderr, which operators of the table this torch has under no spelling: a misspelt row shows there.
"""

import os
import runpy
import sys
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def torch_names():
    import torch
    from torch.overrides import get_ignored_functions, get_overridable_functions, resolve_name

    functions = [f for group in get_overridable_functions().values() for f in group]
    names = {resolve_name(function) for function in [*functions, *get_ignored_functions()]}
    names |= {f"torch.Tensor.{name}" for name in dir(torch.Tensor)}
    return sorted(name for name in names if name)


def class_of(rows, name):
    for prefix in ("torch.", "Tensor."):
        if name.startswith(prefix):
            name = name[len(prefix):]
    bare = name[: -len(".__get__")] if name.endswith(".__get__") else name
    if len(bare) > 1 and bare.endswith("_") and not bare.endswith("__"):
        bare = bare[:-1]
    for spelling in (name, bare):
        if spelling in rows:
            return spelling, rows[spelling][1]
    return None, "forbidden" if name.startswith("nn.functional.") else "compute"


def main(wanted="compute"):
    warnings.simplefilter("ignore")
    read_table = runpy.run_path(os.path.join(ROOT, "scripts", "operator_table.py"))["read_table"]
    rows = read_table(os.path.join(ROOT, "ops", "operators.txt"))
    seen = set()
    for name in torch_names():
        spelling, found = class_of(rows, name)
        if spelling is not None:
            seen.add(rows[spelling][0])
        if wanted in (found, "all"):
            print(f"{found:11}{name}")
    missing = sorted({operator for operator, _ in rows.values()} - seen)
    print(f"operators of the table that this torch doesn't list: {', '.join(missing) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
