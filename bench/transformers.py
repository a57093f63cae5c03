"""Traces fourteen models of transformers, at their default sizes, and prints the table of docs/models.md.

    bench/transformers.py build/plumbline PYTHON [NAME...]        PYTHON has torch and transformers

Each is built from its configuration, with random weights; nothing is downloaded."""

import os
import re
import subprocess
import sys
import tempfile
import time

IDS, PIXELS = "torch.randint(3, 1000, (1, 64))", "torch.randn(1, 3, 224, 224)"
SMALL = "num_hidden_layers=2, hidden_size=256, intermediate_size=512, num_attention_heads=8, num_key_value_heads=4"
LAYERS = "num_layers=12, hidden_size=768, num_heads=12, attention_types=[[['global', 'local'], 6]]"
# name: (class, configuration, arguments of forward, how they are given, their values)
MODELS = {
    "GPT-2": ("GPT2Model", "GPT2Config()", "ids", "ids", IDS),
    "GPT-Neo": ("GPTNeoModel", "GPTNeoConfig(%s)" % LAYERS, "ids", "ids", IDS),
    "OPT": ("OPTModel", "OPTConfig()", "ids", "ids", IDS),
    "BigBird": ("BigBirdModel", "BigBirdConfig(attention_type='original_full')", "ids", "ids", IDS),
    "BART": ("BartModel", "BartConfig()", "ids", "ids", IDS),
    "ELECTRA": ("ElectraModel", "ElectraConfig()", "ids", "ids", IDS),
    "Reformer": ("ReformerModel", "ReformerConfig(axial_pos_embds=False)", "ids", "ids", IDS),
    "BERT": ("BertModel", "BertConfig()", "ids", "ids", IDS),
    "ViT": ("ViTModel", "ViTConfig()", "pixels", "pixels", PIXELS),
    "LLaMA": ("LlamaModel", "LlamaConfig()", "ids", "ids", IDS),
    "Mixtral (2 layers, 256 wide)": ("MixtralModel", "MixtralConfig(%s)" % SMALL, "ids", "ids", IDS),
    "Mamba": ("MambaModel", "MambaConfig()", "ids", "ids", IDS),
    "T5": ("T5Model", "T5Config()", "ids", "input_ids=ids, decoder_input_ids=ids", IDS),
    "CLIP": ("CLIPModel", "CLIPConfig()", "ids, pixels", "input_ids=ids, pixel_values=pixels", IDS + ", " + PIXELS),
}
SOURCE = """import torch
from transformers import {config_class}, {model}


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = {model}({config})

    def forward(self, {arguments}):
        return self.model({given})


def get_inputs():
    return [{values}]
"""


def trace(program, python, name, folder):
    model, config, arguments, given, values = MODELS[name]
    path = os.path.join(folder, "model.py")
    with open(path, "w") as file:
        file.write(SOURCE.format(model=model, config=config, config_class=config.split("(")[0], arguments=arguments,
                                 given=given, values=values))
    started = time.monotonic()
    run = subprocess.run([program, "trace", path, "--python", python], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds = time.monotonic() - started
    found = re.search(r"(\d+) calls, (\d+) operators, recorded on (shapes alone|real tensors)", run.stdout)
    if run.returncode == 2 or found is None:
        return "| %s | %s | | | | |" % (name, run.stderr.strip().replace("|", "/")[:100])
    inside = re.search(r"recorded in ([\d.]+) s", run.stdout)
    origin = "none" if run.returncode == 0 else "some"
    return "| %s | %s | %s | %s | %s | %s s | %.1f s |" % (name, found.group(1), found.group(2), found.group(3), origin,
                                                   inside.group(1) if inside else "?", seconds)


def main():
    program, python, names = sys.argv[1], sys.argv[2], sys.argv[3:] or list(MODELS)
    print("| model | calls | ATen operators | recorded on | of unknown origin | recording | whole command |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(trace(program, python, name, folder), flush=True)


if __name__ == "__main__":
    main()
