"""Linear from 8 to 4 features."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, in_features=8, out_features=4):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.linear(x)


def get_inputs():
    return [torch.randn(2, 4, 8)]


def get_init_inputs():
    return [8, 4]


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
