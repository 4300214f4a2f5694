"""Compares models/starter/stt-en.onnx, run in chunks over PCM, with the network it was exported from.

    python training/verify_stt.py --weights .cache/training/stt.pt --speech .cache/training/speech

Takes the first sentences of the shard known-000. Exits 1 if a figure is past its bound: the weights are stored as fp16,
which moves a log-probability a little; rows of a batch must not move each other at all.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from front_end import TAIL, log_mel
from network import PhoneNetwork, weights_of

CHUNK = 2560
CLIPS = 8
MEAN_BOUND, ROW_BOUND, LABEL_SHARE_BOUND = 1e-4, 1e-4, 0.002


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def stream(model, rows, chunk, state_floats):
    """Runs [B, N] samples (N a multiple of `chunk`) and returns the log-probabilities of all of them."""
    state = np.zeros((len(rows), state_floats), np.float32)
    parts = []
    for start in range(0, rows.shape[1], chunk):
        output, state = model.run(None, {"pcm": rows[:, start : start + chunk], "state": state})
        parts.append(output)
    return np.concatenate(parts, axis=1)


def compare(name, value, bound):
    print(f"{name}: {value:.2g} (bound {bound:g})")
    return value <= bound


@torch.no_grad()
def whole_clip(network, pcm):
    """A stream starts with a tail of zeros in front of it."""
    mel = torch.from_numpy(log_mel(np.pad(pcm, (TAIL, 0))))
    return network(mel[None])[0].numpy()


def clips_of(shard):
    data = np.load(shard)
    for start, end in zip(data["offsets"][:CLIPS], data["offsets"][1:]):
        pcm = data["pcm"][start:end].astype(np.float32) / 32768
        yield np.pad(pcm, (0, -len(pcm) % CHUNK + 2 * CHUNK))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=Path("models/starter"))
    options = parser.parse_args()
    rows = json.loads((options.models / "manifest.json").read_text())["models"]
    facts = next(row for row in rows if row["file"] == "stt-en.onnx")
    delay, floats = facts["lagSamples"] // facts["slotSamples"], facts["stateFloats"]
    model, network = session(options.models / "stt-en.onnx"), PhoneNetwork()
    network.load_state_dict(weights_of(options.weights))
    network.eval()
    clips = list(clips_of(options.speech / "known-000.npz"))

    differences, changed, slots = [], 0, 0
    for pcm in clips:
        found = stream(model, pcm[None], CHUNK, floats)[0, delay:]
        expected = whole_clip(network, pcm)[: len(found)]
        differences.append(np.abs(np.exp(found) - np.exp(expected)).mean())
        changed += int((found.argmax(-1) != expected.argmax(-1)).sum())
        slots += len(found)
    ok = compare("mean difference in probability", float(np.mean(differences)), MEAN_BOUND)
    ok &= compare("share of slots with another best label", changed / slots, LABEL_SHARE_BOUND)

    count = min(map(len, clips)) // (4 * CHUNK) * 4 * CHUNK
    batch = np.stack([pcm[:count] for pcm in clips])
    alone = np.concatenate([stream(model, row[None], CHUNK, floats) for row in batch])
    ok &= compare("batched against alone", np.abs(stream(model, batch, CHUNK, floats) - alone).max(), ROW_BOUND)
    ok &= compare("chunks of four", np.abs(stream(model, batch, 4 * CHUNK, floats) - alone).max(), 10 * ROW_BOUND)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
