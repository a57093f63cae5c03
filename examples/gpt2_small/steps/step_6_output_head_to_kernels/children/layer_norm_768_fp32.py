"""LayerNorm over 768 features."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, hidden=768, eps=1e-5):
        super().__init__()
        self.norm = nn.LayerNorm(hidden, eps=eps)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.randn(2, 32, 768)]


def get_init_inputs():
    return [768, 1e-5]


def get_expected_output_shape():
    return (2, 32, 768)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
