import torch.nn as nn
from children.embedding import Model as Embedding
from children.head import Model as Head
from children.layer import Model as Layer
from children.positions import Model as Positions
from children.rms_norm import Model as RMSNorm


class RefactoredModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = Embedding()
        self.positions = Positions()
        self.blocks = nn.ModuleList([Layer() for _ in range(80)])
        self.final = RMSNorm(8192)
        self.head = Head()

    def forward(self, tokens):
        cos, sin, mask = self.positions(tokens)
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return self.head(self.final(x))
