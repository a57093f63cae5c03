"""Two blocks and a head."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width=8, inner=16):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, inner)
        self.proj = nn.Linear(inner, width)

    def forward(self, x):
        return x + self.proj(F.gelu(self.fc(self.norm(x))))


class Model(nn.Module):
    def __init__(self, width=8, inner=16, classes=4, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, inner) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def get_inputs():
    return [torch.randn(2, 4, 8)]


def get_init_inputs():
    return [8, 16, 4, 2]


def get_expected_output_shape():
    return (2, 4, 4)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
