"""A decomposition of many small pieces: a pyramid of blocks of different widths, so that hardly any file serves twice.

    bench/pyramid.py FOLDER STAGES        7 files and 2 steps a stage, and the model's own
"""

import json
import shutil
import sys
from pathlib import Path

TEST = Path(__file__).resolve().parent.parent / "src" / "project" / "template" / "composition_test.py"
LEVELS = {"kernel": "level_0_kernel", "fusion": "level_1_fusion", "layer": "level_2_layer", "model": "level_3_model"}
TIME = "2026-11-01T00:00:00Z"

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"
CHILDREN = "import sys\nfrom pathlib import Path\n\nsys.path.insert(0, str(Path(__file__).parent / \"children\"))\n\n"
TAIL = """

def get_inputs():
    return [torch.randn(2, 4, {inputs})]


def get_init_inputs():
    return [{init}]
"""
TEST_ITSELF = """

def get_expected_output_shape():
    return (2, 4, {outputs})


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    return tuple(output.shape) == get_expected_output_shape()


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
"""


def module(name, arguments, init, forward):
    lines = ["class %s(nn.Module):" % name, "    def __init__(self%s):" % "".join(", " + text for text in arguments), "        super().__init__()"]
    lines += ["        " + line for line in init] + ["", "    def forward(self, x):"] + ["        " + line for line in forward]
    return "\n".join(lines) + "\n"


class Decomposition:
    def __init__(self, folder):
        self.folder, self.nodes, self.files, self.steps = Path(folder), {}, {}, 0

    def component(self, stem, level, children, inputs, outputs, init, arguments, body, forward, before="", count=1):
        text = HEAD + before + module("Model", arguments, body, forward) + (TAIL + TEST_ITSELF).format(inputs=inputs, outputs=outputs, init=init)
        self.files[stem] = text
        self.write("%s/%s.py" % (LEVELS[level], stem), text)
        self.nodes[stem] = {"id": stem, "name": stem, "level": level, "path": "%s/%s.py" % (LEVELS[level], stem), "children": children,
                            "input_shapes": {"x": [2, 4, inputs]}, "output_shapes": {"output": [2, 4, outputs]},
                            "input_dtypes": {"x": "float32"}, "output_dtypes": {"output": "float32"}, "instance_count": count}

    def step(self, parent, kinds, children, inputs, init, arguments, body, forward, weight_map):
        self.steps += 1
        folder = "steps/step_%d_%s_to_%s" % (self.steps, parent, kinds)
        self.write(folder + "/original.py", self.files[parent])
        imports = "".join("from %s import Model as %s\n" % child for child in children)
        self.write(folder + "/refactored.py", CHILDREN + "import torch\nimport torch.nn as nn\n" + imports + "\n\n" +
                   module("RefactoredModel", arguments, body, forward) + TAIL.format(inputs=inputs, init=init))
        for stem, _ in children:
            self.write("%s/children/%s.py" % (folder, stem), self.files[stem])
        if weight_map:
            self.write(folder + "/weight_map.json", json.dumps(weight_map, indent=2) + "\n")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def linear(self, inputs, outputs):
        stem = "linear_%dx%d_fp32" % (inputs, outputs)
        self.component(stem, "kernel", [], inputs, outputs, "%d, %d" % (inputs, outputs), ["inputs", "outputs"],
                       ["self.linear = nn.Linear(inputs, outputs)"], ["return self.linear(x)"])
        return stem


