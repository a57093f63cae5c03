import torch
import torch.nn as nn
import torch.nn.functional as F
from collections import OrderedDict
from functools import partial


def autopad(k, p=None):
    if p is None:
        p = k // 2 if isinstance(k, int) else [x // 2 for x in k]
    return p


class ConvBNAct(nn.Sequential):
    default_act = nn.SiLU()

    def __init__(self, in_ch, out_ch, kernel=3, stride=1, groups=1, norm_layer=None, act=True):
        norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.03)
        layers = OrderedDict()
        layers["conv"] = nn.Conv2d(in_ch, out_ch, kernel, stride, autopad(kernel), groups=groups, bias=False)
        layers["norm"] = norm_layer(out_ch)
        if act is True:
            layers["act"] = nn.ReLU(inplace=True)
        super().__init__(layers)
        self.out_channels = out_ch


class SqueezeExcite(nn.Module):
    def __init__(self, channels, ratio=0.25, gate_fn=torch.sigmoid):
        super().__init__()
        reduced = max(1, int(channels * ratio))
        self.reduce = nn.Conv2d(channels, reduced, 1)
        self.expand = nn.Conv2d(reduced, channels, 1)
        self.gate_fn = gate_fn

    def forward(self, x):
        w = x.mean((2, 3), keepdim=True)
        w = self.expand(F.relu(self.reduce(w), inplace=True))
        return x * self.gate_fn(w)


class Model(nn.Module):
    expansion: int = 4

    def __init__(self, in_channels=16, width=32, num_blocks=2):
        super().__init__()
        self.stem = ConvBNAct(in_channels, width)
        for i in range(num_blocks):
            setattr(self, f"block{i}", ConvBNAct(width, width, groups=4))
            self.add_module("se%d" % i, SqueezeExcite(width))
        self.num_blocks = num_blocks
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(width, 10))
        self.downsample = None
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        x = self.stem(x)
        for i in range(self.num_blocks):
            identity = x
            block = getattr(self, f"block{i}")
            x = getattr(self, "se%d" % i)(block(x))
            if self.downsample is not None:
                identity = self.downsample(identity)
            x = x + identity
        return self.head(x)


def get_inputs():
    return [torch.randn(2, 16, 8, 8)]


def get_init_inputs():
    return [16, 32, 2]
