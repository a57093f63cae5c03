import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(6, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        output, state = self.rnn(x)
        return {"logits": [self.head(output)], "state": (state, None, 7)}


def get_inputs():
    return [torch.randn(2, 4, 6)]
