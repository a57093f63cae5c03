"""How each operator of models.py is written in a file: the source of steps. The first text that a spelling has is what a
person would write; all of one operator are the same computation.

Fields of a text: x, y, z are the operands; the attributes of the node and its parameters go by their names; `last` and
`rows` are the sizes of the last dimension and of the one that a sequence runs along."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from models import HELPERS, Node

Shape = Tuple[int, ...]

EXPRESSIONS: Dict[str, Sequence[str]] = {
    "identity": ["{x}"],
    "linear": ["F.linear({x}, {weight}, {bias})", "F.linear({x}, weight={weight}, bias={bias})"],
    "embedding": ["F.embedding({x}, {weight})", "F.embedding(input={x}, weight={weight})"],
    "layer_norm": ["F.layer_norm({x}, ({last},), {weight}, {bias}, {eps})",
                   "F.layer_norm({x}, [{x}.size(-1)], weight={weight}, bias={bias}, eps={eps})",
                   "torch.layer_norm({x}, {x}.shape[-1:], {weight}, {bias}, {eps})"],
    "rms_norm": ["{x} * torch.rsqrt({x}.pow(2).mean(-1, keepdim=True) + {eps}) * {weight}",
                 "{x} * torch.rsqrt(({x} ** 2).mean(-1, keepdim=True) + {eps}) * {weight}"],
    "gelu": ["F.gelu({x}, approximate={approximate!r})"],
    "relu": ["F.relu({x})", "torch.relu({x})", "{x}.relu()"],
    "leaky_relu": ["F.leaky_relu({x}, {c})"],
    "silu": ["F.silu({x})"],
    "tanh": ["torch.tanh({x})", "{x}.tanh()"],
    "sigmoid": ["torch.sigmoid({x})", "{x}.sigmoid()"],
    "softmax": ["F.softmax({x}, dim={dim})", "{x}.softmax({dim})", "torch.softmax({x}, {dim})"],
    "abs": ["{x}.abs()", "torch.abs({x})"],
    "dropout": ["F.dropout({x}, {c}, self.training)"],
    "add": ["{x} + {y}", "torch.add({x}, {y})", "{x}.add({y})"],
    "mul": ["{x} * {y}", "torch.mul({x}, {y})", "{x}.mul({y})"],
    "sub": ["{x} - {y}", "torch.sub({x}, {y})", "{x}.sub({y})"],
    "scale": ["{x} * {c}", "{c} * {x}", "torch.mul({x}, {c})", "{x}.mul({c})"],
    "divide": ["{x} / {c}", "torch.div({x}, {c})", "{x}.div({c})"],
    "shift": ["{x} + {c}", "torch.add({x}, {c})", "{c} + {x}"],
    "clamp": ["{x}.clamp({low}, {high})", "torch.clamp({x}, min={low}, max={high})", "{x}.clamp(max={high}, min={low})"],
    "gain": ["{x} * {weight}", "torch.mul({x}, {weight})"],
    "select": ["torch.where({x} > {c}, {x}, {y})", "torch.where({x}.gt({c}), {x}, {y})"],
    "heads": ["{x}.reshape({split}).transpose(1, 2)", "{x}.reshape({split}).permute(0, 2, 1, 3)",
              "torch.transpose({x}.reshape({split}), -3, -2)"],
    "merge": ["{x}.transpose(1, 2).reshape({x}.shape[0], {x}.shape[2], -1)",
              "{x}.transpose(1, 2).contiguous().view({x}.shape[0], {x}.shape[2], -1)", "{x}.permute(0, 2, 1, 3).flatten(2)"],
    "matmul": ["torch.matmul({x}, {y})", "{x} @ {y}", "{x}.matmul({y})"],
    "mask_fill": ["{x}.masked_fill({known}, {fill})"],
    "mask_where": ["torch.where({known}, torch.full_like({x}, {fill}), {x})"],
    "positions": ["{x} + {known}"],
    "table": ["{x} + {weight}"],
    "sdpa": ["F.scaled_dot_product_attention({x}, {y}, {z}, is_causal={causal})",
             "F.scaled_dot_product_attention({x}, {y}, {z}, attn_mask=None, dropout_p=0.0, is_causal={causal})"],
    "conv2d": ["F.conv2d({x}, {weight}, {bias}, {stride}, {padding})",
               "torch.conv2d({x}, {weight}, {bias}, stride={stride}, padding={padding})"],
    "batch_norm": ["F.batch_norm({x}, {mean}, {var}, {weight}, {bias}, {training}, {momentum}, {eps})",
                   "F.batch_norm({x}, running_mean={mean}, running_var={var}, weight={weight}, bias={bias}, training={training}, "
                   "momentum={momentum}, eps={eps})"],
    "group_norm": ["F.group_norm({x}, {groups}, {weight}, {bias}, {eps})", "torch.group_norm({x}, {groups}, {weight}, {bias}, {eps})"],
    "max_pool": ["F.max_pool2d({x}, {size})", "torch.max_pool2d({x}, ({size}, {size}))"],
    "avg_pool": ["F.avg_pool2d({x}, {size})"],
    "part": ["{x}.narrow({dim}, {start}, {length})", "{x}[{sliced}]"],
    "cat": ["torch.cat(({x}, {y}), {dim})", "torch.cat([{x}, {y}], dim={dim})"],
    "permute": ["{x}.permute({dims})", "torch.permute({x}, ({dims}))"],
    "reshape": ["{x}.reshape({shape})", "torch.reshape({x}, {shape})"],
    "flatten": ["{x}.flatten({dim})", "torch.flatten({x}, start_dim={dim})"],
    "expand": ["{x}.expand_as({y})", "{x}.expand({y}.shape)"],
    "cast": ["{x}.to(torch.{dtype})", "{x}.to(dtype=torch.{dtype})"],
    "cumsum": ["{x}.cumsum({dim})", "torch.cumsum({x}, dim={dim})"],
    "mean": ["{x}.mean({dim}, {keep})", "torch.mean({x}, dim={dim}, keepdim={keep})"],
    "sum": ["{x}.sum({dim}, {keep})", "torch.sum({x}, dim={dim}, keepdim={keep})"],
    "amax": ["{x}.amax({dim}, {keep})", "torch.amax({x}, dim={dim}, keepdim={keep})"],
    "less_peak": ["{x} - {peak_of_x}"],
    "einsum": ["torch.einsum({equation!r}, {x}, {y})"],
    "gated": ["torch.where({x} {sign} 0, {x}, {x} - 1)"],
    "halved": ["{x} + torch.div({y}, 2, rounding_mode={rounding!r}).unsqueeze(-1)"],
    "nan_to_num": ["torch.nan_to_num({x})"],
    "detach": ["{x}.detach()"],
}
INPLACE: Dict[str, Sequence[str]] = {
    "relu": ["F.relu({x}, inplace=True)", "{x}.relu_()"], "silu": ["F.silu({x}, inplace=True)"], "tanh": ["{x}.tanh_()"],
    "sigmoid": ["{x}.sigmoid_()"], "add": ["{x}.add_({y})"], "mul": ["{x}.mul_({y})"], "sub": ["{x}.sub_({y})"],
    "scale": ["{x}.mul_({c})"], "shift": ["{x}.add_({c})"], "divide": ["{x}.div_({c})"], "clamp": ["{x}.clamp_({low}, {high})"],
    "mask_fill": ["{x}.masked_fill_({known}, {fill})"],
}
MASKS = ["~torch.tril(torch.ones({rows}, {rows}, dtype=torch.bool), {diagonal})", "torch.ones({rows}, {rows}).triu({diagonal} + 1).bool()",
         "torch.ones({rows}, {rows}).tril(diagonal={diagonal}) == 0"]
TABLES = ["torch.sin(torch.arange({rows}, dtype=torch.float32).unsqueeze(1) * {c})",
          "torch.sin(torch.arange({rows}, dtype=torch.float32)[:, None] * {c})"]
# What commutes is written the other way round by exchanging these; what is swapped in `rms_norm` is the order of its product.
SWAPPED = {"gain": "{weight} * {x}", "table": "{weight} + {x}", "positions": "{known} + {x}",
           "rms_norm": "{weight} * ({x} * torch.rsqrt({x}.pow(2).mean(-1, keepdim=True) + {eps}))"}


def known(node: Node, rows: Any) -> str:
    """The mask or table of a node; `rows` is a number or the text of one."""
    texts = TABLES if node.op == "positions" else MASKS
    return texts[node.how % len(texts)].format(rows=rows, **{k: node.attrs[k] for k in ("diagonal", "c") if k in node.attrs})


def number(node: Node, value: Any) -> Any:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "float('%s')" % value
    return int(value) if node.integer and isinstance(value, float) and value.is_integer() else value


def rows_of(node: Node, shape: Shape) -> Tuple[int, int]:
    """The size that a mask or table is made for, and its dimension."""
    dim = 1 if node.op == "positions" else len(shape) - 1
    return shape[dim], dim


def fields(node: Node, operands: Sequence[str], shapes: Sequence[Shape], roles: Dict[str, str]) -> Dict[str, Any]:
    """What the texts of a node may use."""
    shape, attrs = shapes[0], node.attrs
    found: Dict[str, Any] = {"weight": None, "bias": None, "training": attrs.get("training", "self.training"),
                             "momentum": attrs.get("momentum", 0.1), "last": shape[-1] if shape else 1}
    found.update({name: number(node, value) for name, value in attrs.items()})
    found.update(roles)
    found.update(zip("xyz", operands))
    if node.negative and "dim" in attrs and node.op != "assemble":
        found["dim"] = attrs["dim"] - len(shape)
    if node.op in ("mask_fill", "mask_where", "positions") and "known" not in roles:
        found["known"] = known(node, "%s.shape[%d]" % (operands[0], rows_of(node, shape)[1]))
    if node.op == "part":
        from_end = node.negative and attrs["dim"] > 1 and attrs["stop"] < shape[attrs["dim"]]  # elsewhere another length shows
        stop = attrs["stop"] - shape[attrs["dim"]] if from_end else attrs["stop"]
        found["length"] = attrs["stop"] - attrs["start"]
        found["sliced"] = ":, " * attrs["dim"] + "%d:%d" % (attrs["start"], stop)
    if node.op == "permute":
        found["dims"] = ", ".join(str(dim - len(shape) if node.negative else dim) for dim in attrs["dims"])
    if node.op == "heads":
        x, sizes = operands[0], (attrs["heads"], shape[2] // attrs["heads"])
        found["split"] = "%s.shape[0], %s.shape[1], %d, %d" % (x, x, *(reversed(sizes) if attrs.get("inner") else sizes))
    if node.op == "gated":
        found["sign"] = ">=" if attrs["equal"] else ">"
    if node.op == "less_peak":
        found["peak_of_x"] = ("%s.amax(1, True)" if attrs["peak"] == "amax" else "%s.max(1, True)[0]") % operands[0]
    if node.op == "cast" and attrs["dtype"] == "back":
        found["dtype"] = "float32"
    if node.op in ("cat", "assemble") and attrs.get("reversed"):
        found["x"], found["y"] = operands[1], operands[0]
    if node.op == "linear" and attrs.get("transposed"):
        found["weight"] += ".t()"
    if node.op == "matmul" and attrs.get("transpose"):
        found["y"] += (".transpose(-2, -1)", ".mT", ".swapaxes(-1, -2)")[node.how % 3]
    if node.swap and node.op in ("add", "mul") and not node.inplace:
        found["x"], found["y"] = found["y"], found["x"]
    return found


def expression(node: Node, given: Dict[str, Any]) -> str:
    if node.swap and node.op in SWAPPED:
        return SWAPPED[node.op].format(**given)
    texts = (INPLACE if node.inplace else EXPRESSIONS)[node.op]
    if node.op in HELPERS and not node.inplace and uses_helper(node):
        return "self.%s(%s)" % (given["helper"], given["x"])
    text = texts[node.how % len(texts)].format(**given)
    if node.op == "heads" and node.attrs.get("inner"):
        text = text.replace("reshape(%s)" % given["split"], "reshape(%s).transpose(2, 3)" % given["split"])
    return text


def uses_helper(node: Node) -> bool:
    """Is it a module of torch.nn?"""
    return node.op in HELPERS and not node.inplace and node.how % 4 == 3


def helper(node: Node) -> str:
    return "nn.%r" % HELPERS[node.op](node.attrs)


LOOP = """steps = range({x}.shape[1])
state = torch.zeros({x}.shape[0], {x}.shape[2])
found = []
for t in {order}:
    state = torch.tanh(F.linear({now}, {weight}, {bias}) + F.linear(state, {recurrent}))
    found.append(state)
{out} = torch.stack(found, dim=1)"""
ASSEMBLE = """{out} = torch.zeros({whole}, dtype={x}.dtype)
{out}[{before}] = {x}
{out}[{behind}] = {y}"""


def statements(node: Node, out: str, operands: Sequence[str], shapes: Sequence[Shape], roles: Dict[str, str]) -> List[str]:
    """Lines that give `out` its value."""
    given = fields(node, operands, shapes, roles)
    if node.op == "loop":
        order = "reversed(steps)" if node.attrs.get("backward") else "steps"
        now = (given["x"] + "[:, t]", given["x"] + ".select(1, t)")[node.how % 2]
        lines = LOOP.format(out=out, order=order, now=now, **given).split("\n")
    elif node.op == "assemble":
        lines = assembled(node, out, shapes, given)
    else:
        lines = ["%s = %s" % (out, expression(node, given))]
    return lines + ["%s = %s.%s()" % (out, out, name) for name in node.after]


def assembled(node: Node, out: str, shapes: Sequence[Shape], given: Dict[str, Any]) -> List[str]:
    dim = node.attrs["dim"]
    first, second = reversed(shapes) if node.attrs.get("reversed") else shapes
    whole = ["%s.shape[%d]" % (given["x"], i) for i in range(len(first))]
    whole[dim] = str(first[dim] + second[dim])
    lines = ASSEMBLE.format(out=out, whole=", ".join(whole), before=":, " * dim + ":%d" % first[dim],
                            behind=":, " * dim + "%d:" % first[dim], x=given["x"], y=given["y"]).split("\n")
    return lines[:2] if node.attrs.get("half_written") else lines
