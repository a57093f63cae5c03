"""Components and what `plumbline component` says of them. Standard library only.

cases.py write FOLDER TORCH_VERSION RIGOR   writes the files of one rigor and prints their names
cases.py judge RESULT.json RIGOR            "ok", "FAILED" lines"""

import json
import os
import sys
import textwrap

CASES = []
HEAD = "import math\n\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"
TEST = '\n\ndef run_tests():\n    model = Model(*get_init_inputs()).eval()\n    with torch.no_grad():\n        model(*get_inputs())\n    return True\n\n\n' \
       'if __name__ == "__main__":\n    print("PASS" if run_tests() else "FAIL")\n'
FOLDERS = {"kernel": "level_0_kernel", "fusion": "level_1_fusion", "layer": "level_2_layer", "model": "level_3_model"}


def case(level, name, expected, forward, init="", inputs="torch.randn(2, 8, 16)", says="", arguments="x", extra="", test=TEST,
         rigor="fast", since=(1, 13), before="", signature="", init_inputs="[]"):
    """`expected`: PASS or the id of a rule that is broken; `says`: what its message holds."""
    body = "class Model(nn.Module):\n    def __init__(self%s):\n        super().__init__()\n%s\n    def forward(self, %s):\n%s\n" % (
        signature, textwrap.indent(textwrap.dedent(init).strip(), " " * 8) + ("\n" if init else ""), arguments,
        textwrap.indent(textwrap.dedent(forward).strip(), " " * 8))
    source = HEAD + (textwrap.dedent(before).strip() + "\n\n\n" if before else "") + body + \
        "\n\ndef get_inputs():\n    return [%s]\n\n\ndef get_init_inputs():\n    return %s\n" % (inputs, init_inputs) + extra + test
    CASES.append(dict(file="%s/%s.py" % (FOLDERS[level], name), source=source, expected=expected, says=says, rigor=rigor,
                      since=since))


def kernel(name, expected, forward, init="", **rest):
    case("kernel", name, expected, forward, init, **rest)


def fusion(name, expected, forward, init="", **rest):
    case("fusion", name, expected, forward, init, **rest)


# ---- Kernels: torch's own -----------------------------------------------------------------------------------------------
kernel("linear_16x32_fp32", "PASS", "return self.fc(x)", "self.fc = nn.Linear(16, 32)")
kernel("conv2d_3x8_k3s2p1_fp32", "PASS", "return self.conv(x)", "self.conv = nn.Conv2d(3, 8, 3, 2, 1)", inputs="torch.randn(1, 3, 8, 8)")
kernel("conv2d_8x8_k3p1g8_fp32", "PASS", "return self.conv(x)", "self.conv = nn.Conv2d(8, 8, 3, 1, 1, groups=8)",
       inputs="torch.randn(1, 8, 8, 8)")
kernel("conv1d_4x8_k3p2d2_fp32", "PASS", "return self.conv(x)", "self.conv = nn.Conv1d(4, 8, 3, padding=2, dilation=2)",
       inputs="torch.randn(1, 4, 8)")
kernel("conv_transpose2d_4x2_k2s2_fp32", "PASS", "return self.conv(x)", "self.conv = nn.ConvTranspose2d(4, 2, 2, 2)",
       inputs="torch.randn(1, 4, 4, 4)")
kernel("embedding_10x16_i64_fp32", "PASS", "return self.table(x)", "self.table = nn.Embedding(10, 16)",
       inputs="torch.randint(0, 10, (2, 8))")
