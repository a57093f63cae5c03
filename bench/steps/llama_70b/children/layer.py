import torch
import torch.nn as nn
import torch.nn.functional as F

WIDTH, HEADS, GROUPS, INNER = 8192, 64, 8, 28672


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, dtype=torch.bfloat16))

    def forward(self, x):
        wide = x.to(torch.float32)
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)
        return self.weight * wide.to(x.dtype)


def rotated(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        size = WIDTH // HEADS
        self.q_proj = nn.Linear(WIDTH, WIDTH, bias=False, dtype=torch.bfloat16)
        self.k_proj = nn.Linear(WIDTH, GROUPS * size, bias=False, dtype=torch.bfloat16)
        self.v_proj = nn.Linear(WIDTH, GROUPS * size, bias=False, dtype=torch.bfloat16)
        self.o_proj = nn.Linear(WIDTH, WIDTH, bias=False, dtype=torch.bfloat16)

    def forward(self, x, cos, sin, mask):
        batch, length, size = x.shape[0], x.shape[1], WIDTH // HEADS
        q = self.q_proj(x).view(batch, length, HEADS, size).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, GROUPS, size).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, GROUPS, size).transpose(1, 2)
        q, k = q * cos + rotated(q) * sin, k * cos + rotated(k) * sin
        k = k[:, :, None].expand(batch, GROUPS, HEADS // GROUPS, length, size).reshape(batch, HEADS, length, size)
        v = v[:, :, None].expand(batch, GROUPS, HEADS // GROUPS, length, size).reshape(batch, HEADS, length, size)
        weights = F.softmax(q @ k.transpose(2, 3) * size ** -0.5 + mask, dim=-1, dtype=torch.float32).to(x.dtype)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(batch, length, WIDTH))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj = nn.Linear(WIDTH, INNER, bias=False, dtype=torch.bfloat16)
        self.up_proj = nn.Linear(WIDTH, INNER, bias=False, dtype=torch.bfloat16)
        self.down_proj = nn.Linear(INNER, WIDTH, bias=False, dtype=torch.bfloat16)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn = Attention()
        self.mlp = FeedForward()
        self.input_layernorm = RMSNorm(WIDTH)
        self.post_attention_layernorm = RMSNorm(WIDTH)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


def get_inputs():
    return [torch.randn(1, 512, 8192).to(torch.bfloat16), torch.zeros(512, 128, dtype=torch.bfloat16),
            torch.zeros(512, 128, dtype=torch.bfloat16), torch.zeros(512, 512, dtype=torch.bfloat16)]
