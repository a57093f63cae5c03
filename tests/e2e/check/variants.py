"""Decompositions with one thing changed each, and what `plumbline check` must say of them.

variants.py make FOLDER                  writes one folder a variant of tests/e2e/tiny
variants.py judge FOLDER RESULTS.json    RESULTS.json is `plumbline batch`'s; prints a line a variant and the totals
"""

import json
import os
import shutil
import sys
from pathlib import Path

TINY = Path(__file__).resolve().parent.parent / "tiny"
VARIANTS = []


def variant(fails=(), says=()):
    """`fails`: numbers of the checklist's lines that must not hold (none: PASS); `says`: parts of messages that must
    be there. Other lines may fail with them."""

    def keep(change):
        VARIANTS.append((change.__name__, change, tuple(fails), tuple(says)))
        return change

    return keep


class Folder:
    def __init__(self, root):
        self.root = root

    def path(self, name):
        return self.root / name

    def read(self, name):
        return self.path(name).read_text()

    def write(self, name, text):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)

    def replace(self, name, old, new, count=1):
        text = self.read(name)
        assert old in text, (name, old)
        self.write(name, text.replace(old, new) if count is None else text.replace(old, new, count))

    def copies(self, stem):
        """The component's file, its copies in children/, and the original.py of its step."""
        (own,) = self.root.glob("level_*/%s.py" % stem)
        content = own.read_bytes()
        return [own] + [path for path in self.root.glob("steps/*/*.py") if path.read_bytes() == content] + \
            [path for path in self.root.glob("steps/*/children/*.py") if path.read_bytes() == content]

    def edit(self, stem, old, new, count=1):
        """The component, wherever it stands."""
        for path in self.copies(stem):
            self.replace(path.relative_to(self.root), old, new, count)

    def json(self, name, change):
        value = json.loads(self.read(name))
        change(value)
        self.write(name, json.dumps(value, indent=2) + "\n")

    def tree(self, change):
        self.json("decomposition_tree.json", change)

    def rename(self, stem, new):
        for path in self.root.rglob("%s.py" % stem):
            path.rename(path.with_name(new + ".py"))
        for path in list(self.root.rglob("*.py")) + [self.path("decomposition_tree.json")]:
            path.write_text(path.read_text().replace(stem, new))

    def remove(self, name):
        path = self.path(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


BLOCK, MLP, NORM, UP, GELU, DOWN, HEAD = "block", "mlp", "layer_norm_8_fp32", "linear_8x16_fp32", "gelu_fp32", "linear_16x8_fp32", "linear_8x4_fp32"
STEP_1, STEP_2, STEP_3 = "steps/step_1_tiny_to_layers", "steps/step_2_block_to_fusions", "steps/step_3_mlp_to_kernels"


@variant()
def as_it_is(d):
    pass


# ---- The checklist, line by line ----

@variant([1, 3], ["gelu"])
def compute_in_refactored(d):
    d.replace(STEP_3 + "/refactored.py", "self.act(self.fc(x))", "nn.functional.gelu(self.fc(x))")


@variant([2, 3], ["Linear"])
def module_made_in_refactored(d):
    d.replace(STEP_3 + "/refactored.py", "self.fc = Up(width, inner)", "self.fc = nn.Linear(width, inner)")


@variant([3, 5], ["calls add once", "step_2_block_to_fusions: out"])
def missing_residual(d):
    d.replace(STEP_2 + "/refactored.py", "return x + self.mlp", "return self.mlp")


@variant([4], ["gelu_fp32.py"])
def self_test_fails(d):
    d.edit(GELU, 'print("PASS" if run_tests() else "FAIL")', 'print("FAIL")')


@variant([4], ["PASS"])
def self_test_says_passed(d):
    d.edit(GELU, 'print("PASS" if run_tests() else "FAIL")', 'print("PASSED")')


@variant([4], ["FAIL: PASS expected"])
def self_test_says_fail_after_spaces(d):
    d.edit(GELU, 'print("PASS" if run_tests() else "FAIL")', 'print("  FAIL: PASS expected")')


@variant([4])
def component_raises(d):
    d.edit(GELU, "return F.gelu(x)", "return F.gelu(x, approximate='no such')")


@variant([4], ["random"])
def component_is_random(d):
    d.edit(GELU, "return F.gelu(x)", "return F.gelu(x) + torch.rand(1)")


@variant([5], ["composition_test.py: it is missing"])
def no_composition_test(d):
    d.remove("verification/composition_test.py")


@variant([5], ["composition_test.py"])
def composition_test_fails(d):
    d.write("verification/composition_test.py", 'print("PASS")\nprint("FAIL: nothing works")\n')


@variant([5], ["composition_test.py: it passes"])
def composition_test_is_blind(d):
    d.write("verification/composition_test.py", 'print("PASS")\n')


@variant([6], ["doesn't list gelu"])
def coverage_summary_lacks_a_row(d):
    def drop(summary):
        rows = summary["coverage"]["op_details"]
        rows[:] = [row for row in rows if row["op_type"] != "gelu"]

    d.json("verification/coverage_summary.json", drop)


@variant([6], ["coverage_summary.json: it is missing"])
def no_coverage_summary(d):
    d.remove("verification/coverage_summary.json")


@variant([6], ["counts 7 original operators"])
def coverage_summary_is_wrong(d):
    d.json("verification/coverage_summary.json", lambda summary: summary["coverage"].update(total_original_ops=7))


@variant([6], ["it says 50.0 %, and 100.0 % are covered"])
def coverage_summary_has_another_percentage(d):
    d.json("verification/coverage_summary.json", lambda summary: summary["coverage"].update(coverage_pct=50))


@variant([6], ["it has 1 missing_op_types, and there are 0"])
def coverage_summary_misses_an_operator(d):
    d.json("verification/coverage_summary.json", lambda summary: summary["coverage"].update(missing_op_types=["gelu"]))


@variant([6], ["it says that gelu is missing, and it is covered"])
def coverage_summary_has_another_status(d):
    d.json("verification/coverage_summary.json", lambda summary: summary["coverage"]["op_details"][0].update(status="missing"))


@variant([6], ["it lists gelu twice"])
def coverage_summary_has_a_row_twice(d):
    d.json("verification/coverage_summary.json", lambda summary: summary["coverage"]["op_details"].append(summary["coverage"]["op_details"][0]))


@variant([6], ["it says decomposed_ops_count: 99, and there are 9"])
def coverage_summary_has_another_count(d):
    d.json("verification/coverage_summary.json", lambda summary: summary.update(decomposed_ops_count=99))


@variant([6], ["it has extraction_errors"])
def coverage_summary_tells_of_errors(d):
    d.json("verification/coverage_summary.json", lambda summary: summary.update(extraction_errors=["no trace"]))


@variant([6])
def coverage_summary_is_no_json(d):
    d.write("verification/coverage_summary.json", "{")


@variant([7], ["mlp"])
def declared_shape_is_wrong(d):
    d.tree(lambda tree: tree["nodes"][MLP]["output_shapes"].update(output=[2, 4, 9]))


@variant([7], ["gelu_fp32"])
def edge_is_false(d):
    d.tree(lambda tree: tree["data_flow"].append({"from": GELU, "to": "linear_8x4_fp32", "tensor_name": "x", "shape": [2, 4, 8], "dtype": "float32"}))


@variant([7], ["data_flow"])
def edge_between_the_roots_children_is_missing(d):
    d.tree(lambda tree: tree["data_flow"].pop(2))


@variant([8, 12], ["mlp"])
def a_step_is_missing(d):
    d.remove(STEP_3)


@variant([9])
def kernel_of_two_operations(d):
    d.edit(UP, "return self.linear(x)", "return nn.functional.gelu(self.linear(x))")
    d.replace(STEP_3 + "/refactored.py", "self.proj(self.act(self.fc(x)))", "self.proj(self.fc(x))")


def a_gelu_on_one_head(d, gelu, head):
    """The model calls its head twice, once with a gelu after it; refactored.py asks the head for that."""
    d.edit("tiny", "return self.head(x)", "return F.gelu(self.head(x)) + self.head(x)")
    d.edit(HEAD, "def forward(self, x):\n        return self.linear(x)", gelu)
    d.replace(STEP_1 + "/refactored.py", "return self.head(x)", head)


@variant([9], ["at head in the recomposed model it does linear, gelu"])
def kernel_does_more_when_it_is_given_more(d):
    a_gelu_on_one_head(
        d, "def forward(self, x, *rest):\n        x = self.linear(x)\n        for _ in rest:\n            x = nn.functional.gelu(x)\n        return x",
        "return self.head(x, 1) + self.head(x)")


@variant([9], ["at head in the recomposed model it does linear, gelu"])
def kernel_does_more_at_another_rank(d):
    a_gelu_on_one_head(
        d, "def forward(self, x):\n        x = self.linear(x)\n        for _ in range(x.dim() - 3):\n            x = nn.functional.gelu(x)\n        return x",
        "return self.head(x.unsqueeze(0))[0] + self.head(x)")


@variant([9], ["at head in the recomposed model it does linear, gelu"])
def kernel_does_more_when_its_parent_says_so(d):
    d.edit("tiny", "return self.head(x)", "return F.gelu(self.head(x))")
    d.edit(HEAD, "out_features)\n\n", "out_features)\n        self.extra = 0\n\n")
    d.edit(HEAD, "return self.linear(x)", "x = self.linear(x)\n        for _ in range(self.extra):\n            x = nn.functional.gelu(x)\n        return x")
    d.replace(STEP_1 + "/refactored.py", "Head(width, classes)", "Head(width, classes)\n        self.head.extra = 1")


@variant([9], ["at head in the recomposed model it does linear, gelu"])
def kernel_keeps_more_when_its_parent_says_so(d):
    """It makes the same calls everywhere; which of them an output needs is another matter."""
    d.edit("tiny", "return self.head(x)", "return F.gelu(self.head(x))")
    d.edit(HEAD, "out_features)\n\n", "out_features)\n        self.which = 0\n\n")
    d.edit(HEAD, "return self.linear(x)", "x = self.linear(x)\n        return (x, nn.functional.gelu(x))[self.which]")
    d.replace(STEP_1 + "/refactored.py", "Head(width, classes)", "Head(width, classes)\n        self.head.which = 1")


@variant([10], ["one operation"])
def fusion_of_one_operation(d):
    d.path("level_0_kernel/%s.py" % NORM).rename(d.path("level_1_fusion/%s.py" % NORM))
    d.tree(lambda tree: tree["nodes"][NORM].update(level="fusion", path="level_1_fusion/%s.py" % NORM))


@variant([11], ["linear_8x4"])
def kernel_name_lies_about_its_shape(d):
    d.rename(HEAD, "linear_8x5_fp32")


@variant([11], ["layer_norm"])
def kernel_name_lies_about_its_operation(d):
    d.rename(NORM, "rms_norm_8_fp32")


@variant([11], ["fp32"])
def kernel_name_lies_about_its_dtype(d):
    d.rename(GELU, "gelu_bf16")


@variant([11])
def kernel_name_has_a_number(d):
    d.rename(GELU, "gelu_fp32_2")


@variant([11])
def kernel_name_has_a_place(d):
    d.rename(HEAD, "linear_head")


@variant([13], ["block"])
def child_at_its_parents_level(d):
    d.path("level_1_fusion/mlp.py").rename(d.path("level_2_layer/mlp.py"))
    d.tree(lambda tree: tree["nodes"][MLP].update(level="layer", path="level_2_layer/mlp.py"))


@variant([13], ["residual"])
def fusion_with_a_residual(d):
    d.edit(MLP, "return self.proj(F.gelu(self.fc(x)))", "return x + self.proj(F.gelu(self.fc(x)))")
    d.edit(BLOCK, "return x + self.proj(F.gelu(self.fc(self.norm(x))))", "y = self.norm(x)\n        return y + self.proj(F.gelu(self.fc(y)))")
    d.replace(STEP_3 + "/refactored.py", "return self.proj", "return x + self.proj")
    d.replace(STEP_2 + "/refactored.py", "return x + self.mlp(self.norm(x))", "return self.mlp(self.norm(x))")
    d.edit("tiny", "return x + self.proj(F.gelu(self.fc(self.norm(x))))", "y = self.norm(x)\n        return y + self.proj(F.gelu(self.fc(y)))")


def in_step_3_and_mlp(d, old, new):
    """What the fusion is by itself, and rewritten."""
    d.edit(MLP, old, new)
    d.replace(STEP_3 + "/refactored.py", old, new)


def residual_inside_of_norm(d):
    """The block adds its residual behind the norm."""
    for stem in ("tiny", BLOCK):
        d.edit(stem, "return x + self.proj(F.gelu(self.fc(self.norm(x))))", "y = self.norm(x)\n        return y + self.proj(F.gelu(self.fc(y)))")


@variant([13], ["at blocks.0.mlp in the recomposed model add joins a value with what linear, gelu, linear computed from it"])
def fusion_has_a_residual_when_its_parent_says_so(d):
    residual_inside_of_norm(d)
    for name, call in ((MLP, "self.proj(F.gelu(self.fc(x)))"), (None, "self.proj(self.act(self.fc(x)))")):
        old, new = "return " + call, "y = %s\n        for _ in range(self.skip):\n            y = x + y\n        return y" % call
        d.edit(name, old, new) if name else d.replace(STEP_3 + "/refactored.py", old, new)
    in_step_3_and_mlp(d, "super().__init__()\n", "super().__init__()\n        self.skip = 0\n")
    d.replace(STEP_2 + "/refactored.py", "x + self.mlp(", "self.mlp(")
    d.replace(STEP_2 + "/refactored.py", "MLP(width, inner)\n", "MLP(width, inner)\n        self.mlp.skip = 1\n")


@variant([13], ["at blocks.0.mlp in the recomposed model add joins a value with what linear, gelu, linear computed from it"])
def fusion_is_given_one_value_twice(d):
    residual_inside_of_norm(d)
    in_step_3_and_mlp(d, "self, x)", "self, x, rest)")
    in_step_3_and_mlp(d, "return self.proj(", "return rest + self.proj(")
    in_step_3_and_mlp(d, "return [torch.randn(2, 4, 8)]", "return [torch.randn(2, 4, 8), torch.randn(2, 4, 8)]")
    d.replace(STEP_2 + "/refactored.py", "return x + self.mlp(self.norm(x))", "y = self.norm(x)\n        return self.mlp(y, y)")
    d.tree(lambda tree: (tree["nodes"][MLP]["input_shapes"].update(rest=[2, 4, 8]), tree["nodes"][MLP]["input_dtypes"].update(rest="float32")))


@variant([14], ["gelu_fp32"])
def file_without_a_node(d):
    d.tree(lambda tree: tree["nodes"].pop(GELU))


@variant([11], ["it does in other words what level_0_kernel/gelu_erf_fp32.py does"])
def one_workload_in_two_files(d):
    """A second gelu after the first, whose file has the argument's name alone for a difference."""
    d.edit("tiny", "F.gelu(", "F.gelu(F.gelu(")
    d.edit("tiny", "self.norm(x))))", "self.norm(x)))))")
    d.edit(BLOCK, "F.gelu(self.fc(self.norm(x))))", "F.gelu(F.gelu(self.fc(self.norm(x)))))")
    d.edit(MLP, "F.gelu(self.fc(x)))", "F.gelu(F.gelu(self.fc(x))))")
    text = d.read("level_0_kernel/gelu_fp32.py").replace("self, x)", "self, value)").replace("gelu(x)", "gelu(value)")
    for folder in ("level_0_kernel", STEP_3 + "/children"):
        d.write(folder + "/gelu_erf_fp32.py", text)
    refactored = STEP_3 + "/refactored.py"
    d.replace(refactored, "import Model as Gelu", "import Model as Gelu\nfrom gelu_erf_fp32 import Model as Erf")
    d.replace(refactored, "self.act = Gelu()", "self.act = Gelu()\n        self.second = Erf()")
    d.replace(refactored, "self.proj(self.act(", "self.proj(self.second(self.act(")
    d.replace(refactored, "self.fc(x)))", "self.fc(x))))")

    def change(tree):
        node = dict(tree["nodes"][GELU], id="gelu_erf_fp32", name="gelu_erf_fp32", path="level_0_kernel/gelu_erf_fp32.py")
        node.update(input_shapes={"value": [2, 4, 16]}, input_dtypes={"value": "float32"})
        tree["nodes"]["gelu_erf_fp32"] = node
        tree["nodes"][MLP]["children"].append("gelu_erf_fp32")
        tree["metadata"].update(total_components=9, unique_kernels=6)
        tree["metadata"]["by_level"].update(kernel=6)

    d.tree(change)


@variant([14], ["total_components"])
def counts_are_wrong(d):
    d.tree(lambda tree: tree["metadata"].update(total_components=9))


@variant([14], ["'tiny' lists 'gelu_fp32', which steps/step_1_tiny_to_layers imports and does not build"])
def a_listed_child_is_imported_and_not_built(d):
    shutil.copy(d.path("level_0_kernel/gelu_fp32.py"), d.path(STEP_1 + "/children/gelu_fp32.py"))
    d.replace(STEP_1 + "/refactored.py", "from block import", "from gelu_fp32 import Model as Unused\nfrom block import")
    d.tree(lambda tree: tree["nodes"]["tiny"]["children"].append(GELU))


@variant([14], ["instance"])
def instance_count_is_wrong(d):
    d.tree(lambda tree: tree["nodes"][GELU].update(instance_count=3))


@variant([15], ["decision"])
def log_without_a_decision(d):
    d.json("decomposition_log.json", lambda log: log["entries"][0].update(type="difficulty"))


@variant([15], ["entry 1 says nothing"])
def log_that_says_nothing(d):
    d.json("decomposition_log.json", lambda log: log["entries"][0].update(title=" ", description=""))


@variant([16], ["float16"])
def declared_dtype_is_wrong(d):
    d.tree(lambda tree: tree["nodes"][GELU]["input_dtypes"].update(x="float16"))


@variant([16])
def component_in_another_dtype(d):
    d.edit(GELU, "torch.randn(2, 4, 16)", "torch.randn(2, 4, 16, dtype=torch.float64)")


@variant([17], ["batch 1 here, 2 in the original"])
def reduced_batch(d):
    d.edit(GELU, "torch.randn(2, 4, 16)", "torch.randn(1, 4, 16)")
    d.edit(GELU, "return (2, 4, 16)", "return (1, 4, 16)")


@variant([17], ["gelu is given approximate='tanh' at blocks.0.mlp.act in the recomposed model, and 'none' with its own inputs"])
def kernel_has_another_constant_by_an_attribute(d):
    for stem in ("tiny", BLOCK, MLP):
        d.edit(stem, "F.gelu(", "F.gelu(approximate='tanh', input=")
    d.edit(GELU, "class Model(nn.Module):\n", "class Model(nn.Module):\n    how = 'none'\n\n")
    d.edit(GELU, "F.gelu(x)", "F.gelu(x, approximate=self.how)")
    d.replace(STEP_3 + "/refactored.py", "self.act = Gelu()", "self.act = Gelu()\n        self.act.how = 'tanh'")


@variant([17], ["and 0.01 with its own inputs"])
def kernel_is_given_another_number(d):
    for stem in ("tiny", BLOCK, MLP):
        d.edit(stem, "F.gelu(", "F.leaky_relu(negative_slope=0.2, input=")
    d.edit(GELU, "self, x)", "self, x, slope)")
    d.edit(GELU, "F.gelu(x)", "F.leaky_relu(x, negative_slope=slope)")
    d.edit(GELU, "torch.randn(2, 4, 16)", "torch.randn(2, 4, 16), 0.01")
    d.replace(STEP_3 + "/refactored.py", "self.act(self.fc(x))", "self.act(self.fc(x), 0.2)")


def block_is_given(d, argument, scale, own, given):
    """The block takes one more argument, by which it scales what it adds: `own` by itself, `given` in the model, where that is 2."""
    d.edit("tiny", "return x + self.proj", "return x + 2 * self.proj")
    for name in [BLOCK, None]:
        for old, new in (("self, x)", "self, x, %s)" % argument), ("return x + self.", "return x + %s * self." % scale),
                         ("return [torch.randn(2, 4, 8)]", "return [torch.randn(2, 4, 8), %s]" % own)):
            d.edit(name, old, new) if name else d.replace(STEP_2 + "/refactored.py", old, new)
    d.replace(STEP_1 + "/refactored.py", "x = block(x)", "x = block(x, %s)" % given)


@variant([17], ["scale is given 1 here, 2 in the original (at blocks.0)"])
def layer_is_given_another_number(d):
    block_is_given(d, "scale", "scale", "1.0", "2.0")


@variant([17], ["scale is given 1 here, 2 in the original (at blocks.0)"])
def layer_is_given_another_number_by_keyword(d):
    block_is_given(d, "scale=2.0", "scale", "1.0", "scale=2.0")


@variant([17], ["how is given 'once' here, 'twice' in the original (at blocks.0)"])
def layer_is_given_another_word(d):
    block_is_given(d, "how", "{'once': 1, 'twice': 2}[how]", "'once'", "'twice'")


def lists_mul(d):
    """The coverage summary with the products that scale the block."""
    row = {"op_type": "mul", "original_count": 2, "decomposed_count": 2, "status": "covered"}
    d.json("verification/coverage_summary.json", lambda summary: summary["coverage"]["op_details"].append(row))


@variant()
def layer_is_given_the_number_of_the_model(d):
    block_is_given(d, "scale", "scale", "2", "2")
    lists_mul(d)


@variant()
def layer_is_given_the_number_of_one_place(d):
    """Of two places the first gives 2."""
    block_is_given(d, "scale", "scale", "2", "2")
    lists_mul(d)
    d.edit("tiny", "        for block in self.blocks:\n            x = block(x)\n", "        for i in range(len(self.blocks)):\n            x = self.blocks[i](x, i + 2)\n")
    d.edit("tiny", "self, x):\n        return x + 2 *", "self, x, scale):\n        return x + scale *")
    d.replace(STEP_1 + "/refactored.py", "        for block in self.blocks:\n            x = block(x, 2)\n",
              "        for i in range(len(self.blocks)):\n            x = self.blocks[i](x, i + 2)\n")


def smaller_head(d, takes, builds, gives, calls):
    """A head of 2 classes by itself, of 4 in the model; `takes` is what its __init__ takes."""
    d.edit(HEAD, "self, in_features=8, out_features=4", "self, " + takes)
    d.edit(HEAD, "nn.Linear(in_features, out_features)", "nn.Linear(%s)" % builds)
    d.edit(HEAD, "return [8, 4]", "return " + gives)
    d.edit(HEAD, "return (2, 4, 4)", "return (2, 4, 2)")
    d.rename(HEAD, "linear_8x2_fp32")
    d.replace(STEP_1 + "/refactored.py", "Head(width, classes)", "Head(%s)" % calls)
    d.tree(lambda tree: tree["nodes"]["linear_8x2_fp32"].update(output_shapes={"output": [2, 4, 2]}))


@variant([17], ["sizes is tuple of 0 here, tuple of 2 in the original"])
def sizes_are_left_to_positions(d):
    smaller_head(d, "*sizes", "*(sizes or (8, 2))", "[]", "width, classes")


@variant([17], ["b is not given here, 4 in the original"])
def sizes_are_left_to_keywords(d):
    smaller_head(d, "**sizes", "8, sizes.get('b', 2)", "[]", "b=classes")


@variant([17], ["config['SimpleNamespace']['b'] is 2 here, 4 in the original"])
def sizes_are_attributes_of_an_object(d):
    smaller_head(d, "config", "config.a, config.b", "[SimpleNamespace(a=8, b=2)]", "SimpleNamespace(a=width, b=classes)")
    for name in ["level_0_kernel/linear_8x2_fp32.py", STEP_1 + "/children/linear_8x2_fp32.py", STEP_1 + "/refactored.py"]:
        d.replace(name, "import torch\n", "import torch\nfrom types import SimpleNamespace\n")


@variant([17], ["'list with the hash"])
def sizes_stand_in_a_long_list(d):
    smaller_head(d, "sizes", "sizes[0], sizes[1]", "[[8, 2] + [0] * 9000]", "[width, classes] + [0] * 9000")


@variant([3])
def fewer_layers_in_refactored(d):
    d.replace(STEP_1 + "/refactored.py", "return [8, 16, 4, 2]", "return [8, 16, 4, 1]")


# ---- Files and nodes ----

@variant()
def source_file_with_backslashes(d):
    d.tree(lambda tree: tree["metadata"].update(source_file="level_3_model\\tiny.py"))


@variant([14], ["not proved to be the root model"])
def root_component_is_not_the_root_model(d):
    d.write("tiny_model.py", d.read("level_3_model/tiny.py").replace("F.gelu(", "F.silu("))
    d.tree(lambda tree: tree["metadata"].update(source_file="tiny_model.py"))


@variant([17], ["depth=2 here, width=8, inner=16, classes=4, depth=3"])
def root_component_has_fewer_layers_than_the_root_model(d):
    d.write("tiny_model.py", d.read("level_3_model/tiny.py").replace("return [8, 16, 4, 2]", "return [8, 16, 4, 3]"))
    d.tree(lambda tree: tree["metadata"].update(source_file="tiny_model.py"))


@variant((), ["that it is the model you mean is not checked"])
def root_model_lies_in_the_folder(d):
    d.write("originals/tiny.py", d.read("level_3_model/tiny.py"))
    d.tree(lambda tree: tree["metadata"].update(source_file="originals/tiny.py"))


@variant([1], ["'os' belongs to path code"])
def root_component_is_not_trusted(d):
    d.write("tiny_model.py", d.read("level_3_model/tiny.py"))
    d.tree(lambda tree: tree["metadata"].update(source_file="tiny_model.py"))
    d.edit("tiny", "import torch\n", "import os\nimport torch\n")
    d.edit("tiny", "        return self.head(x)\n", "        os.getpid()\n        return self.head(x)\n")


@variant()
def original_with_another_docstring(d):
    d.replace(STEP_3 + "/original.py", '"""Linear, GELU, linear."""', '"""The MLP."""')


@variant()
def original_is_absent(d):
    d.remove(STEP_3 + "/original.py")


@variant([3], ["original.py"])
def original_is_another(d):
    d.replace(STEP_3 + "/original.py", "F.gelu(self.fc(x))", "F.silu(self.fc(x))")


@variant([3], ["gelu_fp32.py"])
def child_differs_from_its_component(d):
    d.replace(STEP_3 + "/children/gelu_fp32.py", "F.gelu(x)", "F.gelu(x, approximate='none')")


@variant([3], ["step_4"])
def two_steps_of_one_component(d):
    shutil.copytree(d.path(STEP_3), d.path("steps/step_4_mlp_to_kernels"))


def a_helper_that_differs(d, stem, right, wrong, how="F.gelu(x, approximate='tanh')"):
    """The component's activation is imported from a package beside it: the right one in steps, another where it lies."""
    d.edit(stem, "import torch.nn.functional as F", "import torch.nn.functional as F\nfrom inner import act")
    d.edit(stem, "F.gelu(", "act(")
    text = "import torch.nn.functional as F\n\n\ndef act(x):\n    return F.gelu(x)\n"
    for folder in right:
        d.write(folder + "/inner/__init__.py", text)
    d.write(wrong + "/inner/__init__.py", text.replace("F.gelu(x)", how))


@variant()
def helpers_are_the_same(d):
    a_helper_that_differs(d, GELU, [STEP_3 + "/children"], "level_0_kernel", "F.gelu(x)")
    a_helper_that_differs(d, BLOCK, [STEP_1 + "/children", STEP_2], "level_2_layer", "F.gelu(x)")


@variant([3], ["imports another act", "level_0_kernel/inner/__init__.py differ, first in line 5"])
def helper_of_a_kernel_differs(d):
    a_helper_that_differs(d, GELU, [STEP_3 + "/children"], "level_0_kernel")


@variant([3], ["imports another act"])
def helper_of_a_layer_differs(d):
    a_helper_that_differs(d, BLOCK, [STEP_1 + "/children", STEP_2], "level_2_layer")


@variant()
def notes_only_for_missing_optional_keys(d):
    def change(tree):
        del tree["metadata"]["unique_kernels"], tree["metadata"]["timestamp"]
        for node in tree["nodes"].values():
            del node["instance_count"]

    d.tree(change)


@variant([14], ["model_name"])
def metadata_key_is_missing(d):
    d.tree(lambda tree: tree["metadata"].pop("model_name"))


@variant([14])
def duplicate_keys(d):
    d.replace("decomposition_tree.json", '"nodes": {', '"nodes": {}, "nodes": {')


@variant([14], ["gelu"])
def id_differs_from_its_key(d):
    d.tree(lambda tree: tree["nodes"][GELU].update(id="gelu"))


@variant([14], ["relu_fp32"])
def unused_component(d):
    d.write("level_0_kernel/relu_fp32.py", d.read("level_0_kernel/gelu_fp32.py").replace("F.gelu", "F.relu"))

    def change(tree):
        tree["nodes"]["relu_fp32"] = dict(tree["nodes"][GELU], id="relu_fp32", name="relu_fp32", path="level_0_kernel/relu_fp32.py")
        tree["metadata"].update(total_components=9, unique_kernels=6)
        tree["metadata"]["by_level"].update(kernel=6)
        del tree["nodes"]["relu_fp32"]["instance_count"]

    d.tree(change)


@variant()
def a_layer_has_the_name_output(d):
    """As in BERT: an edge to or from `output` may mean it."""
    for path in list(d.root.rglob("block.py")):
        path.rename(path.with_name("output.py"))
    d.replace(STEP_1 + "/refactored.py", "from block import", "from output import")
    d.path(STEP_2).rename(d.path("steps/step_2_output_to_fusions"))
    d.write("decomposition_tree.json", d.read("decomposition_tree.json").replace('"block"', '"output"').replace("/block.py", "/output.py"))


@variant()
def hidden_and_other_files_are_ignored(d):
    for name in ("level_0_kernel/.hidden.py", "level_0_kernel/notes.txt", "level_0_kernel/__pycache__/x.pyc", "steps/notes/readme.md"):
        d.write(name, "nothing")


@variant()
def a_link_inside(d):
    d.remove(STEP_3 + "/children/gelu_fp32.py")
    os.symlink("../../../level_0_kernel/gelu_fp32.py", d.path(STEP_3 + "/children/gelu_fp32.py"))


@variant([4], ["leaves"])
def a_link_that_leaves(d):
    d.remove("level_0_kernel/gelu_fp32.py")
    os.symlink(TINY / "level_0_kernel" / "gelu_fp32.py", d.path("level_0_kernel/gelu_fp32.py"))


@variant([13], ["baddbmm joins", "residual"])
def fusion_with_a_residual_in_a_product(d):
    fusion_with_a_residual(d)
    d.edit(MLP, "return x + self.proj(F.gelu(self.fc(x)))",
           "h = F.gelu(self.fc(x))\n        return torch.baddbmm(x + self.proj.bias, h, self.proj.weight.t().expand(h.shape[0], -1, -1))")


def hide_residual(d, function):
    """The fusion has its residual until `function` of its file is called."""
    fusion_with_a_residual(d)
    d.edit(MLP, "class Model", "SEEN = []\n\n\nclass Model")
    d.edit(MLP, "return x + self.proj(F.gelu(self.fc(x)))", "y = self.proj(F.gelu(self.fc(x)))\n        return y if SEEN else x + y")
    d.edit(MLP, "def %s():\n" % function, "def %s():\n    SEEN.append(1)\n" % function)


@variant([13], ["residual"])
def residual_until_inputs_are_made(d):
    hide_residual(d, "get_inputs")


@variant([3])
def residual_until_init_inputs_are_made(d):
    hide_residual(d, "get_init_inputs")


def root_with_a_helper(d, activation):
    """The root model and level_3_model have the same text; each imports its block from beside itself."""
    text = d.read("level_3_model/tiny.py")
    head, rest = text.split("class Block")
    block, model = rest.split("class Model")
    helper = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\nclass Block" + block.rstrip() + "\n"
    text = head.rstrip() + "\nfrom blockpart import Block\n\n\nclass Model" + model
    for name in ("original/tiny.py", "level_3_model/tiny.py", STEP_1 + "/original.py"):
        d.write(name, text)
    d.write("original/blockpart/__init__.py", helper)
    d.write(STEP_1 + "/blockpart/__init__.py", helper)
    d.write("level_3_model/blockpart/__init__.py", helper.replace("F.gelu(", "F.%s(" % activation))
    d.tree(lambda tree: tree["metadata"].update(source_file="original/tiny.py"))


@variant()
def root_imports_a_helper(d):
    root_with_a_helper(d, "gelu")


@variant([14], ["it is not proved to be the root model"])
def root_imports_another_helper(d):
    root_with_a_helper(d, "relu")


@variant([6], ["leaves"])
def a_summary_that_is_a_link_that_leaves(d):
    d.remove("verification/coverage_summary.json")
    os.symlink(TINY / "verification" / "coverage_summary.json", d.path("verification/coverage_summary.json"))


@variant([11, 14], ["level_0_kernel/re\\x0aPASS  17\\xff.py"])
def a_name_with_a_line_in_it(d):
    shutil.copy(d.path("level_0_kernel/gelu_fp32.py"), os.fsencode(d.path("level_0_kernel")) + b"/re\nPASS  17\xff.py")


@variant([13])
def a_cycle(d):
    d.tree(lambda tree: tree["nodes"][MLP]["children"].append(BLOCK))


# ---- Recomposition and what the folder says of itself ----

@variant([3], ["it can't be judged: steps/step_3_mlp_to_kernels/weight_map.json:1:45: not valid JSON: duplicate object key"])
def a_map_with_a_key_twice(d):
    d.write(STEP_3 + "/weight_map.json", '{"fc.weight": "fc.linear.weight", "fc.weight": "fc.linear.weight"}')


@variant([3])
def a_wrong_map(d):
    d.write(STEP_1 + "/weight_map.json", json.dumps({"blocks.0.fc.weight": "blocks.1.fc.weight", "blocks.1.fc.weight": "blocks.0.fc.weight"}))


@variant()
def refactored_without_init_inputs(d):
    text = d.read(STEP_3 + "/refactored.py")
    d.write(STEP_3 + "/refactored.py", text[:text.index("\n\ndef get_init_inputs")])


@variant((), ["it says FAIL"])
def an_old_result_contradicts(d):
    d.write(STEP_3 + "/verification_result.json", json.dumps({"status": "FAIL"}))


@variant([4])
def a_syntax_error(d):
    d.edit(GELU, "return F.gelu(x)", "return F.gelu(x")


@variant([15])
def no_log(d):
    d.remove("decomposition_log.json")


@variant([14])
def no_tree(d):
    d.remove("decomposition_tree.json")


@variant([1, 3])
def no_steps(d):
    d.remove("steps")


# ---- Making and judging ----

def chosen():
    """All; or, with SHARE=K/N in the environment, the Kth of every N."""
    which, of = os.environ.get("SHARE", "1/1").split("/")
    return VARIANTS[int(which) - 1 :: int(of)]


def make(folder):
    for name, change, _, _ in chosen():
        root = Path(folder) / name
        shutil.copytree(TINY, root)
        change(Folder(root))


def problems(result, fails, says):
    found = []
    status = result.get("status")
    failing = {number for number, line in enumerate(result.get("checklist", []), 1) if not line["holds"]}
    messages = "\n".join("%s: %s; %s" % (finding["file"], finding["message"], finding["instead"]) for finding in result.get("findings", []))
    evidence = "\n".join(str(line["evidence"]) for line in result.get("checklist", []))
    if (status == "PASS") != (not fails):
        found.append("the verdict is %s" % status)
    for number in fails:
        if number not in failing:
            found.append("line %d holds" % number)
    if not fails and failing:
        found.append("lines %s do not hold" % sorted(failing))
    for text in says:
        if text not in messages and text not in evidence:
            found.append("nothing says %r" % text)
    return found


def judge(folder, results):
    by_name = {}
    for row in json.loads(Path(results).read_text())["decompositions"]:
        by_name[Path(row["folder"]).name] = row.get("result") or row
    passed = failed = 0
    for name, _, fails, says in chosen():
        found = problems(by_name.get(name, {}), fails, says)
        passed, failed = passed + (not found), failed + bool(found)
        print("%s %s%s" % ("FAILED " if found else "ok     ", name.replace("_", " "), ": " + "; ".join(found) if found else ""))
        if found:
            for line in by_name.get(name, {}).get("checklist", []):
                print("        %s %s" % ("+" if line["holds"] else "-", line["evidence"]))
    left_out = len(VARIANTS) - len(chosen())
    if left_out > 0:
        print("skipped %d variants: SHARE is %s" % (left_out, os.environ["SHARE"]))
    print("%d passed, %d failed, %d skipped" % (passed, failed, left_out))
    return failed != 0


if __name__ == "__main__":
    sys.exit(make(sys.argv[2]) if sys.argv[1] == "make" else judge(sys.argv[2], sys.argv[3]))
