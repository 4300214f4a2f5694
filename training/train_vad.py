"""Trains the voice activity detector on the scenes of vad_scenes.py.

    python training/train_vad.py --scenes WORK/scenes-1.npz WORK/scenes-2.npz --held-out WORK/scenes-held-out.npz \\
        --out WORK/vad.pt

One thread, fixed seeds: the same scenes, steps and machine give the same weights. Excerpts begin anywhere in a scene
with nothing remembered, as a stream does. Half of them are mixed with the noise of another scene, and each is heard
through another microphone and at another level.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from vad_network import BINS, Detector, features

BATCH = 24
EXCERPT_WINDOWS = 400
PEAK_RATE = 4e-3
# Steps over which the weights that are kept are averaged: they are good before the rate has come down.
AVERAGED_STEPS = 200
REPORT_STEPS = 250
# Peaks of an excerpt, against full scale. Scenes are stored at -6 dB.
LOUDEST_DB, QUIETEST_DB = 0.0, -52.0
STORED_DB = -6.0
MIXED, MIXED_DB = 0.5, (-30.0, 0.0)
# A false start interrupts whoever speaks on the other end; a missed 20 ms of a long sentence does not.
NOISE_SCENE_WEIGHT = 1.5
# So many excerpts begin where their scene does, which is inside a word in a third of the conversations. The first half
# second of every excerpt counts twice, because a stream has only one.
FROM_BEGINNING, FIRST_WINDOWS, FIRST_WEIGHT = 0.25, 25, 2.0


class Scenes:
    def __init__(self, paths):
        stored = [np.load(path) for path in paths]
        together = lambda name: torch.from_numpy(np.concatenate([each[name] for each in stored]))
        self.powers, self.labels = together("powers"), together("labels").float()
        self.has_speech = together("hasSpeech")
        self._noises = np.flatnonzero(~self.has_speech.numpy())

    def batch(self, rng):
        """Inputs of the network, labels and weights of an excerpt in each row."""
        latest = self.powers.shape[1] - EXCERPT_WINDOWS
        rows, starts = rng.integers(len(self.powers), size=BATCH), rng.integers(latest + 1, size=BATCH)
        starts = np.where(rng.random(BATCH) < FROM_BEGINNING, 0, starts)
        noises, noise_starts = rng.choice(self._noises, BATCH), rng.integers(latest + 1, size=BATCH)

        power, labels = excerpts(self.powers, rows, starts), excerpts(self.labels, rows, starts)
        power = mixed(rng, power, excerpts(self.powers, noises, noise_starts)) * microphone(rng)
        weights = torch.where(self.has_speech[rows], 1.0, NOISE_SCENE_WEIGHT)[:, None].repeat(1, EXCERPT_WINDOWS)
        weights[:, :FIRST_WINDOWS] *= FIRST_WEIGHT
        return *features(power), labels, weights


def excerpts(source, rows, starts):
    return torch.stack([source[row, start : start + EXCERPT_WINDOWS] for row, start in zip(rows, starts)])


def mixed(rng, power, noise):
    """Adds the noise to half of the rows. Powers add up with a phase between them, which is anything in every bin."""
    mean = lambda x: x.mean(dim=(1, 2), keepdim=True) + 1e-9
    ratio = 10 ** (rng.uniform(*MIXED_DB, (BATCH, 1, 1)) / 10) * (rng.random((BATCH, 1, 1)) < MIXED)
    noise = noise * (mean(power) / mean(noise) * torch.from_numpy(ratio).float())
    between = torch.from_numpy(rng.random(power.shape, dtype=np.float32) * np.float32(2 * np.pi))
    return (power + noise + 2 * torch.sqrt(power * noise) * torch.cos(between)).clamp(min=0)


def microphone(rng):
    """A smooth colour and a level for each excerpt: gains of powers, [batch, 1, bins]."""
    octaves = np.log2(BINS / BINS[0])[None, None, :] / np.log2(BINS[-1] / BINS[0])
    tilt, hill, centre = (rng.normal(0, sigma, (BATCH, 1, 1)) for sigma in (0.7, 0.7, 1.0))
    level = np.log(10) / 10 * (rng.uniform(QUIETEST_DB, LOUDEST_DB, (BATCH, 1, 1)) - STORED_DB)
    colour = tilt * (2 * octaves - 1) + hill * np.cos(np.pi * (2 * octaves + centre))
    return torch.from_numpy(np.exp(level + colour)).float()


def area_under_curve(scores, labels):
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(len(scores))
    positives = labels.sum()
    return (ranks[labels].mean() - (positives - 1) / 2) / (len(labels) - positives)


@torch.no_grad()
def report(net, scenes):
    logits = torch.cat([net(*features(part)) for part in scenes.powers.split(20)])
    labels, spoken = scenes.labels > 0.5, scenes.has_speech
    wrong = (logits > 0) != labels
    figures = {
        "loss": functional.binary_cross_entropy_with_logits(logits, scenes.labels).item(),
        "area": area_under_curve(logits.flatten().numpy(), labels.flatten().numpy()),
        "errors": wrong.float().mean().item(),
        "missed": wrong[labels].float().mean().item(),
        "false in conversations": wrong[spoken][~labels[spoken]].float().mean().item(),
        "false in noise": wrong[~spoken].float().mean().item(),
    }
    print("  held out: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()), flush=True)


def train(net, scenes, held_out, steps, seed, out):
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(1 - 1 / AVERAGED_STEPS))
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
    began, losses = time.process_time(), []
    for step in range(steps):
        warm_up, progress = min(1, (step + 1) / 100), step / steps
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * warm_up * 0.5 * (1 + math.cos(math.pi * progress)) + 1e-6
        fast, slow, labels, weights = scenes.batch(rng)
        loss = functional.binary_cross_entropy_with_logits(net(fast, slow), labels, weights)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        averaged.update_parameters(net)
        losses.append(loss.item())
        if (step + 1) % REPORT_STEPS == 0 or step + 1 == steps:
            seconds, recent = time.process_time() - began, np.mean(losses[-REPORT_STEPS:])
            print(f"{step + 1} of {steps}, {seconds:.0f} s, loss {recent:.4f}", flush=True)
            report(averaged.module, held_out)
            torch.save(averaged.module.state_dict(), out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, nargs="+", required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    net = Detector()
    print(f"{sum(value.numel() for value in net.parameters())} parameters")
    train(net, Scenes(options.scenes), Scenes([options.held_out]), options.steps, options.seed, options.out)


if __name__ == "__main__":
    main()
