"""Models to trace: the common modules of torch.nn with inputs for them, and small library models."""

import torch
from torch import nn


def x(*shape):
    return torch.randn(*shape)


def ints(high, *shape):
    return torch.randint(high, shape)


MODULES = {
    "Linear": (lambda: nn.Linear(8, 4), lambda: [x(3, 8)]),
    "Linear without bias": (lambda: nn.Linear(8, 4, bias=False), lambda: [x(3, 2, 8)]),
    "Bilinear": (lambda: nn.Bilinear(4, 5, 6), lambda: [x(3, 4), x(3, 5)]),
    "Identity": (lambda: nn.Identity(), lambda: [x(3)]),
    "Conv1d": (lambda: nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"), lambda: [x(2, 3, 9)]),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3, stride=2), lambda: [x(2, 3, 9, 9)]),
    "Conv2d in channels_last": (lambda: nn.Conv2d(3, 4, 3), lambda: [x(2, 3, 9, 9).to(memory_format=torch.channels_last)]),
    "Conv3d": (lambda: nn.Conv3d(3, 4, 3), lambda: [x(1, 3, 5, 5, 5)]),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(3, 4, 3), lambda: [x(2, 3, 9)]),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2), lambda: [x(2, 3, 5, 5)]),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), lambda: [x(3, 4)]),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), lambda: [x(3, 4, 5, 5)]),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(4), lambda: [x(3, 4, 2, 2, 2)]),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True), lambda: [x(3, 4, 5, 5)]),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), lambda: [x(3, 4, 5)]),
    "LayerNorm": (lambda: nn.LayerNorm(8), lambda: [x(3, 8)]),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2), lambda: [x(2, 4, 5, 5)]),
    "Embedding": (lambda: nn.Embedding(10, 4), lambda: [ints(10, 2, 3)]),
    "Embedding with max_norm": (lambda: nn.Embedding(10, 4, max_norm=0.1), lambda: [ints(10, 2, 3)]),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(10, 4), lambda: [ints(10, 2, 3)]),
    "Dropout": (lambda: nn.Dropout(0.5), lambda: [x(4, 4)]),
    "Dropout2d": (lambda: nn.Dropout2d(0.5), lambda: [x(2, 4, 3, 3)]),
    "AlphaDropout": (lambda: nn.AlphaDropout(0.5), lambda: [x(4, 4)]),
    "ReLU": (lambda: nn.ReLU(), lambda: [x(4)]),
    "ReLU in place": (lambda: nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)), lambda: [x(4)]),
    "ReLU6": (lambda: nn.ReLU6(), lambda: [x(4)]),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.1), lambda: [x(4)]),
    "PReLU": (lambda: nn.PReLU(), lambda: [x(4, 4)]),
    "RReLU": (lambda: nn.RReLU(), lambda: [x(4)]),
    "ELU": (lambda: nn.ELU(), lambda: [x(4)]),
    "SELU": (lambda: nn.SELU(), lambda: [x(4)]),
    "CELU": (lambda: nn.CELU(), lambda: [x(4)]),
    "GELU": (lambda: nn.GELU(), lambda: [x(4)]),
    "GELU by tanh": (lambda: nn.GELU(approximate="tanh"), lambda: [x(4)]),
    "SiLU": (lambda: nn.SiLU(), lambda: [x(4)]),
    "Mish": (lambda: nn.Mish(), lambda: [x(4)]),
    "Hardswish": (lambda: nn.Hardswish(), lambda: [x(4)]),
    "Hardtanh": (lambda: nn.Hardtanh(), lambda: [x(4)]),
    "Softplus": (lambda: nn.Softplus(), lambda: [x(4)]),
    "Softsign": (lambda: nn.Softsign(), lambda: [x(4)]),
    "Softshrink": (lambda: nn.Softshrink(), lambda: [x(4)]),
    "LogSigmoid": (lambda: nn.LogSigmoid(), lambda: [x(4)]),
    "Threshold": (lambda: nn.Threshold(0.1, 2.0), lambda: [x(4)]),
    "GLU": (lambda: nn.GLU(), lambda: [x(4, 6)]),
    "Sigmoid": (lambda: nn.Sigmoid(), lambda: [x(4)]),
    "Tanh": (lambda: nn.Tanh(), lambda: [x(4)]),
    "Softmax": (lambda: nn.Softmax(-1), lambda: [x(4, 4)]),
    "LogSoftmax": (lambda: nn.LogSoftmax(-1), lambda: [x(4, 4)]),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), lambda: [x(2, 3, 8)]),
    "MaxPool2d": (lambda: nn.MaxPool2d(2, return_indices=True), lambda: [x(2, 3, 8, 8)]),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), lambda: [x(2, 3, 8, 8)]),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(1), lambda: [x(2, 3, 8, 8)]),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(2), lambda: [x(2, 3, 8)]),
    "LPPool2d": (lambda: nn.LPPool2d(2, 2), lambda: [x(2, 3, 8, 8)]),
    "MaxUnpool2d": (lambda: nn.MaxUnpool2d(2), lambda: list(nn.functional.max_pool2d(x(1, 1, 4, 4), 2, return_indices=True))),
    "ZeroPad2d": (lambda: nn.ZeroPad2d(1), lambda: [x(2, 3, 4, 4)]),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1), lambda: [x(2, 3, 4, 4)]),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), lambda: [x(2, 3, 4, 4)]),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), lambda: [x(2, 8, 4, 4)]),
    "Flatten": (lambda: nn.Flatten(), lambda: [x(2, 3, 4)]),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), lambda: [x(2, 6)]),
    "Fold": (lambda: nn.Fold((4, 4), 2, stride=2), lambda: [x(1, 12, 4)]),
    "Unfold": (lambda: nn.Unfold(2), lambda: [x(1, 3, 4, 4)]),
    "CosineSimilarity": (lambda: nn.CosineSimilarity(), lambda: [x(3, 4), x(3, 4)]),
    "PairwiseDistance": (lambda: nn.PairwiseDistance(), lambda: [x(3, 4), x(3, 4)]),
    "RNN": (lambda: nn.RNN(4, 5, nonlinearity="relu"), lambda: [x(6, 2, 4)]),
    "LSTM": (lambda: nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True), lambda: [x(2, 6, 4)]),
    "LSTM with state and projection": (lambda: nn.LSTM(4, 5, proj_size=3), lambda: [x(6, 2, 4), (x(1, 2, 3), x(1, 2, 5))]),
    "GRU": (lambda: nn.GRU(4, 5, dropout=0.1, num_layers=2), lambda: [x(6, 2, 4), x(2, 2, 5)]),
    "LSTMCell": (lambda: nn.LSTMCell(4, 5), lambda: [x(2, 4)]),
    "GRUCell": (lambda: nn.GRUCell(4, 5), lambda: [x(2, 4), x(2, 5)]),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2, dropout=0.1), lambda: [x(3, 2, 8)] * 3),
    "MultiheadAttention of other widths": (lambda: nn.MultiheadAttention(8, 2, kdim=4, vdim=6, batch_first=True),
                                           lambda: [x(2, 3, 8), x(2, 5, 4), x(2, 5, 6)]),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, norm_first=True), lambda: [x(3, 2, 8)]),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
                           lambda: [x(2, 3, 8), None, torch.tensor([[False, False, True], [False] * 3])]),
    "TransformerDecoderLayer": (lambda: nn.TransformerDecoderLayer(8, 2, 16), lambda: [x(3, 2, 8), x(4, 2, 8)]),
    "Transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16), lambda: [x(3, 2, 8), x(4, 2, 8)]),
    "MSELoss": (lambda: nn.MSELoss(), lambda: [x(3), x(3)]),
    "L1Loss": (lambda: nn.L1Loss(), lambda: [x(3), x(3)]),
    "SmoothL1Loss": (lambda: nn.SmoothL1Loss(), lambda: [x(3), x(3)]),
    "CrossEntropyLoss": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), lambda: [x(3, 5), ints(5, 3)]),
    "NLLLoss": (lambda: nn.NLLLoss(), lambda: [x(3, 5), ints(5, 3)]),
    "BCEWithLogitsLoss": (lambda: nn.BCEWithLogitsLoss(), lambda: [x(3), torch.rand(3)]),
    "KLDivLoss": (lambda: nn.KLDivLoss(reduction="batchmean"), lambda: [x(3, 4), torch.rand(3, 4)]),
    "CTCLoss": (lambda: nn.CTCLoss(), lambda: [x(10, 2, 5).log_softmax(-1), ints(4, 2, 3) + 1, torch.tensor([10, 10]),
                                              torch.tensor([3, 2])]),
    "spectral_norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), lambda: [x(3, 4)]),
    "ModuleDict": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 4))), lambda: [x(3, 4)]),
}


