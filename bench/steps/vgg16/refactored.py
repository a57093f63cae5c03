import sys
from pathlib import Path

import torch.nn as nn

sys.path.insert(0, str(Path(__file__).parent / "children"))
from classifier_head import Model as ClassifierHead
from conv_stage import Model as ConvStage


class RefactoredModel(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.stage_1 = ConvStage(3, 64, 2)
        self.stage_2 = ConvStage(64, 128, 2)
        self.stage_3 = ConvStage(128, 256, 3)
        self.stage_4 = ConvStage(256, 512, 3)
        self.stage_5 = ConvStage(512, 512, 3)
        self.head = ClassifierHead(classes)

    def forward(self, x):
        x = self.stage_1(x)
        x = self.stage_2(x)
        x = self.stage_3(x)
        x = self.stage_4(x)
        x = self.stage_5(x)
        return self.head(x.flatten(1))
