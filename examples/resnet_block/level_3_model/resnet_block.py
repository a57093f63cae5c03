"""One stage of a ResNet: a block that halves the picture, with a downsampled skip, and one with a plain skip."""
import torch
import torch.nn as nn


class BasicBlock(nn.Module):
    def __init__(self, inputs=64, outputs=128, stride=2):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.has_downsample = stride != 1 or inputs != outputs
        if self.has_downsample:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        residual = x
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        if self.has_downsample:
            residual = self.downsample(residual)
        return self.relu(x + residual)


class Model(nn.Module):
    def __init__(self, inputs=64, outputs=128):
        super().__init__()
        self.layer0 = BasicBlock(inputs, outputs, 2)
        self.layer1 = BasicBlock(outputs, outputs, 1)

    def forward(self, x):
        return self.layer1(self.layer0(x))


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
