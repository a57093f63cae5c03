import math

import torch

SHAPES = {"x": (2, 4, 6, 16), "c": (6, 16), "s": (6, 16), "p": (6, 8), "z": (6, 8), "t": (4,), "i": (2, 6, 64)}


def rotate_half(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


# expect rope
def rotate_half_with_tables(x):
    inverse = 1.0 / (10000 ** (torch.arange(0, 16, 2).float() / 16))
    angles = torch.outer(torch.arange(6).float(), inverse)
    both = torch.cat((angles, angles), dim=-1)
    return x * both.cos() + rotate_half(x) * both.sin()


# expect rope
def rotate_half_by_chunk(x, c, s):
    first, second = x.chunk(2, dim=-1)
    return x * c[None, None] + torch.cat((-second, first), dim=-1) * s[None, None]


# expect rope
def rotate_half_of_heads(i, c, s):
    q = i.view(2, 6, 4, 16).transpose(1, 2)
    return (q * c) + (rotate_half(q) * s)


# expect rope
def halves_apart(x, p, z):
    first, second = x[..., :8], x[..., 8:]
    return torch.cat([first * p - second * z, second * p + first * z], dim=-1)


# expect rope
def halves_apart_turned(x, p, z):
    first, second = torch.split(x, 8, dim=-1)
    return torch.cat([first * p - second * z, first * z + second * p], -1)


# expect rope
def neighbours_stacked(x, p, z):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * p - odd * z, even * z + odd * p), dim=-1).flatten(-2)


# expect rope
def neighbours_of_pairs(x, p, z):
    pairs = x.float().reshape(2, 4, 6, 8, 2)
    a, b = pairs[..., 0], pairs[..., 1]
    return torch.stack([a * p - b * z, b * p + a * z], dim=-1).reshape(2, 4, 6, 16)


# expect rope
def neighbours_as_gptj(x, c, s):
    every_two = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return x * c + every_two * s


# expect rope
def neighbours_complex(x, p):
    turns = torch.polar(torch.ones_like(p), p)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(3).type_as(x)


# expect rope
def neighbours_written(x, p, z):
    turned = torch.empty_like(x)
    turned[..., ::2] = x[..., ::2] * p - x[..., 1::2] * z
    turned[..., 1::2] = x[..., 1::2] * p + x[..., ::2] * z
    return turned


# expect
def neighbours_written_the_other_way(x, p, z):
    turned = torch.empty_like(x)
    turned[..., 1::2] = x[..., ::2] * p - x[..., 1::2] * z
    turned[..., ::2] = x[..., 1::2] * p + x[..., ::2] * z
    return turned


# expect rope rope
def queries_and_keys(x, i, c, s):
    k = i.view(2, 6, 4, 16).transpose(1, 2)
    q = x * c + rotate_half(x) * s
    k = k * c + rotate_half(k) * s
    return q + k.mean()


# expect
def halves_not_negated(x, c, s):
    return x * c + torch.cat((x[..., 8:], x[..., :8]), dim=-1) * s


# expect
def halves_not_swapped(x, c, s):
    return x * c + torch.cat((-x[..., :8], x[..., 8:]), dim=-1) * s


# expect
def neighbours_of_another_sign(x, p, z):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * p + odd * z, even * z + odd * p), dim=-1).flatten(-2)


# expect
def halves_of_two_tables(x, p, z):
    first, second = x[..., :8], x[..., 8:]
    return torch.cat([first * p - second * z, second * z + first * p], dim=-1)


# expect sinusoidal_embedding
def timesteps(t):
    steps = torch.exp(-math.log(10000) * torch.arange(0, 8, dtype=torch.float32) / 8)
    angles = t[:, None].float() * steps[None]
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)


# expect sinusoidal_embedding
def timesteps_as_ddpm(t):
    scale = math.log(10000) / (8 - 1)
    steps = torch.exp(torch.arange(8) * -scale)
    angles = t.unsqueeze(1) * steps.unsqueeze(0)
    return torch.cat((angles.sin(), angles.cos()), dim=1)


# expect sinusoidal_embedding
def timesteps_scaled(t):
    steps = torch.exp(-math.log(10000) * torch.arange(8) / 8)
    angles = 1000.0 * t[:, None] * steps
    return torch.cat((torch.sin(angles), torch.cos(angles)), dim=-1)


# expect sinusoidal_embedding
def positions_interleaved():
    positions = torch.arange(6).unsqueeze(1)
    steps = torch.exp(torch.arange(0, 16, 2) * (-math.log(10000.0) / 16))
    table = torch.zeros(6, 16)
    table[:, 0::2] = torch.sin(positions * steps)
    table[:, 1::2] = torch.cos(positions * steps)
    return table


# expect
def two_sines(t):
    angles = t[:, None] * torch.exp(-0.5 * torch.arange(8))
    return torch.cat((torch.sin(angles), torch.sin(angles)), dim=-1)


# expect
def of_learned_frequencies(t, p):
    angles = t[:, None] * p[0]
    return torch.cat((torch.sin(angles), torch.cos(angles)), dim=-1)
