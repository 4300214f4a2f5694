"""Compares models/starter/*.onnx, run in chunks, with the whole-clip graphs they were made from.

    python training/verify_starter.py --stt stt-phone.onnx --vad vad.onnx CLIP.wav...

`--stt` is log-mel [B, T, 64] to log-probabilities, `--vad` log-mel to probabilities; clips are 16 kHz mono PCM.
Exits 1 if a figure is past its bound.
"""

import argparse
import json
import sys
import wave
from pathlib import Path

import numpy as np
import onnxruntime
from front_end import SAMPLE_RATE, TAIL, log_mel

STT_CHUNK, VAD_CHUNK = 2560, 320
LOG_PROB_BOUND, PROB_BOUND, ROW_BOUND = 1e-3, 2e-3, 1e-5


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def read_pcm(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2), path
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32)
    return pcm / max(1.0, np.abs(pcm).max()) * 0.5


def stream(model, rows, chunk, state_floats):
    """Runs [B, N] samples (N a multiple of `chunk`) and returns the first output for all of them."""
    state = np.zeros((len(rows), state_floats), np.float32)
    parts = []
    for start in range(0, rows.shape[1], chunk):
        output, state = model.run(None, {"pcm": rows[:, start : start + chunk], "state": state})
        parts.append(output)
    return np.concatenate(parts, axis=1)


def pad(pcm, multiple, extra=0):
    return np.pad(pcm, (0, -len(pcm) % multiple + extra))


def compare(name, found, expected, bound):
    difference = float(np.abs(found - expected).max())
    print(f"  {name}: largest difference {difference:.2g} (bound {bound:g})")
    return difference <= bound


def verify_clip(pcm, models, facts):
    delay = facts["stt"]["lagSamples"] // facts["stt"]["slotSamples"]
    rows = pad(pcm, STT_CHUNK, 2 * STT_CHUNK)[None]
    led_in = np.pad(rows[0], (TAIL, 0))  # a stream starts with a tail of zeros
    expected = models["stt0"].run(None, {"mel": log_mel(led_in)[None]})[0][:, : rows.shape[1] // 320]
    found = stream(models["stt"], rows, STT_CHUNK, facts["stt"]["stateFloats"])[:, delay:]
    expected = expected[:, : found.shape[1]]
    ok = compare("log-probabilities", found[:, : -2 * delay], expected[:, : -2 * delay], LOG_PROB_BOUND)
    changed = int((found.argmax(-1) != expected.argmax(-1)).sum())
    print(f"  greedy labels: {changed} of {found.shape[1]} slots differ")

    rows = pad(pcm, VAD_CHUNK)[None]
    expected = models["vad0"].run(None, {"mel": log_mel(np.pad(rows[0], (TAIL, 0)))[None]})[0]
    found = stream(models["vad"], rows, VAD_CHUNK, facts["vad"]["stateFloats"])
    ok &= compare("speech probability", found, expected[:, : found.shape[1]], PROB_BOUND)
    return ok and changed == 0


def verify_rows(clips, models, facts):
    """Rows of a batch do not see each other, and the size of a chunk does not matter."""
    count = min(len(pcm) for pcm in clips) // (4 * STT_CHUNK) * 4 * STT_CHUNK
    rows, ok = np.stack([pcm[:count] for pcm in clips]), True
    for key, chunk in (("stt", STT_CHUNK), ("vad", VAD_CHUNK)):
        floats = facts[key]["stateFloats"]
        alone = np.concatenate([stream(models[key], row[None], chunk, floats) for row in rows])
        ok &= compare(f"{key} batched against alone", stream(models[key], rows, chunk, floats), alone, ROW_BOUND)
        ok &= compare(f"{key} chunks of 4", stream(models[key], rows, 4 * chunk, floats), alone, 10 * ROW_BOUND)
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stt", type=Path, required=True)
    parser.add_argument("--vad", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=Path("models/starter"))
    parser.add_argument("clips", type=Path, nargs="+")
    options = parser.parse_args()
    entries = json.loads((options.models / "manifest.json").read_text())["models"]
    facts = {key: next(e for e in entries if e["file"].startswith(key)) for key in ("stt", "vad")}
    models = {key: session(options.models / facts[key]["file"]) for key in facts}
    models |= {"stt0": session(options.stt), "vad0": session(options.vad)}
    clips, ok = [read_pcm(path) for path in options.clips], True
    for path, pcm in zip(options.clips, clips):
        print(path.name)
        ok &= verify_clip(pcm, models, facts)
    print("rows")
    ok &= verify_rows(clips, models, facts)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
