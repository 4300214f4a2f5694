"""The phone network: log-mel frames to phones, streaming by construction.

Two strided convolutions make one frame of 40 ms of four of 10 ms; blocks of a depthwise convolution, a layer norm and two
dense layers follow, as in ConvNeXt (Liu et al. 2022) with a ReLU for speed. A block that "looks ahead" shifts its taps by
one frame. Each frame gives two slots of 20 ms, since 40 ms is too coarse for CTC and short phones.
"""

import torch
import torch.nn.functional as F
from depthwise import depthwise
from front_end import LOG_FLOOR, MEAN, MELS, SCALE
from phones import LABELS
from torch import nn

CHANNELS = 192
FIRST_CHANNELS = 128
TAPS = 9
LOOK_AHEAD = (1, 1, 1, 1, 1, 1, 0, 0, 0, 0)  # frames of 40 ms that each block sees ahead: 240 ms in all
FRAMES_PER_STEP = 4
SLOTS_PER_STEP = 2
EXPANSION = 4


class Block(nn.Module):
    def __init__(self, channels, look_ahead, expansion):
        super().__init__()
        self.reach = (TAPS - 1 - look_ahead, look_ahead)
        self.dw = nn.Conv1d(channels, channels, TAPS, groups=channels)
        self.ln = nn.LayerNorm(channels)
        self.p1 = nn.Linear(channels, expansion * channels)
        self.p2 = nn.Linear(expansion * channels, channels)

    def forward(self, x):
        """[batch, frames, channels], same out."""
        y = depthwise(F.pad(x, (0, 0, *self.reach)), self.dw.weight, self.dw.bias)
        return x + self.p2(F.relu(self.p1(self.ln(y))))


class PhoneNetwork(nn.Module):
    def __init__(self, channels=CHANNELS, expansion=EXPANSION):
        super().__init__()
        self.c1 = nn.Conv1d(MELS, FIRST_CHANNELS, 5, 2)
        self.c2 = nn.Conv1d(FIRST_CHANNELS, channels, 5, 2)
        self.l0 = nn.LayerNorm(channels)
        self.b = nn.ModuleList(Block(channels, look_ahead, expansion) for look_ahead in LOOK_AHEAD)
        self.ln = nn.LayerNorm(channels)
        self.out = nn.Linear(channels, SLOTS_PER_STEP * LABELS)

    def forward(self, mel):
        """Log-mel [batch, frames, 64] to log-probabilities [batch, 2 ceil(frames / 4), labels]."""
        return F.log_softmax(self.logits(mel), -1)

    def logits(self, mel):
        x = ((mel.clamp(min=LOG_FLOOR) - MEAN) / SCALE).transpose(1, 2)
        x = F.relu(self.c1(F.pad(x, (3, 1))))
        x = F.relu(self.c2(F.pad(x, (3, 1)))).transpose(1, 2)
        x = self.l0(x.contiguous())
        for block in self.b:
            x = block(x)
        return self.out(self.ln(x)).reshape(len(mel), -1, LABELS)


@torch.no_grad()
def adopt(network, weights):
    """Loads `weights` into a network that may have more hidden units or more blocks: these begin without an effect."""
    for name, own in network.state_dict().items():
        known = weights.get(name)
        if known is None:
            if ".p2." in name:
                own.zero_()
        elif name.endswith(".p2.weight"):
            own.zero_()
            own[:, : known.shape[1]] = known
        else:
            own[: len(known)] = known


def weights_of(path):
    """Weights by name, of a checkpoint or of a bare state dict."""
    saved = torch.load(path, weights_only=True)
    return saved.get("network", saved)


def slots_of(frames):
    return SLOTS_PER_STEP * ((frames + FRAMES_PER_STEP - 1) // FRAMES_PER_STEP)
