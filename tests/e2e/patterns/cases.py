"""Cases of tests/e2e/patterns: cases.py write KERNELS.py TORCH_VERSION, or judge KERNELS.py TORCH_VERSION RESULT.json.

A case is a function whose arguments are tensors, with SHAPES[argument] for shape; the line above it is
"# expect [PATTERN..] [(torch X.Y)]". `write` prints a component that calls each with inputs of its own; `judge` compares the
patterns that were named at lines of each function with what is expected.
"""

import ast
import json
import re
import sys


def cases(path, version):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines, tree = text.splitlines(), ast.parse(text)
    newest = tuple(int(part) for part in version.split(".")[:2])
    shapes = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "SHAPES")
    found = []
    for node in tree.body:
        above = re.match(r"# expect\b(.*?)(?:\(torch (\d+)\.(\d+)\))?$", lines[node.lineno - 2])
        if isinstance(node, ast.FunctionDef) and above:
            runs = above[2] is None or newest >= (int(above[2]), int(above[3]))
            found.append((node, above[1].split(), runs))
    return text, shapes, found


def write(path, version):
    text, shapes, found = cases(path, version)
    names, inputs, calls = [], [], []
    for node, _, runs in found:
        if not runs:
            continue
        own = [f"{node.name}_{argument.arg}" for argument in node.args.args]
        names += own
        inputs += [f"torch.randn{shapes[argument.arg]}" for argument in node.args.args]
        calls.append(f"{node.name}({', '.join(own)})")
    print(f"{text}\n\nclass Model(torch.nn.Module):\n    def forward(self, {', '.join(names)}):")
    print(f"        return ({', '.join(calls)},)\n\n\ndef get_inputs():\n    return [{', '.join(inputs)}]")


def judge(path, version, result):
    with open(result, encoding="utf-8") as file:
        matches = json.load(file)["patterns"]
    named = {}
    for match in matches:
        named.setdefault(int(match["place"].rsplit(":", 1)[1]), []).append(match["pattern"])
    taken = set()
    for node, expected, runs in cases(path, version)[2]:
        lines = range(node.lineno, node.end_lineno + 1)
        taken.update(lines)
        got = [name for line in lines for name in named.get(line, [])]
        if not runs:
            print(f"skipped {node.name}: this torch has not what it calls")
        elif got == expected:
            print(f"ok      {node.name}")
        else:
            print(f"FAILED  {node.name}: {' '.join(got) or 'nothing'} is named, expected {' '.join(expected) or 'nothing'}")
    for line in sorted(set(named) - taken):
        print(f"FAILED  line {line}: {' '.join(named[line])} is named outside of every case")


{"write": write, "judge": judge}[sys.argv[1]](*sys.argv[2:])
