"""Top-k routed experts."""
import logging
import warnings
from enum import Enum
from typing import Dict, List, NamedTuple

import torch
import torch.nn as nn
import torch.nn.functional as F

logger = logging.getLogger(__name__)

ACT2FN = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}
DEFAULT_SIZES = (32, 64)


class Routing(Enum):
    TOP1 = 1
    TOP2 = 2


class RouterOutput(NamedTuple):
    weights: torch.Tensor
    experts: torch.Tensor


class Expert(nn.Module):
    def __init__(self, dim: int, hidden: int, act: str = "silu"):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)
        if act not in ACT2FN:
            raise KeyError(f"no activation {act!r}; there are {sorted(ACT2FN.keys())}")
        self.act_fn = ACT2FN[act]

    def forward(self, x):
        return self.w2(self.act_fn(self.w1(x)) * self.w3(x))


class Model(nn.Module):
    def __init__(self, dim=32, hidden=64, num_experts=4, routing=Routing.TOP2):
        super().__init__()
        self.gate = nn.Linear(dim, num_experts, bias=False)
        self.experts = nn.ModuleList([Expert(dim, hidden) for _ in range(num_experts)])
        self.top_k = routing.value
        self.num_experts = num_experts
        if num_experts < 2:
            warnings.warn("one expert only")
        logger.info("%d experts", num_experts)

    def route(self, x) -> RouterOutput:
        logits = self.gate(x)
        weights, experts = torch.topk(logits, self.top_k, dim=-1)
        return RouterOutput(F.softmax(weights, dim=-1, dtype=torch.float).to(x.dtype), experts)

    def forward(self, hidden_states: torch.Tensor) -> Dict[str, torch.Tensor]:
        shape = hidden_states.shape
        x = hidden_states.reshape(-1, shape[-1])
        routed = self.route(x)
        results = torch.zeros_like(x)
        counts: List[int] = []
        for index, expert in enumerate(self.experts):
            rows, slot = torch.where(routed.experts == index)
            if rows.numel() == 0:
                continue
            results[rows] += routed.weights[rows, slot, None] * expert(x[rows])
            counts.append(rows.shape[0])
        losses = {}
        losses["aux"] = torch.stack([p.float().mean() for p in (routed.weights, routed.weights)]).sum()
        losses.update(extra=results.new_zeros(()))
        return {"hidden": results.view(shape), **losses}


def get_inputs():
    return [torch.randn(2, 4, DEFAULT_SIZES[0])]


def get_init_inputs():
    return list(DEFAULT_SIZES) + [4]


def run_tests():
    try:
        model = Model(*get_init_inputs())
        with torch.no_grad():
            out = model(*get_inputs())
        print(f"Output: {out['hidden'].shape}, mean={out['hidden'].mean().item():.4f}")
        print("PASS")
        return True
    except Exception as e:
        import traceback
        traceback.print_exc()
        print(f"FAIL: {e}")
        return False


if __name__ == "__main__":
    success = run_tests()
    exit(0 if success else 1)
