"""Rotary position embedding, halves layout; the table is made here."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, base=10000.0):
        super().__init__()
        self.base = base

    def forward(self, x):
        length, size = x.shape[-2], x.shape[-1]
        inverse = 1.0 / (self.base ** (torch.arange(0, size, 2, device=x.device).float() / size))
        angles = torch.outer(torch.arange(length, device=x.device).float(), inverse)
        angles = torch.cat((angles, angles), dim=-1)
        half = size // 2
        rotated = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
        return x * angles.cos().to(x.dtype) + rotated * angles.sin().to(x.dtype)


def get_inputs():
    return [torch.randn(1, 16, 64, 64, dtype=torch.bfloat16)]


def get_init_inputs():
    return [10000.0]


def get_expected_output_shape():
    return (1, 16, 64, 64)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
