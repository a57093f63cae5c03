import torch
import torch.nn.functional as F

SHAPES = {"x": (2, 6, 16), "w": (16,), "b": (16,), "s": (6, 6)}


# expect rms_norm
def rms_as_llama(x, w):
    h = x.to(torch.float32)
    variance = h.pow(2).mean(-1, keepdim=True)
    h = h * torch.rsqrt(variance + 1e-6)
    return w * h.to(x.dtype)


# expect rms_norm
def rms_with_casts(x, w):
    half = x.to(torch.bfloat16)
    h = half.float()
    h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
    return h.to(torch.bfloat16) * w.to(torch.bfloat16)


# expect rms_norm
def rms_in_double_product(x, w):
    return x * x.pow(2).mean(dim=-1, keepdim=True).add(1e-5).rsqrt() * w


# expect rms_norm
def rms_by_root(x, w):
    return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + 1e-6) * w


# expect rms_norm
def rms_by_inverse_root(x, w):
    return x * (1.0 / torch.sqrt(torch.mean(x * x, -1, keepdim=True) + 1e-6)) * w


# expect rms_norm
def rms_by_power(x, w):
    return w * (x * (x**2).mean(-1, keepdim=True).add(1e-6) ** -0.5)


# expect rms_norm
def rms_of_gemma(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1.0 + w)


# expect rms_norm
def rms_without_weight(x):
    return x * torch.rsqrt(torch.square(x).mean(-1, keepdim=True) + 1e-6)


# expect rms_norm
def rms_unsqueezed(x, w):
    return x * torch.rsqrt((x * x).mean(-1) + 1e-6).unsqueeze(-1) * w


# expect rms_norm
def rms_in_place(x, w):
    h = x.clone()
    v = h.pow(2).mean(-1, keepdim=True)
    h.mul_(torch.rsqrt(v + 1e-6))
    h.mul_(w)
    return h


# expect
def rms_without_eps(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * w


# expect
def rms_of_another_axis(x, w):
    return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6) * w


# expect
def rms_of_cubes(x, w):
    return x * torch.rsqrt(x.pow(4).mean(-1, keepdim=True) + 1e-6) * w


# expect
def rms_of_another_tensor(x, w):
    return torch.relu(x) * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w


# expect
def rms_squared(x, w):
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6) * w


# expect
def rms_along_the_wrong_dimension(s, w):
    return s * torch.rsqrt(s.pow(2).mean(-1) + 1e-6)


# expect layer_norm
def layer_biased_variance(x, w, b):
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(variance + 1e-5) * w + b


# expect layer_norm
def layer_written_out(x, w, b):
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return w * (x - mean) / (variance + 1e-5).sqrt() + b


# expect layer_norm
def layer_by_rsqrt(x, w, b):
    centred = x - x.mean(-1, keepdim=True)
    return b + w * (centred * torch.rsqrt((centred * centred).mean(-1, keepdim=True) + 1e-6))


# expect layer_norm
def layer_by_moments(x, w, b):
    mean = x.mean(-1, keepdim=True)
    variance = (x * x).mean(-1, keepdim=True) - mean * mean
    return (x - mean) * torch.rsqrt(variance + 1e-5) * w + b


# expect layer_norm
def layer_without_weights(x):
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-5)


# expect layer_norm
def layer_as_torch_has_it(x, w, b):
    return F.layer_norm(x, (16,), w, b)


# expect
def layer_of_unbiased_variance(x, w, b):
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True) + 1e-5) * w + b


# expect
def layer_without_eps(x, w, b):
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False)) * w + b


# expect
def layer_of_another_axis(x, w, b):
    return (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5) * w + b


# expect
def layer_not_centred(x, w, b):
    return x / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-5) * w + b


# expect l2_norm
def l2_by_norm(x):
    return x / x.norm(p=2, dim=-1, keepdim=True)


# expect l2_norm
def l2_as_torch_has_it(x):
    return F.normalize(x, p=2.0, dim=-1)


# expect l2_norm
def l2_by_linalg(x):
    return x / (torch.linalg.norm(x, dim=-1, keepdim=True) + 1e-8)


# expect l2_norm
def l2_by_rsqrt(x):
    return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-6)


# expect l2_norm
def l2_by_root(x):
    return x / torch.sqrt(x.pow(2).sum(dim=1, keepdim=True))


# expect l2_norm
def l2_clamped(x):
    return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12)


# expect
def l1_norm(x):
    return x / x.norm(p=1, dim=-1, keepdim=True)


# expect
def l2_of_another_tensor(x, b):
    return b / x.norm(p=2, dim=-1, keepdim=True)

# expect layer_norm
def layer_by_var_mean(x, w, b):
    v, m = torch.var_mean(x, -1, keepdim=True, unbiased=False)
    return (x - m) * torch.rsqrt(v + 1e-5) * w + b

# expect
def layer_of_the_annotated_transformer(x, w, b):
    mean = x.mean(-1, keepdim=True)
    std = x.std(-1, keepdim=True)
    return w * (x - mean) / (std + 1e-6) + b
