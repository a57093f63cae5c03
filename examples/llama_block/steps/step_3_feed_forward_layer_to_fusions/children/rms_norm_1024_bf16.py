"""RMSNorm over 1024 features, computed in float32."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, hidden=1024, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(hidden, dtype=torch.bfloat16))

    def forward(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024]


def get_expected_output_shape():
    return (1, 64, 1024)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
