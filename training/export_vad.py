"""Writes models/starter/vad.onnx and its row of the manifest from the trained detector.

    python training/export_vad.py --weights WORK/vad.pt --out models/starter

The graph takes one window of PCM and holds every piece of recurrent state in one tensor, `state` f32 [batch, floats], all
zeros at the start of a stream. The batch is free. One window at a time keeps every tensor a matrix: half of the operators
of a graph over any number of windows, and at this size an operator costs more than its arithmetic. The same weights give
the same bytes; a graph of the same layers stands for weights too.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from front_end import taps_matrix
from graph_writer import GraphWriter, write_file
from onnx import numpy_helper
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
# The state: samples; means of bands and their weight; features two windows ago and one; of each block the windows that a
# tap sees and those between; two memories. An accelerator takes few tensors in one operator, so that parts have parts.
PARTS = [[TAIL], [BANDS, 1], [FAST, FAST]]
PARTS += [[CHANNELS, (dilation - 1) * CHANNELS] * 2 if dilation > 1 else [CHANNELS, CHANNELS] for dilation in DILATIONS]
PARTS += [[MEMORY, MEMORY]]


class SplitState(GraphWriter):
    """A writer of a graph whose recurrent state is one tensor f32 [batch, floats], split and joined in two steps."""

    def __init__(self):
        super().__init__()
        self._left = list(zip(self.split("state", [sum(sizes) for sizes in PARTS]), PARTS))
        self._next = []
        self.floats = sum(map(sum, PARTS))

    def take(self):
        """The pieces of the next part of the incoming state, each [batch, floats of it]."""
        part, sizes = self._left.pop(0)
        return self.split(part, sizes) if len(sizes) > 1 else [part]

    def put(self, *pieces):
        """The same part for the next run."""
        self._next.append(self.concat(pieces, 1) if len(pieces) > 1 else pieces[0])

    def write_next(self, output):
        assert not self._left and len(self._next) == len(PARTS), "every part is taken and put back"
        self.node("Concat", self._next, output, axis=1)


def write_spectrum(g, pcm):
    """PCM [B, 320] to band powers [B, 38], floor added, and magnitudes of the lowest bins [B, 46].

    The transform is one matrix, of cosines and then sines; what sums the squares to bands sums both halves.
    """
    offset = np.arange(FRAME)[:, None]
    angle = 2 * np.pi * offset * BINS[None, :] / FRAME
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * offset / FRAME)
    transform = np.concatenate([hann * np.cos(angle), hann * np.sin(angle)], axis=1)
    frame = g.concat([*g.take(), pcm], 1)
    g.put(g.slice(pcm, 1, WINDOW - TAIL, None))
    parts = g.node("MatMul", [frame, g.weight("dft", transform, half=True)])
    squares = g.node("Mul", [parts, parts])
    sums = np.concatenate([mel_bank(), np.eye(len(BINS), PITCH_BINS, dtype=np.float32)], axis=1)
    floor = np.repeat(np.float32([POWER_FLOOR, 0]), [BANDS, PITCH_BINS])
    both = g.gemm(squares, g.constant("sums", np.concatenate([sums, sums])), g.constant("floor", floor))
    bands, low = g.split(both, [BANDS, PITCH_BINS])
    return bands, g.node("Sqrt", [low])


def write_mean(g, x, windows, before):
    """An exponential running mean, as in vad_network.running_mean: this window's from the one before."""
    decay = np.exp(-1 / np.atleast_1d(np.float32(windows)))
    kept, new = g.constant(f"decay {windows}", decay), g.constant(f"new {windows}", 1 - decay)
    return g.node("Add", [g.node("Mul", [before, kept]), g.node("Mul", [x, new])])


def write_features(g):
    """Log mel less the level and the pitch [B, 71], and the bands' means [B, 38].

    Unlike those of vad_network.features, these are not scaled and centred: `first_matrix` does that.
    """
    power, magnitudes = write_spectrum(g, "pcm")
    log = g.node("Log", [power])
    before, weight = g.take()
    sums = write_mean(g, log, LEVEL_WINDOWS, before)
    # The mean of ones from zero: divided by it, the means are right from the first window on.
    decay = np.exp(-1 / np.float32(LEVEL_WINDOWS))
    weight = g.node("Add", [g.node("Mul", [weight, g.scalar(decay)]), g.scalar(1 - decay)])
    g.put(sums, weight)
    bands = g.node("Div", [sums, weight])
    level = g.node("ReduceMean", [bands], axes=[-1], keepdims=1)
    matrix = pitch_matrix()
    floor = np.zeros(matrix.shape[1], np.float32)
    floor[0] = MAGNITUDE_FLOOR
    points = g.gemm(magnitudes, g.constant("pitch", matrix), g.constant("pitch floor", floor))
    total, lags = g.split(points, [1, len(LAGS)])
    return g.concat([g.node("Sub", [log, level]), g.node("Div", [lags, total])], 1), bands


