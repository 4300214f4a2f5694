"""The voice activity detector: its features, as numbers, and its network.

One frame per window of 20 ms: 512 samples (192 of the windows before and the 320 new ones), periodic Hann. Every bin up
to 1.5 kHz is computed, every other one up to 4 kHz, which is where telephones end, and a few above. From them come

- 36 mel bands up to 4 kHz and two above, where an s is: ln(power + 1e-5), less a running mean over bands and time, so
  that the level of a call does not matter, and the running mean of each band: what stands still in the background;
- 33 points of the autocorrelation of the magnitudes below 1.5 kHz: voices have a pitch, most noises have none.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SAMPLE_RATE = 16_000
WINDOW = 320
FRAME = 512
TAIL = FRAME - WINDOW  # samples that a frame has from the windows before
BINS = np.concatenate([np.arange(3, 49), np.arange(50, 129, 2), np.arange(136, 241, 8)])
MELS = 36
HIGH_BANDS = ((129, 184), (185, 241))  # bins
BANDS = MELS + len(HIGH_BANDS)
LOWEST_HZ, HIGHEST_HZ = 80.0, 4000.0
POWER_FLOOR = 1e-5
PITCH_BINS = 46  # the first so many of BINS: up to 1.5 kHz
LAGS = np.arange(36, 229, 6)  # samples: 444 to 70 Hz
MAGNITUDE_FLOOR = 0.1
# A probability speaks of the 320 samples that begin this much before its window does.
LAG_SAMPLES = 240

CHANNELS = 48
MEMORY = 32
DILATIONS = (1, 2, 4)
# Windows after which a running mean has forgotten all but 1/e.
LEVEL_WINDOWS = 100
MEMORY_WINDOWS = (16,) * (MEMORY // 2) + (80,) * (MEMORY // 2)
MEL_SCALE, LEVEL_CENTRE, LEVEL_SCALE = 1 / 3, -3.0, 1 / 5


def mel_bank():
    """f32 [bins, bands]; each band is a mean over bins, so that a white noise gives the same in all of them."""
    to_mel = lambda hz: 2595 * np.log10(1 + hz / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(LOWEST_HZ), to_mel(HIGHEST_HZ), MELS + 2) / 2595) - 1)
    hz = BINS * SAMPLE_RATE / FRAME
    bank = np.zeros((len(BINS), BANDS))
    for i, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:])):
        bank[:, i] = np.maximum(0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)))
        if not bank[:, i].any():
            bank[np.argmin(np.abs(hz - centre)), i] = 1
    for i, (low, high) in enumerate(HIGH_BANDS, MELS):
        bank[:, i] = (BINS >= low) & (BINS < high)
    return (bank / bank.sum(axis=0)).astype(np.float32)


def pitch_matrix():
    """f32 [46, 34]: magnitudes to their sum and to points of the autocorrelation. The upper bins fade out."""
    bins = BINS[:PITCH_BINS]
    fade = np.minimum(1, (bins[-1] + 1 - bins) / 16)
    cosines = np.cos(2 * np.pi * bins[:, None] * LAGS[None, :] / FRAME)
    return (fade[:, None] * np.concatenate([np.ones((PITCH_BINS, 1)), cosines], axis=1)).astype(np.float32)


def powers(pcm):
    """f32 [n, 100] of a stream [320 n] from its beginning: the power of BINS."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    padded = np.pad(pcm[: len(pcm) // WINDOW * WINDOW], (TAIL, 0))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::WINDOW] * hann.astype(np.float32)
    return np.abs(np.fft.rfft(frames)[:, BINS]).astype(np.float32) ** 2


def running_mean(x, windows, before=0.0):
    """Exponential running mean along axis 1 of [batch, n, channels], as one cumulative sum.

    `windows` is a number or one of each channel. The sum's terms grow as exp(n / windows): the graph that does the
    same takes at most some 80 times the smallest of them at once.
    """
    decay = -1 / torch.as_tensor(windows, dtype=x.dtype)
    steps = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[None, :, None]
    forgotten = torch.exp(steps * decay)
    return (torch.cumsum(x * ((1 - torch.exp(decay)) / forgotten), 1) + before) * forgotten


def features(power):
    """`powers` f32 [batch, n, 100] to the network's inputs [batch, n, 71] and [batch, n, 39]."""
    log = torch.log(power @ torch.from_numpy(mel_bank()) + POWER_FLOOR)
    # Divided by the mean of ones, the mean is right from the first window on.
    band_means = running_mean(log, LEVEL_WINDOWS) / running_mean(torch.ones_like(log[..., :1]), LEVEL_WINDOWS)
    level = band_means.mean(-1, keepdim=True)
    sums = torch.sqrt(power[..., :PITCH_BINS]) @ torch.from_numpy(pitch_matrix())
    pitch = sums[..., 1:] / (sums[..., :1] + MAGNITUDE_FLOOR)
    fast = torch.cat([(log - level) * MEL_SCALE, pitch], -1)
    slow = torch.cat([(band_means - level) * MEL_SCALE, (level - LEVEL_CENTRE) * LEVEL_SCALE], -1)
    return fast, slow


class Detector(nn.Module):
    """Features to logits [batch, n]. Causal; dense convolutions of three taps, then two layers with a long memory."""

    def __init__(self):
        super().__init__()
        self.fast = nn.Conv1d(BANDS + len(LAGS), CHANNELS, 3)
        self.slow = nn.Linear(BANDS + 1, CHANNELS, bias=False)
        self.blocks = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, 3, dilation=d) for d in DILATIONS)
        self.write = nn.ModuleList(nn.Linear(CHANNELS, MEMORY) for _ in range(2))
        self.read = nn.ModuleList(nn.Linear(CHANNELS + MEMORY, CHANNELS) for _ in range(2))
        self.out = nn.Linear(CHANNELS, 1)

    def forward(self, fast, slow):
        x = self.fast(functional.pad(fast.transpose(1, 2), (2, 0))) + self.slow(slow).transpose(1, 2)
        x = functional.relu(x)
        for block, dilation in zip(self.blocks, DILATIONS):
            x = x + functional.relu(block(functional.pad(x, (2 * dilation, 0))))
        x = x.transpose(1, 2)
        for write, read in zip(self.write, self.read):
            memory = running_mean(functional.relu(write(x)), MEMORY_WINDOWS)
            x = x + functional.relu(read(torch.cat([x, memory], -1)))
        return self.out(x)[..., 0]
