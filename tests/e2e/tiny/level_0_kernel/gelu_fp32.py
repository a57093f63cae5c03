"""GELU by erf."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def forward(self, x):
        return F.gelu(x)


def get_inputs():
    return [torch.randn(2, 4, 16)]


def get_init_inputs():
    return []


def get_expected_output_shape():
    return (2, 4, 16)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