kernel("layer_norm_16_fp32", "PASS", "return self.norm(x)", "self.norm = nn.LayerNorm(16)")
kernel("batch_norm_4_fp32", "PASS", "return self.norm(x)", "self.norm = nn.BatchNorm2d(4)", inputs="torch.randn(2, 4, 3, 3)")
kernel("max_pool2d_k2s2_fp32", "PASS", "return self.pool(x)", "self.pool = nn.MaxPool2d(2)", inputs="torch.randn(1, 2, 4, 4)")
kernel("lstm_16x8_fp32", "PASS", "return self.lstm(x)[0]", "self.lstm = nn.LSTM(16, 8, batch_first=True)")
kernel("gru_16x8_fp32", "PASS", "return self.gru(x)[0]", "self.gru = nn.GRU(16, 8, batch_first=True)")
kernel("relu_fp32", "PASS", "return self.act(x)", "self.act = nn.ReLU(inplace=True)")
kernel("add_fp32", "PASS", "return x + y", arguments="x, y", inputs="torch.randn(2, 4), torch.randn(2, 4)")
kernel("matmul_2x3x4_2x4x5_fp32", "PASS", "return x @ y", arguments="x, y", inputs="torch.randn(2, 3, 4), torch.randn(2, 4, 5)")
kernel("attention_fp32", "PASS", "return F.scaled_dot_product_attention(q, k, v)", arguments="q, k, v",
       inputs="torch.randn(1, 2, 4, 8), torch.randn(1, 2, 4, 8), torch.randn(1, 2, 4, 8)", since=(2, 0))
kernel("softmax_fp32", "PASS", "return torch.softmax(x.masked_fill(torch.tril(torch.ones(8, 8)) == 0, float('-inf')), -1)",
       inputs="torch.randn(2, 8, 8)")
kernel("dropout_softmax_fp32", "name.operation", "return self.drop(torch.softmax(x, -1))", "self.drop = nn.Dropout(0.1)",
       says="it is softmax")

# ---- Kernels: in primitives -----------------------------------------------------------------------------------------------
kernel("rms_norm_16_fp32", "PASS", "return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))",
       "self.weight = nn.Parameter(torch.ones(16))")
kernel("rms_norm_16_bf16", "PASS",
       "y = x.float()\ny = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)\nreturn self.weight * y.to(x.dtype)",
       "self.weight = nn.Parameter(torch.ones(16, dtype=torch.bfloat16))", inputs="torch.randn(2, 8, 16, dtype=torch.bfloat16)")
kernel("gelu_fp32", "PASS", "return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))")
kernel("quick_gelu_fp32", "PASS", "return x * torch.sigmoid(1.702 * x)")
kernel("silu_fp32", "PASS", "return x * torch.sigmoid(x)")
kernel("layer_norm_16_bf16", "name.dtype",
       "c = x - x.mean(-1, keepdim=True)\nreturn c / torch.sqrt((x - x.mean(-1, keepdim=True)).pow(2).mean(-1, keepdim=True) + 1e-5) * self.w + self.b",
       "self.w = nn.Parameter(torch.ones(16))\nself.b = nn.Parameter(torch.zeros(16))", says="runs in fp32")
ROTATE = "def rotate_half(x):\n    a, b = x.chunk(2, dim=-1)\n    return torch.cat((-b, a), dim=-1)"
kernel("rope_fp32", "PASS", "return x * cos + rotate_half(x) * sin", arguments="x, cos, sin", before=ROTATE,
       inputs="torch.randn(1, 2, 8, 16), torch.randn(8, 16), torch.randn(8, 16)")
kernel("rotary_embedding_16_fp32", "PASS", """
       frequencies = torch.outer(torch.arange(8).float(), 1.0 / (10000 ** (torch.arange(0, 16, 2).float() / 16)))
       cos, sin = frequencies.cos(), frequencies.sin()
       a, b = x[..., ::2], x[..., 1::2]
       return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
       """, inputs="torch.randn(1, 2, 8, 16)")

# ---- Kernels that compute nothing in eval mode ---------------------------------------------------------------------------
kernel("dropout_fp32", "PASS", "return self.drop(x)", "self.drop = nn.Dropout(0.1)")
kernel("cat_1x1x16_fp32", "PASS", "return torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)", "self.token = nn.Parameter(torch.zeros(1, 1, 16))")

# ---- Kernels that are none -------------------------------------------------------------------------------------------------
kernel("silu_of_data_fp32", "level.kernel", "return torch.tensor([[v * 2 for v in row] for row in x.tolist()])", inputs="torch.randn(2, 4)",
       says="reads data into Python")
kernel("linear_16x16_fp32", "level.kernel", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 16)",
       says="this is 2: linear (linear_16x16_fp32.py:")
kernel("mul_fp32", "level.kernel", "return x * 2 + 1", says="this is 2: mul")
kernel("sdpa_fp32", "level.kernel", "return torch.softmax(q @ k.transpose(-2, -1) / 4, -1) @ v", arguments="q, k, v",
       inputs="torch.randn(1, 2, 4, 16), torch.randn(1, 2, 4, 16), torch.randn(1, 2, 4, 16)", says="softmax")
