"""Writes models/starter/vad.onnx and its row of the manifest from the trained detector.

    python training/export_vad.py --weights WORK/vad.pt --out models/starter

The graph takes PCM and holds every piece of recurrent state in one tensor, `state` f32 [batch, floats], all zeros at
the start of a stream. Batch and length are dynamic. The same weights give the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from front_end import taps_matrix
from graph_writer import GraphWriter, write_file
from onnx import helper
from vad_network import (
    BANDS,
    BINS,
    CHANNELS,
    DILATIONS,
    FRAME,
    LAG_SAMPLES,
    LAGS,
    LEVEL_CENTRE,
    LEVEL_SCALE,
    LEVEL_WINDOWS,
    MAGNITUDE_FLOOR,
    MEL_SCALE,
    MEMORY,
    MEMORY_WINDOWS,
    PITCH_BINS,
    POWER_FLOOR,
    SAMPLE_RATE,
    TAIL,
    WINDOW,
    mel_bank,
    pitch_matrix,
)

FILE = "vad.onnx"
FAST = BANDS + len(LAGS)
STATE_PARTS = [(1, TAIL), (1, BANDS + 1), (2, FAST), *((2 * d, CHANNELS) for d in DILATIONS), (1, MEMORY), (1, MEMORY)]


class SplitState(GraphWriter):
    """A writer of a graph whose recurrent state is one tensor f32 [batch, floats], split once: that is the quickest."""

    def __init__(self):
        super().__init__()
        sizes = [rows * columns for rows, columns in STATE_PARTS]
        names = [f"state {i}" for i in range(len(sizes))]
        parts = [self.constant("state parts", np.array(sizes, np.int64))]
        self._nodes.append(helper.make_node("Split", ["state", *parts], names, name="state parts", axis=1))
        self._left = list(zip(names, STATE_PARTS))
        self._next = []
        self.floats = sum(sizes)

    def take(self):
        """The next part of the incoming state, [batch, rows, columns]."""
        name, dims = self._left.pop(0)
        return self.reshape(name, 0, *dims)

    def put(self, x):
        """What the next run takes in the same turn."""
        self._next.append(self.reshape(x, 0, -1))

    def write_next(self, output):
        assert not self._left and len(self._next) == len(STATE_PARTS), "every part is taken and put back"
        self.node("Concat", self._next, output, axis=1)


def write_power(g, pcm):
    """PCM [B, 320 n] to the power of BINS [B, n, 100].

    The transform is two matrices. Folding a frame about its centre would halve the multiplications, and takes twice as
    long: reversing half a frame costs more than the product.
    """
    offset = np.arange(FRAME)[:, None]
    angle = 2 * np.pi * offset * BINS[None, :] / FRAME
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * offset / FRAME)
    new = g.reshape(pcm, 0, -1, WINDOW)
    tails = g.concat([g.take(), g.slice(new, 2, WINDOW - TAIL, None)], 1)
    g.put(g.slice(tails, 1, -1, None))
    frames = g.concat([g.window(tails, 1, 0, 1), new], 2)
    real = g.node("MatMul", [frames, g.weight("dft.cos", hann * np.cos(angle), half=True)])
    imaginary = g.node("MatMul", [frames, g.weight("dft.sin", hann * np.sin(angle), half=True)])
    return g.node("Add", [g.node("Mul", [real, real]), g.node("Mul", [imaginary, imaginary])])


class RunningMeans:
    """Exponential running means by a cumulative sum, as in vad_network.running_mean; one state float per channel."""

    def __init__(self, g, like):
        """`like` is any [B, n, channels]; the count of windows comes from its first row."""
        self._g = g
        one = g.slice(g.slice(like, 0, 0, 1), 2, 0, 1)
        self._steps = self._sum(g.node("Add", [g.node("Mul", [one, g.scalar(0.0)]), g.scalar(1.0)]))
        self._factors = {}

    def _sum(self, x):
        return self._g.node("CumSum", [x, self._g.constant("axis 1", np.int64(1))])

    def _factors_of(self, windows):
        """What a new value is multiplied with, and what the sum is: [1, n, channels or 1] each."""
        if windows not in self._factors:
            g, decay = self._g, -1 / np.atleast_1d(np.float32(windows))
            name = f"decay {len(self._factors)}"
            forgotten = g.node("Exp", [g.node("Mul", [self._steps, g.constant(name, decay)])])
            self._factors[windows] = g.node("Div", [g.constant(f"{name} new", 1 - np.exp(decay)), forgotten]), forgotten
        return self._factors[windows]

    def write(self, x, windows):
        """The means of x [B, n, channels], with the next part of the state."""
        g = self._g
        growth, forgotten = self._factors_of(windows)
        sums = self._sum(g.node("Mul", [x, growth]))
        means = g.node("Mul", [g.node("Add", [sums, g.take()]), forgotten])
        g.put(g.slice(means, 1, -1, None))
        return means


def write_features(g, power):
    """Power [B, n, 100] to log mel less the level and the pitch [B, n, 71], and to the bands' means [B, n, 38].

    The third result writes further running means. Unlike those of vad_network.features, these are not scaled and
    centred: `first_matrix` does that.
    """
    mel = g.node("MatMul", [power, g.constant("mel", mel_bank())])
    log = g.node("Log", [g.node("Add", [mel, g.scalar(POWER_FLOOR)])])
    means = RunningMeans(g, log)
    ones = g.node("Add", [g.node("Mul", [g.slice(log, 2, 0, 1), g.scalar(0.0)]), g.scalar(1.0)])
    sums = means.write(g.concat([log, ones], 2), LEVEL_WINDOWS)
    bands = g.node("Div", [g.slice(sums, 2, 0, BANDS), g.slice(sums, 2, BANDS, None)])
    level = g.node("ReduceMean", [bands], axes=[-1], keepdims=1)
    magnitudes = g.node("Sqrt", [g.slice(power, 2, 0, PITCH_BINS)])
    points = g.node("MatMul", [magnitudes, g.constant("pitch", pitch_matrix())])
    total = g.node("Add", [g.slice(points, 2, 0, 1), g.scalar(MAGNITUDE_FLOOR)])
    pitch = g.node("Div", [g.slice(points, 2, 1, None), total])
    return g.concat([g.node("Sub", [log, level]), pitch], 2), bands, means


def first_matrix(weights):
    """The first layer over three taps of 71 features and 38 means, scaled and centred as in vad_network.features."""
    fast = weights["fast.weight"].copy()
    fast[:, :BANDS] *= MEL_SCALE
    slow = weights["slow.weight"].T
    level = slow[BANDS:] * LEVEL_SCALE - slow[:BANDS].sum(axis=0) * MEL_SCALE
    bands = slow[:BANDS] * MEL_SCALE + level / BANDS
    bias = weights["fast.bias"] - slow[BANDS] * LEVEL_SCALE * LEVEL_CENTRE
    return np.concatenate([taps_matrix(fast), bands]), bias


def write_taps(g, x, dilation):
    """What three taps of a causal convolution see, [B, n, channels] each: x two dilations ago, one ago, and x."""
    padded = g.concat([g.take(), x], 1)
    g.put(g.slice(padded, 1, -2 * dilation, None))
    return [g.window(padded, 1, tap * dilation, 2 * dilation) for tap in range(2)] + [x]


def vad_model(weights):
    """`pcm` [B, 320 n] to `prob` [B, n]: speech probability per 20 ms."""
    g = SplitState()

    def dense(name, x, matrix, bias):
        return g.node("Relu", [g.linear(x, g.constant(name, matrix), g.constant(f"{name}.bias", bias))])

    fast, slow, means = write_features(g, write_power(g, "pcm"))
    x = dense("first", g.concat([*write_taps(g, fast, 1), slow], 2), *first_matrix(weights))
    for i, dilation in enumerate(DILATIONS):
        matrix, bias = taps_matrix(weights[f"blocks.{i}.weight"]), weights[f"blocks.{i}.bias"]
        x = g.node("Add", [x, dense(f"block.{i}", g.concat(write_taps(g, x, dilation), 2), matrix, bias)])
    for i in range(2):
        written = dense(f"write.{i}", x, weights[f"write.{i}.weight"].T, weights[f"write.{i}.bias"])
        both = g.concat([x, means.write(written, MEMORY_WINDOWS)], 2)
        x = g.node("Add", [x, dense(f"read.{i}", both, weights[f"read.{i}.weight"].T, weights[f"read.{i}.bias"])])
    logit = g.linear(x, g.constant("out", weights["out.weight"].T), g.constant("out.bias", weights["out.bias"]))
    g.node("Sigmoid", [g.reshape(logit, 0, -1)], "prob")
    g.write_next("nextState")
    facts = {
        "family": "starter-vad",
        "sampleRateHz": SAMPLE_RATE,
        "stepSamples": WINDOW,
        "chunkSamples": WINDOW,
        "lagSamples": LAG_SAMPLES,
        "stateFloats": g.floats,
    }
    inputs = {"pcm": ["batch", "samples"], "state": ["batch", g.floats]}
    outputs = {"prob": ["batch", "windows"], "nextState": ["batch", g.floats]}
    return g.model("starter voice activity detector", inputs, outputs, facts), facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="state dict written by train_vad.py (.pt)")
    parser.add_argument("--out", type=Path, default=Path("models/starter"))
    options = parser.parse_args()
    weights = {name: value.numpy() for name, value in torch.load(options.weights, weights_only=True).items()}
    write_file(options.out / FILE, *vad_model(weights))


if __name__ == "__main__":
    main()
