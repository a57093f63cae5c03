import torch.nn as nn
from children.embedding import Model as Embedding
from children.linear import Model as Linear


class RefactoredModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = Embedding(20, 8)
        self.mix = Linear(8, 8)
        self.head = Linear(8, 20, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(self.mix(self.embedding(tokens)))