kernel("multi_head_attention_16_fp32", "level.kernel", "return self.mha(x, x, x)[0]",
       "self.mha = nn.MultiheadAttention(16, 2, batch_first=True)", says="several operations")

kernel("linear_8x8_fp32", "level.kernel", "y = self.fc(x)\nreturn torch.where(y > 0, y, torch.zeros_like(y))", "self.fc = nn.Linear(8, 8)",
       inputs="torch.randn(2, 8)", says="this is 2: linear")
kernel("masked_softmax_fp32", "name.operation", "return torch.softmax(x.masked_fill(m[:, None] == 0, -1e9), -1)", arguments="x, m",
       inputs="torch.randn(2, 4, 4), torch.ones(2, 4)", says="it is softmax")

# ---- Names -------------------------------------------------------------------------------------------------------------------
kernel("gelu_16_fp32", "name.operation", "return torch.relu(x)", says="the name says gelu, and it is relu")
kernel("linear_32x16_fp32", "name.shape", "return self.fc(x)", "self.fc = nn.Linear(16, 32)",
       says="the name says 32x16, and its dimensions are 16x32")
kernel("linear_fp32", "name.shape", "return self.fc(x)", "self.fc = nn.Linear(16, 32)", says="no dimensions")
kernel("conv2d_3x8_k3_fp32", "name.shape", "return self.conv(x)", "self.conv = nn.Conv2d(3, 8, 3, 1, 1)",
       inputs="torch.randn(1, 3, 8, 8)", says="3x8_k3p1")
kernel("linear_16x8_bf16", "name.dtype", "return self.fc(x)", "self.fc = nn.Linear(16, 8)", says="rename it linear_16x8_fp32")
kernel("embedding_12x16_fp32", "name.dtype", "return self.table(x)", "self.table = nn.Embedding(12, 16)",
       inputs="torch.randint(0, 10, (2, 8))", says="i64")
kernel("max_pool2d_k3_fp32", "name.shape", "return self.pool(x)", "self.pool = nn.MaxPool2d(2)", inputs="torch.randn(1, 2, 4, 4)",
       says="kernel_size is 2")
kernel("tanh_77_fp32", "name.shape", "return torch.tanh(x)", says="77")
kernel("matmul_2x3x4_2x4x6_fp32", "name.shape", "return x @ y", arguments="x, y",
       inputs="torch.randn(2, 3, 4), torch.randn(2, 4, 5)", says="2x4x5")

kernel("leaky_relu_slope02_fp32", "PASS", "return F.leaky_relu(x, 0.2)")
kernel("leaky_relu_slope0p2_fp32", "PASS", "return F.leaky_relu(x, negative_slope=0.2)")
kernel("leaky_relu_slope03_fp32", "name.shape", "return F.leaky_relu(x, 0.2)", says="the name says slope03, and its negative_slope is 0.2")
kernel("softmax_dim2_fp32", "PASS", "return torch.softmax(x, -1)")
kernel("softmax_dim1_fp32", "name.shape", "return F.softmax(x, dim=2)", says="the name says dim1, and its dim is 2")
kernel("layer_norm_16_eps1e6_fp32", "PASS", "return self.norm(x)", "self.norm = nn.LayerNorm(16, eps=1e-6)")
kernel("layer_norm_16_eps1e5_fp32", "name.shape", "return self.norm(x)", "self.norm = nn.LayerNorm(16, eps=1e-6)", says="its eps is 1e-06")
kernel("linear_16x4_nobias_fp32", "PASS", "return self.fc(x)", "self.fc = nn.Linear(16, 4, bias=False)")
kernel("linear_16x2_nobias_fp32", "name.shape", "return self.fc(x)", "self.fc = nn.Linear(16, 2)", says="it has a bias")
kernel("linear_16x2_bias_fp32", "name.shape", "return self.fc(x)", "self.fc = nn.Linear(16, 2, bias=False)", says="it has none")
kernel("gelu_tanh_fp32", "PASS", "return F.gelu(x, approximate='tanh')")
kernel("gelu_tanh_bf16", "name.shape", "return F.gelu(x)", inputs="torch.randn(2, 8, dtype=torch.bfloat16)", says="approximate='none'")
kernel("gelu_erf_fp32", "name.shape", "return F.gelu(x, approximate='tanh')", says="approximate='tanh'")
kernel("linear_16x8_fp32_fp32", "name.dtype", "return self.fc(x)", "self.fc = nn.Linear(16, 8)", says="the name says fp32 twice")

