"""Disturbances of log-mel frames [batch, frames, 64]: cheap enough to draw anew for each pass over the data."""

import math

import torch
import torch.nn.functional as F
from front_end import MELS

NOISE_FRAMES = 30_000
MASK = 1.0  # what the front end's normalisation maps to zero
AXIS = torch.linspace(-1, 1, MELS)


def warp_matrix(scale, shift):
    """Maps band k to band scale * k + shift, linearly interpolated: another length of the vocal tract."""
    matrix = torch.zeros(MELS, MELS)
    source = (torch.arange(MELS).float() * scale + shift).clamp(0, MELS - 1.001)
    below, share = source.long(), source.frac()
    matrix[below, torch.arange(MELS)] += 1 - share
    matrix[below + 1, torch.arange(MELS)] += share
    return matrix


class Augmenter:
    def __init__(self, seed):
        self.rng = torch.Generator().manual_seed(seed)
        steps = [(1 + 0.012 * step, shift) for step in range(-6, 7) for shift in (-0.5, 0.0, 0.5)]
        self.warps = torch.stack([warp_matrix(*step) for step in steps])
        self.identity = steps.index((1.0, 0.0))
        # Power of a noisy band in one frame is exponentially distributed about its mean.
        flicker = torch.empty(NOISE_FRAMES, MELS).exponential_(1, generator=self.rng)
        self.flicker = torch.log(flicker + 0.15) * 0.8

    def uniform(self, low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=self.rng)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.rng)

    def chance(self, share, *shape):
        return torch.rand(*shape, generator=self.rng) < share

    def integer(self, low, high):
        """Both ends included."""
        return int(torch.randint(low, high + 1, (1,), generator=self.rng))

    def __call__(self, mel, lengths):
        """A new tensor; `lengths` are each row's frames without padding, which stay what they are."""
        mel = self.warp(mel)
        loudest = mel.amax((1, 2), keepdim=True)
        mel = mel + self.colour(len(mel)) + self.level(mel.shape[:2])
        mel = torch.logaddexp(mel, self.noise(mel.shape, loudest))
        return self.mask(mel, lengths)

    def warp(self, mel):
        count = len(mel)
        drawn = torch.randint(len(self.warps), (count,), generator=self.rng)
        chosen = torch.where(self.chance(0.5, count), drawn, torch.tensor(self.identity))
        return torch.bmm(mel, self.warps[chosen])

    def waves(self, count, strength, cycles):
        phase = self.uniform(0, 2 * math.pi, count, 1)
        return self.normal(count, 1) * strength * torch.cos(math.pi * cycles * AXIS + phase)

    def colour(self, count):
        """Microphones and rooms: a tilt, a few waves, sometimes a telephone's band."""
        curve = self.normal(count, 1) * 0.7 * AXIS + self.waves(count, 0.4, 1.5) + self.waves(count, 0.3, 3)
        band = torch.zeros(MELS)
        band[: self.integer(3, 6)] = -5
        band[self.integer(42, 50) :] = -8
        return (curve + band * self.chance(0.1, count, 1))[:, None]

    def level(self, shape):
        """Louder or quieter; and, as the streaming leveller does it, too loud at first until it has heard speech."""
        count, frames = shape
        gain = self.uniform(-3.5, 1.5, count, 1)
        until = self.uniform(10, 80, count, 1)
        early = self.uniform(0, 2.3, count, 1) * self.chance(0.25, count, 1)
        return (gain + early * (torch.arange(frames) < until))[..., None]

    def noise(self, shape, loudest):
        """Steady noise of a random colour; the ratio to the loudest band is 26 dB and more, mostly much more."""
        count, frames, _ = shape
        tilt = self.normal(count, 1) * 0.8 * AXIS - 1.2 * AXIS + self.waves(count, 0.5, 2)
        ratio = torch.where(self.chance(0.6, count, 1, 1), self.uniform(5.5, 12, count, 1, 1), torch.tensor(14.0))
        # Swells of some seconds, as of traffic; in half of the rows.
        rate, phase = self.uniform(0.2, 3.0, count, 1), self.uniform(0, 2 * math.pi, count, 1)
        swell = torch.sin(2 * math.pi * rate * torch.arange(frames) / 100 + phase)
        swell = swell * self.uniform(0, 1.5, count, 1) * self.chance(0.5, count, 1)
        start = self.integer(0, NOISE_FRAMES - frames - 1)
        flicker = self.flicker[start : start + frames]
        return loudest - ratio - 1 + tilt[:, None] + swell[..., None] + flicker

    def mask(self, mel, lengths):
        """Bands and moments are blanked out, as in SpecAugment (Park et al. 2019), more gently."""
        for row, length in enumerate(lengths.tolist()):
            width = self.integer(0, 8)
            first = self.integer(0, MELS - width)
            mel[row, :, first : first + width] = MASK
            for _ in range(length // 200 + self.integer(0, 1)):
                width = self.integer(0, 10)
                start = self.integer(0, max(0, length - width))
                mel[row, start : start + width] = MASK
        return mel


def change_tempo(mel, factor):
    """[frames, bands] said `factor` times as slowly."""
    frames = max(8, round(len(mel) * factor))
    return F.interpolate(mel.t()[None], frames, mode="linear", align_corners=False)[0].t()
