"""Writes models/starter/*.onnx and their manifest from trained weights.

    python training/export_starter.py --stt-checkpoint stt-phone.pt --vad vad.onnx --out models/starter

Both graphs take PCM and hold every piece of recurrent state in one tensor, `state` f32 [batch, floats], all zeros at
the start of a stream. Batch and length are dynamic. See README.md beside this file.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from front_end import HOP, MELS, SAMPLE_RATE, taps_matrix, write_front_end, write_strided
from graph_writer import GraphWriter, PackedState
from onnx import numpy_helper

PHONE_LOOK_AHEAD = (1, 1, 1, 1, 1, 1, 0, 0)  # 40 ms frames that each block of the phone network sees ahead
PHONE_TAPS = 9
VAD_DILATIONS = (1, 2, 4, 4)
PHONES = (
    "aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()


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
    padded = g.concat([state.take(PHONE_TAPS - 1, channels), x], 1)
    state.put(g.slice(padded, 1, -(PHONE_TAPS - 1), None))
    y = write_depthwise(g, padded, get("dw", weights[f"{prefix}.dw.weight"][:, 0, 0].T), PHONE_TAPS)
    y = g.node("Add", [y, get("dw.bias", weights[f"{prefix}.dw.bias"])])
    y = write_norm(g, y, weights, f"{prefix}.ln")
    y = g.linear(y, get("p1", weights[f"{prefix}.p1.weight"].T), get("p1.bias", weights[f"{prefix}.p1.bias"]))
    y = g.node("Relu", [y])
    y = g.linear(y, get("p2", weights[f"{prefix}.p2.weight"].T), get("p2.bias", weights[f"{prefix}.p2.bias"]))
    same_frame = g.window(padded, 1, PHONE_TAPS - 1 - look_ahead, PHONE_TAPS - 1)
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
    lag = sum(PHONE_LOOK_AHEAD)
    ones = g.node("Add", [g.node("Mul", [g.slice(x, 2, 0, 1), g.scalar(0.0)]), g.scalar(1.0)])
    reached = g.concat([state.take(lag, 1), ones], 1)
    state.put(g.slice(reached, 1, -lag, None))
    delay = 0
    for i, look_ahead in enumerate(PHONE_LOOK_AHEAD):
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


def vad_model(weights):
    """`pcm` [B, 320n] to `prob` [B, n]: speech probability per 20 ms."""
    g = GraphWriter()
    state = PackedState(g, "state")
    mel = write_front_end(g, "pcm", state, half=True)
    first = g.constant("c0", taps_matrix(weights["c0.weight"]))
    x = write_strided(g, mel, state, MELS, first, g.constant("c0.b", weights["c0.bias"]))
    channels = weights["c0.bias"].shape[0]
    for i, dilation in enumerate(VAD_DILATIONS):
        # Nothing lies between the depthwise and the pointwise convolution, so both are one matrix.
        depthwise, pointwise = weights[f"dw.{i}.weight"][:, 0], weights[f"pw.{i}.weight"][:, :, 0]
        taps = depthwise.shape[1]
        matrix = taps_matrix(pointwise[:, :, None] * depthwise[None])
        bias = weights[f"pw.{i}.bias"] + pointwise @ weights[f"dw.{i}.bias"]
        reach = dilation * (taps - 1)
        padded = g.concat([state.take(reach, channels), x], 1)
        state.put(g.slice(padded, 1, -reach, None))
        laid_out = g.concat([g.window(padded, 1, tap * dilation, reach) for tap in range(taps)], 2)
        y = g.linear(laid_out, g.constant(f"block.{i}", matrix), g.constant(f"block.{i}.b", bias))
        x = g.node("Add", [x, g.node("Relu", [y])])
    out = g.constant("out", weights["o.weight"][:, :, 0].T)
    logit = g.linear(x, out, g.constant("out.b", weights["o.bias"]))
    g.node("Sigmoid", [g.reshape(logit, 0, -1)], "prob")
    state.write("nextState")
    facts = {
        "family": "starter-vad",
        "sampleRateHz": SAMPLE_RATE,
        "stepSamples": 2 * HOP,
        "chunkSamples": 2 * HOP,
        "lagSamples": HOP,
        "stateFloats": state.floats,
    }
    inputs = {"pcm": ["batch", "samples"], "state": ["batch", state.floats]}
    outputs = {"prob": ["batch", "windows"], "nextState": ["batch", state.floats]}
    return g.model("starter voice activity detector", inputs, outputs, facts), facts


def write_files(folder, models):
    """Writes the models and their rows of the manifest; rows of other files are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.json"
    known = json.loads(manifest.read_text())["models"] if manifest.exists() else []
    entries = [entry for entry in known if entry["file"] not in models]
    for name, (model, facts) in models.items():
        data = model.SerializeToString(deterministic=True)
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        entry = {"file": name, "sha256": digest, "bytes": len(data), "licence": "Apache-2.0", **facts}
        entries.append(entry)
        print(f"{name}: {len(data)} bytes, sha256 {digest}, state {facts['stateFloats']} floats")
    entries.sort(key=lambda entry: entry["file"])
    manifest.write_text(json.dumps({"version": 1, "models": entries}, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stt-checkpoint", type=Path, required=True, help="state dict of the phone network (.pt)")
    parser.add_argument("--vad", type=Path, required=True, help="the detector as exported after training (.onnx)")
    parser.add_argument("--out", type=Path, default=Path("models/starter"))
    options = parser.parse_args()
    checkpoint = torch.load(options.stt_checkpoint, weights_only=True)
    phones = {name: value.numpy() for name, value in checkpoint.items()}
    constants = onnx.load(options.vad).graph.initializer
    detector = {tensor.name.removeprefix("n."): numpy_helper.to_array(tensor) for tensor in constants}
    write_files(options.out, {"stt-en.onnx": phone_model(phones), "vad.onnx": vad_model(detector)})


if __name__ == "__main__":
    main()