# ---- Fusions ---------------------------------------------------------------------------------------------------------------
fusion("conv_bn_relu", "PASS", "return self.act(self.norm(self.conv(x)))",
       "self.conv = nn.Conv2d(3, 8, 3)\nself.norm = nn.BatchNorm2d(8)\nself.act = nn.ReLU(inplace=True)",
       inputs="torch.randn(1, 3, 8, 8)")
fusion("swiglu", "PASS", "return self.down(F.silu(self.gate(x)) * self.up(x))",
       "self.gate = nn.Linear(16, 32)\nself.up = nn.Linear(16, 32)\nself.down = nn.Linear(32, 16)")
fusion("attention", "PASS", """
       q, k, v = self.qkv(x).chunk(3, -1)
       return self.out(torch.softmax(q @ k.transpose(-2, -1) / 4, -1) @ v)
       """, "self.qkv = nn.Linear(16, 48)\nself.out = nn.Linear(16, 16)")
fusion("rope_attention", "PASS", """
       q, k, v = self.qkv(x).chunk(3, -1)
       q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
       return torch.softmax(q @ k.transpose(-2, -1) * 0.25, -1) @ v
       """, "self.qkv = nn.Linear(16, 48)", arguments="x, cos, sin", before=ROTATE,
       inputs="torch.randn(1, 8, 16), torch.randn(8, 16), torch.randn(8, 16)")
fusion("add_norm", "PASS", "return self.norm(x + y)", "self.norm = nn.LayerNorm(16)", arguments="x, y",
       inputs="torch.randn(2, 16), torch.randn(2, 16)")
fusion("residual", "level.fusion", "return x + self.fc(self.norm(x))", "self.norm = nn.LayerNorm(16)\nself.fc = nn.Linear(16, 16)",
       says="add joins x with what layer_norm, linear computed from it")
fusion("residual_in_place", "level.fusion", "y = self.fc(x)\ny += x\nreturn y", "self.fc = nn.Linear(16, 16)", says="add joins x")
fusion("residual_scaled", "level.fusion", "h = self.a(x)\nreturn h * 0.5 + self.b(h)",
       "self.a = nn.Linear(16, 16)\nself.b = nn.Linear(16, 16)", says="what linear computed from it")
fusion("dense_block", "level.fusion", "return torch.cat((x, torch.relu(self.fc(x))), -1)", "self.fc = nn.Linear(16, 16)",
       says="cat joins x")
fusion("norm_by_hand", "PASS",
       "c = x - x.mean((-2, -1), keepdim=True)\nreturn self.fc(c / torch.sqrt(c.pow(2).mean((-2, -1), keepdim=True) + 1e-5))",
       "self.fc = nn.Linear(16, 16)")
fusion("rms_norm_alone", "level.misclassified", "return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))",
       "self.weight = nn.Parameter(torch.ones(16))", says="misclassified: it is one operation, rms_norm")
fusion("attention_of_torch", "PASS", "return self.attention(x, x, x, need_weights=False)[0]",
       "self.attention = nn.MultiheadAttention(16, 2, batch_first=True)")
fusion("rope_alone", "level.misclassified", "return x * cos + rotate_half(x) * sin", arguments="x, cos, sin", before=ROTATE,
       inputs="torch.randn(1, 2, 8, 16), torch.randn(8, 16), torch.randn(8, 16)", says="one operation, rope")
case("layer", "only_linear", "level.misclassified", "return self.fc(x)", "self.fc = nn.Linear(16, 16)", says="one operation, linear")
case("layer", "residual_block", "PASS", "return x + self.fc(self.norm(x))", "self.norm = nn.LayerNorm(16)\nself.fc = nn.Linear(16, 16)")
case("model", "only_relu", "level.misclassified", "return torch.relu(x)", says="one operation, relu")

