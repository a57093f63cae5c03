import math

import torch
import torch.nn.functional as F

SHAPES = {"x": (2, 6, 16), "y": (2, 6, 16), "m": (16, 32), "w": (16, 16), "b": (16,), "h": (32, 16), "r": (2, 6, 16)}


# expect gelu_erf
def erf_usual(x):
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


# expect gelu_erf
def erf_half_first(x):
    return 0.5 * x * (1 + torch.erf(x / 1.41421))


# expect gelu_erf
def erf_half_last(x):
    return x * (torch.erf(x * 0.7071067811865476) + 1.0) / 2


# expect gelu_erf
def erf_half_inside(x):
    return x * (0.5 * (1.0 + torch.erf(x * (1 / math.sqrt(2)))))


# expect gelu_erf
def erf_as_torch_has_it(x):
    return F.gelu(x)


# expect
def erf_of_another_constant(x):
    return x * 0.5 * (1.0 + torch.erf(x / 1.5))


# expect
def erf_not_halved(x):
    return x * (1.0 + torch.erf(x / math.sqrt(2.0)))


# expect
def erf_of_another(x, y):
    return x * 0.5 * (1.0 + torch.erf(y / math.sqrt(2.0)))


# expect gelu_tanh
def tanh_by_pow(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


# expect gelu_tanh
def tanh_by_products(x):
    return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


# expect gelu_tanh
def tanh_by_cube(x):
    inner = 0.79788456 * (x + 0.044715 * x**3)
    return x * 0.5 * (torch.tanh(inner) + 1)


# expect gelu_tanh
def tanh_factored(x):
    return 0.5 * x * (1 + torch.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x)))


# expect gelu_tanh
def tanh_grouped(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))


# expect gelu_tanh
def tanh_as_torch_has_it(x):
    return F.gelu(x, approximate="tanh")


# expect
def tanh_of_another_constant(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.0447 * torch.pow(x, 3.0))))


# expect
def tanh_of_squares(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 2.0))))


# expect
def tanh_of_another_root(x):
    return 0.5 * x * (1.0 + torch.tanh(0.8 * (x + 0.044715 * torch.pow(x, 3.0))))


# expect silu
def silu_usual(x):
    return x * torch.sigmoid(x)


# expect silu
def silu_turned(x):
    return x.sigmoid() * x


# expect silu
def silu_by_exp(x):
    return x / (1 + torch.exp(-x))


# expect silu
def silu_by_reciprocal(x):
    return x * (1 / (1 + (-x).exp()))


# expect silu
def silu_in_place(x):
    y = torch.sigmoid(x)
    y *= x
    return y


# expect silu
def silu_as_torch_has_it(x):
    return F.silu(x)


# expect
def silu_of_another(x, y):
    return y * torch.sigmoid(x)


# expect quick_gelu
def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


# expect
def silu_of_a_scaled_one(x):
    return x * torch.sigmoid(1.5 * x)


# expect
def silu_of_plus_exp(x):
    return x / (1 + torch.exp(x))


# expect softplus
def softplus_usual(x):
    return torch.log(1 + torch.exp(x))


# expect softplus
def softplus_by_log1p(x):
    return torch.log1p(torch.exp(x))


# expect softplus
def softplus_stable(x):
    return torch.relu(x) + torch.log1p(torch.exp(-torch.abs(x)))


# expect softplus
def softplus_clamped(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


# expect softplus
def softplus_as_torch_has_it(x):
    return F.softplus(x)


# expect
def softplus_of_two(x):
    return torch.log(2 + torch.exp(x))


# expect mish
def mish_usual(x):
    return x * torch.tanh(F.softplus(x))


# expect mish
def mish_by_log(x):
    return x * torch.tanh(torch.log(1 + torch.exp(x)))


# expect mish
def mish_as_torch_has_it(x):
    return F.mish(x)


# expect softplus
def mish_of_another(x, y):
    return y * torch.tanh(F.softplus(x))


# expect hardswish
def hardswish_by_relu6(x):
    return x * F.relu6(x + 3) / 6


# expect hardswish
def hardswish_by_clamp(x):
    return x * torch.clamp(x + 3.0, min=0.0, max=6.0) / 6.0


# expect hardswish
def hardswish_inside(x):
    return x * (F.relu6(x + 3.0) * (1.0 / 6.0))


# expect hardswish
def hardswish_by_hardsigmoid(x):
    return x * F.hardsigmoid(x)


# expect hardswish
def hardswish_as_torch_has_it(x):
    return F.hardswish(x)


# expect
def hardswish_of_two(x):
    return x * F.relu6(x + 2) / 6


# expect geglu
def geglu_of_one_projection(x, m):
    a, gate = (x @ m).chunk(2, dim=-1)
    return a * F.gelu(gate)


# expect geglu
def geglu_of_two_projections(x, m, h):
    return F.gelu(F.linear(x, h), approximate="tanh") * F.linear(x, m.t())


# expect geglu
def geglu_written_out(x, m):
    gate, a = (x @ m).split(16, dim=-1)
    return 0.5 * gate * (1.0 + torch.erf(gate / math.sqrt(2.0))) * a


# expect swiglu
def swiglu_usual(x, m):
    gate, a = (x @ m).chunk(2, dim=-1)
    return F.silu(gate) * a


# expect swiglu
def swiglu_written_out(x, m):
    gate, a = (x @ m).chunk(2, dim=-1)
    return gate * torch.sigmoid(gate) * a


# expect gelu_erf
def geglu_by_a_vector(x, b):
    return F.gelu(x) * b


# expect linear
def linear_by_matmul(x, w, b):
    return torch.matmul(x, w) + b


# expect linear
def linear_turned(x, w, b):
    return b + x @ w.t()


# expect linear
def linear_as_torch_has_it(x, w, b):
    return F.linear(x, w, b)


# expect linear
def linear_by_einsum(x, w, b):
    return torch.einsum("bsi,oi->bso", x, w) + b


# expect linear
def linear_of_rows(h, w, b):
    return torch.addmm(b, h, w)


# expect
def a_residual_is_no_bias(x, w, r):
    return torch.matmul(x, w) + r


# expect
def a_scaled_bias_is_none(h, w, b):
    return torch.addmm(b, h, w, beta=0.5)
