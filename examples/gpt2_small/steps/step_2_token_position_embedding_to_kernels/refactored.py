"""Both embeddings as kernels; their sum stays here."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from embedding_1024x768_i64_fp32 import Model as PositionEmbedding
from embedding_50000x768_i64_fp32 import Model as TokenEmbedding


class RefactoredModel(nn.Module):
    def __init__(self, vocabulary=50000, positions=1024, hidden=768):
        super().__init__()
        self.wte = TokenEmbedding(vocabulary, hidden)
        self.wpe = PositionEmbedding(positions, hidden)

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return self.wte(tokens) + self.wpe(positions)


def get_inputs():
    return [torch.randint(0, 50000, (2, 32))]


def get_init_inputs():
    return [50000, 1024, 768]