def build(folder, stages):
    made = Decomposition(folder)
    widths = [8 * (stage + 1) for stage in range(stages + 1)]
    blocks, downs = [], []
    for width in widths[:-1]:
        init = "%d" % width
        norm, gelu = "layer_norm_%d_fp32" % width, "gelu_%d_fp32" % (4 * width)
        made.component(norm, "kernel", [], width, width, init, ["width"], ["self.norm = nn.LayerNorm(width)"], ["return self.norm(x)"])
        made.component(gelu, "kernel", [], 4 * width, 4 * width, "", [], [], ["return F.gelu(x)"])
        up, down = made.linear(width, 4 * width), made.linear(4 * width, width)
        mlp, block = "mlp_of_%d" % width, "block_of_%d" % width
        parts = ["self.fc = nn.Linear(width, 4 * width)", "self.proj = nn.Linear(4 * width, width)"]
        made.component(mlp, "fusion", [up, gelu, down], width, width, init, ["width"], parts, ["return self.proj(F.gelu(self.fc(x)))"])
        made.component(block, "layer", [norm, mlp], width, width, init, ["width"], ["self.norm = nn.LayerNorm(width)"] + parts,
                       ["return x + self.proj(F.gelu(self.fc(self.norm(x))))"])
        blocks.append((block, mlp, norm, up, gelu, down, width))
    for narrow, wide in zip(widths, widths[1:]):
        downs.append(made.linear(narrow, wide))
    inner = module("Block", ["width"], ["self.norm = nn.LayerNorm(width)", "self.fc = nn.Linear(width, 4 * width)",
                                        "self.proj = nn.Linear(4 * width, width)"],
                   ["return x + self.proj(F.gelu(self.fc(self.norm(x))))"]) + "\n\n"
    body = ["self.block_%d = Block(%d)" % (i, widths[i]) for i in range(stages)]
    body += ["self.wider_%d = nn.Linear(%d, %d)" % (i, widths[i], widths[i + 1]) for i in range(stages)]
    forward = ["x = self.wider_%d(self.block_%d(x))" % (i, i) for i in range(stages)] + ["return x"]
    made.component("pyramid", "model", [block[0] for block in blocks] + downs, widths[0], widths[-1], "", [], body, forward, before=inner)
    children = [(block[0], "Block%d" % i) for i, block in enumerate(blocks)] + [(down, "Wider%d" % i) for i, down in enumerate(downs)]
    made.step("pyramid", "layers", children, widths[0], "", [],
              ["self.block_%d = Block%d(%d)" % (i, i, widths[i]) for i in range(stages)] +
              ["self.wider_%d = Wider%d(%d, %d)" % (i, i, widths[i], widths[i + 1]) for i in range(stages)], forward,
              {"wider_%d.%s" % (i, name): "wider_%d.linear.%s" % (i, name) for i in range(stages) for name in ("weight", "bias")})
    for block, mlp, norm, up, gelu, down, width in blocks:
        init = "%d" % width
        made.step(block, "fusions", [(norm, "Norm"), (mlp, "MLP")], width, init, ["width"],
                  ["self.norm = Norm(width)", "self.mlp = MLP(width)"], ["return x + self.mlp(self.norm(x))"],
                  {"%s.%s" % (old, name): "%s.%s" % (new, name) for old, new in (("norm", "norm.norm"), ("fc", "mlp.fc"), ("proj", "mlp.proj"))
                   for name in ("weight", "bias")})
        made.step(mlp, "kernels", [(up, "Up"), (gelu, "Gelu"), (down, "Down")], width, init, ["width"],
                  ["self.fc = Up(width, 4 * width)", "self.act = Gelu()", "self.proj = Down(4 * width, width)"],
                  ["return self.proj(self.act(self.fc(x)))"],
                  {"%s.%s" % (old, name): "%s.linear.%s" % (old, name) for old in ("fc", "proj") for name in ("weight", "bias")})
    edges, last, width = [], "input", widths[0]
    for stage in range(stages):
        for stem, width_after in ((blocks[stage][0], widths[stage]), (downs[stage], widths[stage + 1])):
            edges.append({"from": last, "to": stem, "tensor_name": "x", "shape": [2, 4, width], "dtype": "float32"})
            last, width = stem, width_after
    edges.append({"from": last, "to": "output", "tensor_name": "output", "shape": [2, 4, width], "dtype": "float32"})
    levels = {level: sum(node["level"] == level for node in made.nodes.values()) for level in LEVELS}
    metadata = {"source_file": "level_3_model/pyramid.py", "source_level": "model", "model_name": "pyramid", "timestamp": TIME,
                "total_components": len(made.nodes), "by_level": levels, "unique_kernels": levels["kernel"], "verification_status": "PASS"}
    made.write("decomposition_tree.json", json.dumps({"metadata": metadata, "nodes": made.nodes, "data_flow": edges}, indent=1) + "\n")
    entry = {"step": "step_2", "type": "decision", "title": "The residual stays in the layer", "description": "Fusions are straight lines.",
             "timestamp": TIME}
    made.write("decomposition_log.json", json.dumps({"entries": [entry]}, indent=1) + "\n")
    made.write("verification/composition_test.py", TEST.read_text())


if __name__ == "__main__":
    if Path(sys.argv[1]).exists():
        shutil.rmtree(sys.argv[1])
    build(sys.argv[1], int(sys.argv[2]))
