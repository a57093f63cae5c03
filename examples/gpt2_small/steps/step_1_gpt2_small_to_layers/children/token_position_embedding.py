"""Token embedding plus position embedding."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, vocabulary=50000, positions=1024, hidden=768):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, hidden)
        self.wpe = nn.Embedding(positions, hidden)

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return self.wte(tokens) + self.wpe(positions)


def get_inputs():
    return [torch.randint(0, 50000, (2, 32))]


def get_init_inputs():
    return [50000, 1024, 768]


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
