import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.nn.utils.parametrizations import weight_norm


class Model(nn.Module):
    def __init__(self, vocab=100, emb=16, hidden=32, tags=5, padding_idx=0):
        super().__init__()
        self.hidden_size = hidden
        self.embedding = nn.Embedding(vocab, emb, padding_idx=padding_idx)
        self.rnn = nn.LSTM(emb, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.out = weight_norm(nn.Linear(2 * hidden, tags))
        self.tie_weights()
        initrange = 0.1
        self.embedding.weight.data.uniform_(-initrange, initrange)

    def tie_weights(self):
        self.alias = self.embedding

    def init_hidden(self, batch: int):
        weight = next(self.parameters())
        return (weight.new_zeros(4, batch, self.hidden_size), weight.new_zeros(4, batch, self.hidden_size))

    def forward(self, tokens, lengths):
        hidden = self.init_hidden(tokens.size(0))
        x = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, (h, c) = self.rnn(x, hidden)
        out, _ = pad_packed_sequence(out, batch_first=True)
        logits = self.out(out)
        return logits.log_softmax(dim=-1), h[-1]


def get_inputs():
    return [torch.randint(0, 100, (3, 7)), torch.tensor([7, 5, 2])]