def first_matrix(weights):
    """The first layer over three taps of 71 features and 38 means, scaled and centred as in vad_network.features."""
    fast = weights["fast.weight"].copy()
    fast[:, :BANDS] *= MEL_SCALE
    slow = weights["slow.weight"].T
    level = slow[BANDS:] * LEVEL_SCALE - slow[:BANDS].sum(axis=0) * MEL_SCALE
    bands = slow[:BANDS] * MEL_SCALE + level / BANDS
    bias = weights["fast.bias"] - slow[BANDS] * LEVEL_SCALE * LEVEL_CENTRE
    return np.concatenate([taps_matrix(fast), bands]), bias


def matrices_of(weights):
    """{name: (matrix, bias)} of every dense layer, as the graph has them."""
    layers = {"first": first_matrix(weights), "out": (weights["out.weight"].T, weights["out.bias"])}
    for i in range(len(DILATIONS)):
        layers[f"block.{i}"] = taps_matrix(weights[f"blocks.{i}.weight"]), weights[f"blocks.{i}.bias"]
    for i in range(2):
        layers |= {f"{kind}.{i}": (weights[f"{kind}.{i}.weight"].T, weights[f"{kind}.{i}.bias"]) for kind in ("write", "read")}
    return layers


def matrices_from_graph(path):
    stored = {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
    return {name: (stored[name], stored[f"{name}.bias"]) for name in stored if f"{name}.bias" in stored}


def write_taps(g, x, dilation):
    """What three taps of a causal convolution see: x two dilations ago, one ago, and x."""
    if dilation == 1:
        oldest, middle = g.take()
        g.put(middle, x)
    else:
        oldest, behind, middle, between = g.take()
        g.put(behind, middle, between, x)
    return [oldest, middle, x]


def vad_model(layers):
    """`pcm` [B, 320] to `prob` [B, 1]: speech probability of a window of 20 ms."""
    g = SplitState()

    def dense(name, x):
        matrix, bias = layers[name]
        return g.gemm(x, g.constant(name, matrix), g.constant(f"{name}.bias", bias))

    def layer(name, *parts):
        return g.node("Relu", [dense(name, g.concat(parts, 1) if len(parts) > 1 else parts[0])])

    fast, slow = write_features(g)
    x = layer("first", *write_taps(g, fast, 1), slow)
    for i, dilation in enumerate(DILATIONS):
        x = g.node("Add", [x, layer(f"block.{i}", *write_taps(g, x, dilation))])
    memories = []
    for i, before in enumerate(g.take()):
        memories.append(write_mean(g, layer(f"write.{i}", x), MEMORY_WINDOWS, before))
        x = g.node("Add", [x, layer(f"read.{i}", x, memories[-1])])
    g.put(*memories)
    g.node("Sigmoid", [dense("out", x)], "prob")
    g.write_next("nextState")
    facts = {
        "family": "starter-vad",
        "sampleRateHz": SAMPLE_RATE,
        "stepSamples": WINDOW,
        "chunkSamples": WINDOW,
        "lagSamples": LAG_SAMPLES,
        "stateFloats": g.floats,
    }
    inputs = {"pcm": ["batch", WINDOW], "state": ["batch", g.floats]}
    outputs = {"prob": ["batch", 1], "nextState": ["batch", g.floats]}
    return g.model("starter voice activity detector", inputs, outputs, facts), facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="of train_vad.py (.pt), or an exported graph")
    parser.add_argument("--out", type=Path, default=Path("models/starter"))
    options = parser.parse_args()
    if options.weights.suffix == ".onnx":
        layers = matrices_from_graph(options.weights)
    else:
        weights = torch.load(options.weights, weights_only=True)
        layers = matrices_of({name: value.numpy() for name, value in weights.items()})
    write_file(options.out / FILE, *vad_model(layers))


if __name__ == "__main__":
    main()
