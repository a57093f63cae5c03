"""Token embedding: a row of 768 for each of 50000 tokens."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, vocabulary=50000, hidden=768):
        super().__init__()
        self.table = nn.Embedding(vocabulary, hidden)

    def forward(self, tokens):
        return self.table(tokens)


def get_inputs():
    return [torch.randint(0, 50000, (2, 32))]


def get_init_inputs():
    return [50000, 768]


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
