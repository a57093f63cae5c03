"""Conv2d 64 to 128, kernel 3, stride 2, then BatchNorm and ReLU."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, inputs=64, outputs=128):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


def get_inputs():
    return [torch.randn(8, 64, 56, 56)]


def get_init_inputs():
    return [64, 128]


def get_expected_output_shape():
    return (8, 128, 28, 28)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
