"""The product of two stacks of matrices."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)


def get_inputs():
    return [torch.randn(1, 16, 64, 64, dtype=torch.bfloat16), torch.randn(1, 16, 64, 64, dtype=torch.bfloat16)]


def get_init_inputs():
    return []


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