def newer_modules():
    if hasattr(nn, "RMSNorm"):
        yield "RMSNorm", (lambda: nn.RMSNorm(8), lambda: [x(3, 8)])


def library_models():
    """(name, constructor, inputs, keywords), or ImportError."""
    import transformers as t
    tokens = {"input_ids": ints(50, 2, 7)}
    small = dict(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    yield "GPT2", lambda: t.GPT2LMHeadModel(t.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=16)), tokens
    yield "GPTNeo", lambda: t.GPTNeoForCausalLM(t.GPTNeoConfig(
        vocab_size=50, hidden_size=16, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]],
        max_position_embeddings=16, window_size=4)), tokens
    yield "OPT", lambda: t.OPTForCausalLM(t.OPTConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=32, max_position_embeddings=16,
        word_embed_proj_dim=16)), tokens
    yield "BERT", lambda: t.BertModel(t.BertConfig(max_position_embeddings=16, **small)), tokens
    yield "ViT", lambda: t.ViTModel(t.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4)), \
        {"pixel_values": x(2, 3, 8, 8)}
    yield "LLaMA", lambda: t.LlamaForCausalLM(t.LlamaConfig(num_key_value_heads=1, max_position_embeddings=16, **small)), tokens
    yield "T5", lambda: t.T5ForConditionalGeneration(t.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0)), \
        dict(tokens, decoder_input_ids=ints(50, 2, 3))
    yield "CLIP text", lambda: t.CLIPTextModel(t.CLIPTextConfig(max_position_embeddings=16, eos_token_id=49, **small)), tokens
