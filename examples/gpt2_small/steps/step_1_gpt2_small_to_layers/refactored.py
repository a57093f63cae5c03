"""GPT-2 as calls to its layers. The embedding is tied to the head: weight_map.json maps it to both."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from output_head import Model as OutputHead
from token_position_embedding import Model as Embedding
from transformer_block import Model as Block


class RefactoredModel(nn.Module):
    def __init__(self, vocabulary=50000, positions=1024, hidden=768, heads=12, blocks=2):
        super().__init__()
        self.embedding = Embedding(vocabulary, positions, hidden)
        self.blocks = nn.ModuleList(Block(hidden, heads, 4 * hidden) for _ in range(blocks))
        self.head = OutputHead(hidden, vocabulary)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def get_inputs():
    return [torch.randint(0, 50000, (2, 32))]


def get_init_inputs():
    return [50000, 1024, 768, 12, 2]
