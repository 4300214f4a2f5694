"""Disturbances of log-mel frames [batch, frames, 64]: cheap enough to draw anew for each pass over the data."""

import math

import torch
import torch.nn.functional as F
from front_end import MELS

NOISE_FRAMES = 30_000
MASK = 1.0  # what the front end's normalisation maps to zero
NOT_HEARD = 40.0


def warp_matrix(scale, shift):
    """Maps band k to band scale * k + shift, linearly interpolated: another length of the vocal tract."""
    matrix = torch.zeros(MELS, MELS)
    source = (torch.arange(MELS).float() * scale + shift).clamp(0, MELS - 1.001)
    below, share = source.long(), source.frac()
    matrix[below, torch.arange(MELS)] += 1 - share
    matrix[below + 1, torch.arange(MELS)] += share
    return matrix


class Augmenter:
    def __init__(self, seed, device="cpu"):
        self.device = torch.device(device)
        self.rng = torch.Generator(self.device).manual_seed(seed)
        steps = [(1 + 0.012 * step, shift) for step in range(-8, 9) for shift in (-0.5, 0.0, 0.5)]
        self.warps = torch.stack([warp_matrix(*step) for step in steps]).to(self.device)
        self.identity = torch.tensor(steps.index((1.0, 0.0)), device=self.device)
        self.axis = torch.linspace(-1, 1, MELS, device=self.device)
        # Power of a noisy band in one frame is exponentially distributed about its mean.
        flicker = torch.empty(NOISE_FRAMES, MELS, device=self.device).exponential_(1, generator=self.rng)
        self.flicker = torch.log(flicker + 0.15) * 0.8

    def uniform(self, low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=self.rng, device=self.device)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.rng, device=self.device)

    def chance(self, share, *shape):
        return torch.rand(*shape, generator=self.rng, device=self.device) < share

    def integers(self, low, high, *shape):
        """Both ends included."""
        return torch.randint(low, high + 1, shape, generator=self.rng, device=self.device)

    def __call__(self, mel, lengths):
        """A new tensor; `lengths` are each row's frames without padding, which stay what they are."""
        mel = self.echo(self.warp(mel))
        loudest = mel.amax((1, 2), keepdim=True)
        mel = self.babble(mel)
        mel = mel + self.colour(len(mel)) + self.level(mel.shape[:2])
        mel = torch.logaddexp(mel, self.noise(mel.shape, loudest))
        return self.mask(mel, lengths.to(self.device))

    def warp(self, mel):
        drawn = self.integers(0, len(self.warps) - 1, len(mel))
        chosen = torch.where(self.chance(0.6, len(mel)), drawn, self.identity)
        return torch.bmm(mel, self.warps[chosen])

    def echo(self, mel):
        """A room's tail in a quarter of the rows: every frame's power dies away over the frames behind it."""
        shape = (len(mel), 1, 1)
        decay = torch.exp(-13.8 / self.uniform(15, 60, *shape))  # by 60 dB in 150 to 600 ms
        share = self.uniform(0.02, 0.25, *shape) * self.chance(0.25, *shape)
        power = tail = mel.exp()
        for reach in (1, 2, 4, 8, 16, 32):  # a geometric series by doubling
            tail = tail + decay**reach * F.pad(tail[:, :-reach], (0, 0, min(reach, mel.shape[1]), 0))[:, : mel.shape[1]]
        return torch.log(power + share * (tail - power) + 1e-7)

    def babble(self, mel):
        """Somebody else at the back of the room, in an eighth of the rows: another row of the batch."""
        shape = (len(mel), 1, 1)
        quieter = torch.where(self.chance(0.12, *shape), self.uniform(2.5, 8, *shape), NOT_HEARD)
        return torch.logaddexp(mel, mel.roll(1, 0) - quieter)

    def waves(self, count, strength, cycles):
        phase = self.uniform(0, 2 * math.pi, count, 1)
        return self.normal(count, 1) * strength * torch.cos(math.pi * cycles * self.axis + phase)

    def colour(self, count):
        """Microphones and rooms: a tilt, a few waves, sometimes a telephone's band."""
        curve = self.normal(count, 1) * 0.8 * self.axis + self.waves(count, 0.4, 1.5) + self.waves(count, 0.3, 3)
        band = torch.arange(MELS, device=self.device)[None]
        narrow = -5.0 * (band < self.integers(3, 6, count, 1)) - 8.0 * (band >= self.integers(42, 50, count, 1))
        return (curve + narrow * self.chance(0.15, count, 1))[:, None]

    def level(self, shape):
        """Louder or quieter; and, as the streaming leveller does it, too loud at first until it has heard speech."""
        count, frames = shape
        gain = self.uniform(-3.5, 1.5, count, 1)
        until = self.uniform(10, 80, count, 1)
        early = self.uniform(0, 2.3, count, 1) * self.chance(0.25, count, 1)
        return (gain + early * (torch.arange(frames, device=self.device) < until))[..., None]

    def noise(self, shape, loudest):
        """Steady noise of a random colour; the ratio to the loudest band is 26 dB and more, mostly much more."""
        count, frames, _ = shape
        tilt = self.normal(count, 1) * 0.8 * self.axis - 1.2 * self.axis + self.waves(count, 0.5, 2)
        ratio = torch.where(self.chance(0.6, count, 1, 1), self.uniform(5.5, 12, count, 1, 1), 14.0)
        # Swells of some seconds, as of traffic; in half of the rows.
        rate, phase = self.uniform(0.2, 3.0, count, 1), self.uniform(0, 2 * math.pi, count, 1)
        swell = torch.sin(2 * math.pi * rate * torch.arange(frames, device=self.device) / 100 + phase)
        swell = swell * self.uniform(0, 1.5, count, 1) * self.chance(0.5, count, 1)
        start = self.integers(0, NOISE_FRAMES - frames - 1, 1)
        flicker = self.flicker[start + torch.arange(frames, device=self.device)]
        return loudest - ratio - 1 + tilt[:, None] + swell[..., None] + flicker

    def mask(self, mel, lengths):
        """Bands and moments are blanked out, as in SpecAugment (Park et al. 2019), more gently."""
        count, frames, _ = mel.shape
        band, frame = torch.arange(MELS, device=self.device), torch.arange(frames, device=self.device)
        blank = self.spans(8, torch.full((count, 1), MELS, device=self.device), band, 1)[:, None, :]
        spans = lengths[:, None] // 200 + self.integers(0, 1, count, 1)
        most = frames // 200 + 1
        moments = self.spans(10, lengths[:, None].expand(-1, most), frame, spans)
        return mel.masked_fill(blank | moments[..., None], MASK)

    def spans(self, width_max, within, axis, wanted):
        """bool [rows, axis]: up to `wanted` spans of up to `width_max` in each row, inside its `within` entries."""
        width = self.integers(0, width_max, *within.shape)
        first = (self.uniform(0, 1, *within.shape) * (within - width + 1).clamp(min=1)).long()
        wide = width * (torch.arange(within.shape[1], device=self.device)[None] < wanted)
        inside = (axis >= first[..., None]) & (axis < (first + wide)[..., None])
        return inside.any(1)


def change_tempo(mel, factor):
    """[frames, bands] said `factor` times as slowly."""
    frames = max(8, round(len(mel) * factor))
    return F.interpolate(mel.t()[None], frames, mode="linear", align_corners=False)[0].t()
