"""VGG-16 (Simonyan and Zisserman, 2014, configuration D) in fp32 at batch 10."""
import torch
import torch.nn as nn

CHANNELS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")


class Model(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers, width = [], 3
        for channels in CHANNELS:
            if channels == "pool":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
                width = channels
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.0), nn.Linear(4096, 4096),
                                        nn.ReLU(), nn.Dropout(0.0), nn.Linear(4096, classes))

    def forward(self, x):
        x = self.features(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


def get_inputs():
    return [torch.rand(10, 3, 224, 224)]


def get_init_inputs():
    return [1000]
