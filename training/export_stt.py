"""Writes models/starter/stt-en.onnx and its row of the manifest from a checkpoint.

    python training/export_stt.py --weights .cache/training/stt.pt --out models/starter

The graph takes PCM and holds every piece of recurrent state in one tensor, `state` f32 [batch, floats], all zeros at
the start of a stream. Batch and length are dynamic. The same weights give the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from front_end import HOP, MELS, SAMPLE_RATE, taps_matrix, write_front_end, write_strided
from graph_writer import GraphWriter, PackedState, write_file
from network import LOOK_AHEAD, TAPS, weights_of
from onnx import numpy_helper
from phones import PHONES

FILE = "stt-en.onnx"
TAPS_STRIDED = 5


def write_depthwise(g, padded, weight, taps):
    """A causal depthwise convolution over axis 1 as shifted products: one channel count, no transposes."""
    total = None
    for tap in range(taps):
        row = g.slice(weight, 0, tap, tap + 1)
        product = g.node("Mul", [g.window(padded, 1, tap, taps - 1), row])
        total = product if total is None else g.node("Add", [total, product])
    return total


def write_phone_block(g, x, state, weights, prefix, look_ahead, valid):
    """x + p2(relu(p1(norm(depthwise(x))))), delayed by `look_ahead` frames; frames before the stream are zero."""
    channels = weights[f"{prefix}.ln.weight"].shape[0]
    get = lambda name, array: g.weight(f"{prefix}.{name}", array, half=True)
    padded = g.concat([state.take(TAPS - 1, channels), x], 1)
    state.put(g.slice(padded, 1, -(TAPS - 1), None))
    y = write_depthwise(g, padded, get("dw", weights[f"{prefix}.dw.weight"][:, 0].T), TAPS)
    y = g.node("Add", [y, get("dw.bias", weights[f"{prefix}.dw.bias"])])
    y = write_norm(g, y, weights, f"{prefix}.ln")
    y = g.linear(y, get("p1", weights[f"{prefix}.p1.weight"].T), get("p1.bias", weights[f"{prefix}.p1.bias"]))
    y = g.node("Relu", [y])
    y = g.linear(y, get("p2", weights[f"{prefix}.p2.weight"].T), get("p2.bias", weights[f"{prefix}.p2.bias"]))
    same_frame = g.window(padded, 1, TAPS - 1 - look_ahead, TAPS - 1)
    return g.node("Mul", [g.node("Add", [same_frame, y]), valid])


def write_norm(g, x, weights, prefix):
    scale, bias = (g.weight(f"{prefix}.{part}", weights[f"{prefix}.{part}"], half=True) for part in ("weight", "bias"))
    return g.node("LayerNormalization", [x, scale, bias], axis=-1, epsilon=1e-5)


def phone_model(weights):
    """`pcm` [B, 640n] to `logp` [B, 2n, 41]: blank and 40 phones per 20 ms slot, delayed by 12 slots."""
    g = GraphWriter()
    state = PackedState(g, "state")
    half = lambda name, array: g.weight(name, array, half=True)
    mel = write_front_end(g, "pcm", state, half=False)
    width = weights["c1.bias"].shape[0]
    x = write_strided(g, mel, state, MELS, half("c1", taps_matrix(weights["c1.weight"])), half("c1.b", weights["c1.bias"]))
    x = write_strided(g, x, state, width, half("c2", taps_matrix(weights["c2.weight"])), half("c2.b", weights["c2.bias"]))
    x = write_norm(g, x, weights, "l0")

    # A frame is valid once the stream has reached it. Before that the network must see zeros, as in training.
    lag = sum(LOOK_AHEAD)
    ones = g.node("Add", [g.node("Mul", [g.slice(x, 2, 0, 1), g.scalar(0.0)]), g.scalar(1.0)])
    reached = g.concat([state.take(lag, 1), ones], 1)
    state.put(g.slice(reached, 1, -lag, None))
    delay = 0
    for i, look_ahead in enumerate(LOOK_AHEAD):
        delay += look_ahead
        x = write_phone_block(g, x, state, weights, f"b.{i}", look_ahead, g.window(reached, 1, lag - delay, lag))
    x = write_norm(g, x, weights, "ln")
    labels = weights["out.bias"].shape[0] // 2
    x = g.linear(x, half("out", weights["out.weight"].T), half("out.b", weights["out.bias"]))
    g.node("LogSoftmax", [g.reshape(x, 0, -1, labels)], "logp", axis=-1)
    state.write("nextState")
    facts = {
        "family": "starter-ctc",
        "sampleRateHz": SAMPLE_RATE,
        "stepSamples": 4 * HOP,
        "chunkSamples": 16 * HOP,
        "lagSamples": 4 * HOP * lag,
        "slotSamples": 2 * HOP,
        "stateFloats": state.floats,
        "labels": " ".join(["_", *PHONES]),
    }
    inputs = {"pcm": ["batch", "samples"], "state": ["batch", state.floats]}
    outputs = {"logp": ["batch", "slots", labels], "nextState": ["batch", state.floats]}
    return g.model("starter phone network", inputs, outputs, facts), facts


def weights_from_graph(path):
    """The exported weights by their names in the network, as torch tensors: training can go on from the shipped file."""
    stored = {t.name.removesuffix(".f16"): numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    weights = {}
    for layer in ("c1", "c2"):
        bias = stored[f"{layer}.b"]
        weights[f"{layer}.weight"] = stored[layer].reshape(TAPS_STRIDED, -1, len(bias)).transpose(2, 1, 0)
        weights[f"{layer}.bias"] = bias
    blocks = sum(name.endswith(".dw") for name in stored)
    for block in range(blocks):
        name = f"b.{block}"
        weights[f"{name}.dw.weight"] = stored[f"{name}.dw"].T[:, None]
        weights |= {f"{name}.{part}.weight": stored[f"{name}.{part}"].T for part in ("p1", "p2")}
        weights |= {f"{name}.{part}.bias": stored[f"{name}.{part}.bias"] for part in ("dw", "p1", "p2")}
    for norm in ("l0", "ln", *(f"b.{block}.ln" for block in range(blocks))):
        weights |= {f"{norm}.{part}": stored[f"{norm}.{part}"] for part in ("weight", "bias")}
    weights |= {"out.weight": stored["out"].T, "out.bias": stored["out.b"]}
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="checkpoint of train_stt.py (.pt), or an exported graph")
    parser.add_argument("--out", type=Path, default=Path("models/starter"))
    options = parser.parse_args()
    read = weights_from_graph if options.weights.suffix == ".onnx" else weights_of
    weights = {name: value.numpy() for name, value in read(options.weights).items()}
    write_file(options.out / FILE, *phone_model(weights))


if __name__ == "__main__":
    main()