# ---- What a run shows --------------------------------------------------------------------------------------------------------
fusion("random_draw", "component.random", "return self.fc(x) + torch.randn(16)", "self.fc = nn.Linear(16, 16)", rigor="standard")
fusion("random_fast", "component.random", "return self.fc(x) + torch.rand_like(x)", "self.fc = nn.Linear(16, 16)")
fusion("dropout_in_eval", "PASS", "return self.drop(torch.relu(self.fc(x)))", "self.fc = nn.Linear(16, 16)\nself.drop = nn.Dropout(0.5)",
       rigor="standard")
fusion("dropout_always", "component.random", "return F.dropout(torch.relu(self.fc(x)), 0.5, True)", "self.fc = nn.Linear(16, 16)",
       rigor="standard")
fusion("nan", "component.nan", "return torch.log(-torch.abs(self.fc(x)) - 1)", "self.fc = nn.Linear(16, 16)", rigor="standard")
fusion("nan_given", "PASS", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 16)",
       inputs="torch.full((2, 16), float('nan'))", rigor="standard")
fusion("raises", "component.raised", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(17, 16)", test=TEST.replace("model(*get_inputs())", "pass"))
fusion("too_few_inputs", "component.raised", "return torch.relu(self.fc(x) + y)", "self.fc = nn.Linear(16, 16)", arguments="x, y",
       test=TEST.replace("model(*get_inputs())", "pass"), says="y")
fusion("not_built", "component.inputs", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, n)", signature=", n",
       test=TEST.replace("Model(*get_init_inputs()).eval()", "Model(16)"), says="init arguments")
fusion("expected_shape", "PASS", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 4)",
       extra="\n\ndef get_expected_output_shape():\n    return [(2, 8, 4)]\n")
fusion("wrong_shape", "component.shape", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 4)",
       extra="\n\ndef get_expected_output_shape():\n    return (2, 8, 5)\n", says="torch.float32 [2, 8, 4], and get_expected_output_shape() says [2, 8, 5]")
fusion("shapes_by_name", "component.shape", "y = torch.relu(self.fc(x))\nreturn {'a': y, 'b': y.sum(-1)}", "self.fc = nn.Linear(16, 4)",
       extra="\n\ndef get_expected_output_shape():\n    return {'a': (2, 8, 4), 'b': (2, 9)}\n", says='out["b"]')
fusion("other_inputs_each_time", "component.inputs", "return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 4)",
       inputs="torch.randn(2 + int(torch.randint(0, 100, (1,))), 16)", rigor="standard", says="when it is called again")
fusion("reads_data", "PASS", "return torch.relu(self.fc(x)) if x.sum() > -1e9 else x", "self.fc = nn.Linear(16, 16)", rigor="standard")

# ---- Its own test ------------------------------------------------------------------------------------------------------------
RELU = ("return torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 16)")
MAIN = '\n\nif __name__ == "__main__":\n    '
fusion("test_fails", "component.self-test", *RELU, test=MAIN + 'print("FAIL")\n', says="FAIL")
fusion("test_exits_1", "component.self-test", *RELU, test=MAIN + 'print("PASS")\n    raise SystemExit(1)\n', says="status 1")
fusion("test_says_nothing", "component.self-test", *RELU, test="", says="printed nothing, and should print PASS; end the file with an `if __name__ == \"__main__\":`")
fusion("hangs", "component.", "while True:\n    pass\nreturn x", says="did not end within", test=MAIN + 'print("PASS")\n')
fusion("test_says_passed", "component.self-test", *RELU, test=MAIN + 'print("PASSED")\n', says="did not print PASS")
for name, said, what in (("none_of_one", "0 of 1 PASS", "said: 0 of 1 PASS"), ("two_of_three", "tests: 2/3 PASS", "2/3"), ("one_fails", "3 PASS, 1 FAIL", "1 FAIL"),
                         ("a_count_of_failed", "PASS: 3, FAILED: 1", "FAILED: 1"), ("a_line_ends_in_fail", "output 0: PASS\\noutput 1: FAIL", "said: output 1: FAIL"),
                         ("fewer_words", "[1/2] PASS\\n1 of 2 tests PASS", "1 of 2 tests")):
    fusion("test_says_" + name, "component.self-test", *RELU, test=MAIN + 'print("%s")\n' % said, says=what)
