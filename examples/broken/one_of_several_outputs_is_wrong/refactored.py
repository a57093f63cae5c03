import torch.nn as nn
from children.gru import Model as Gru
from children.linear import Model as Linear


class RefactoredModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = Gru()
        self.head = Linear(6, 3)

    def forward(self, x):
        output, state = self.gru(x)
        return {"logits": [self.head(output)], "state": (state, None, 8)}
