"""A norm and an MLP with a residual."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, width=8, inner=16):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, inner)
        self.proj = nn.Linear(inner, width)

    def forward(self, x):
        return x + self.proj(F.gelu(self.fc(self.norm(x))))


def get_inputs():
    return [torch.randn(2, 4, 8)]


def get_init_inputs():
    return [8, 16]


def get_expected_output_shape():
    return (2, 4, 8)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