for name, said in (("all_of_all", "3 of 3 PASS"), ("counts_up", "[1/2] shapes PASS\\n[2/2] values PASS"), ("no_fail", "PASS: 3, FAIL: 0, 0 FAIL"), ("small", "max diff 0 of 1e-5 PASS"),
                   ("control", "a wrong one would FAIL here: PASS"), ("which", "PASS\\nthis prints PASS or FAIL")):
    fusion("test_says_" + name, "PASS", *RELU, test=MAIN + 'print("%s")\n' % said)
# What makes the inputs in the same cell leaves nothing behind, and is asked again where it could not be asked there.
fusion("test_alone", "PASS", *RELU, test=MAIN + 'import sys\n    assert not [name for name in sys.modules if name.startswith("component_")]\n    print("PASS")\n')
fusion("test_draws", "PASS", *RELU, test=MAIN + 'state = torch.initial_seed(), float(torch.rand(1))\n    torch.manual_seed(state[0])\n'
       '    print("PASS" if float(torch.rand(1)) == state[1] else "FAIL")\n')
fusion("inputs_print", "PASS", *RELU, inputs="(print('FAIL, or not'), torch.randn(2, 8, 16))[1]", test=MAIN + 'print("PASS")\n')
fusion("inputs_are_many", "PASS", "return F.relu(self.table(x)) * 2.0", "self.table = nn.Embedding(10, 4)",
       inputs="torch.randint(0, 10, (2, 100000))", test=MAIN + 'print("PASS")\n')
fusion("test_hangs", "component.self-test", *RELU, test=MAIN + 'while True:\n        pass\n')
fusion("test_floods", "component.self-test", *RELU, test=MAIN + 'for _ in range(100000):\n        print("PASS " * 20)\n', says="")
fusion("test_raises", "component.self-test", *RELU, test=MAIN + 'assert get_inputs() is None, "they differ"\n', says="they differ")

# ---- The language ---------------------------------------------------------------------------------------------------------
# Its test, to which the language doesn't apply, runs after it was recorded in the same process: it can't change what was told.
FORGES = """

def run_tests():
    import fcntl
    import os

    told = 0
    for descriptor in range(3, 256):
        try:
            content = os.pread(descriptor, 1 << 20, 0)
            told += b"relu" in content
            os.pwrite(descriptor, content.replace(b"relu", b"tanh"), 0)
        except OSError:
            pass
    assert told > 0, "the recording is not here"
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
"""
kernel("tanh_fp32", "name.operation", "return torch.relu(x)", test=FORGES, says="it is relu")
fusion("imports_os", "py.", "os.system('true')\nreturn torch.relu(self.fc(x))", "self.fc = nn.Linear(16, 16)", before="import os")
fusion("reads_a_file", "py.", "return torch.relu(self.fc(x)) + len(open('/etc/hostname').read())", "self.fc = nn.Linear(16, 16)")
fusion("syntax_error", "file.syntax", "return torch.relu(self.fc(x)", "self.fc = nn.Linear(16, 16)")


def write(folder, version, rigor):
    version = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
    for row in CASES:
        if row["rigor"] != rigor or row["since"] > version:
            continue
        path = os.path.join(folder, row["file"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(row["source"])
        print(row["file"])


def judge(result, rigor):
    with open(result) as file:
        found = {row["file"]: row for row in json.load(file)["components"]}
    for row in CASES:
        got = found.get(row["file"])
        if got is None or row["rigor"] != rigor:
            continue
        broken = [finding for finding in got["findings"] if finding["severity"] == "violation"]
        if row["expected"] == "PASS":
            good = got["status"] == "PASS"
        else:
            good = got["status"] == "FAIL" and any(
                finding["id"].startswith(row["expected"]) and row["says"] in "%s; %s" % (finding["message"], finding["instead"])
                for finding in broken) and len({finding["id"].split(".")[0] for finding in broken}) == 1
        print("%s %s" % ("ok     " if good else "FAILED ", row["file"]))
        if not good:
            print("    expected %s %r; got %s %s" % (row["expected"], row["says"], got["status"], got["error"] or ""))
            for finding in got["findings"]:
                print("    %s %s:%s %s" % (finding["id"], finding["file"], finding["line"], finding["message"]))


if __name__ == "__main__":
    {"write": write, "judge": judge}[sys.argv[1]](*sys.argv[2:])
