"""Scores vad.onnx as a stream hears it: window by window, with its state carried.

    python training/verify_vad.py --held-out WORK/scenes-held-out.npz --recordings FOLDER --silero silero_vad.onnx

Synthetic scenes have labels. Recordings (a folder with manifest.json) have none: on speech the detector is compared
with Silero, on `noise*` its starts are counted as the `vad` actor would tell them. Recordings are a test. Nothing is
chosen by them.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
from scipy.signal import resample_poly
from train_vad import area_under_curve
from vad_network import LAG_SAMPLES, SAMPLE_RATE, WINDOW

# Defaults of the `vad` actor (src/actors/vad.ts, vad-state.ts).
THRESHOLD, HYSTERESIS, START_WINDOWS, STOP_WINDOWS = 0.5, 0.15, 3, 13
SILERO_WINDOW, SILERO_CONTEXT, SILERO_TIMING = 512, 64, (2, 8)
GAINS_DB = (0, -20, -40)
MATCH_MS = 400


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def stream(model, rows):
    """f32 [B, N] to probabilities [B, N / 320]."""
    state = np.zeros((len(rows), model.get_inputs()[1].shape[1]), np.float32)
    found = []
    for start in range(0, rows.shape[1] - WINDOW + 1, WINDOW):
        prob, state = model.run(None, {"pcm": rows[:, start : start + WINDOW], "state": state})
        found.append(prob)
    return np.concatenate(found, axis=1)


def silero_stream(model, pcm):
    state, context, found = np.zeros((2, 1, 128), np.float32), np.zeros((1, SILERO_CONTEXT), np.float32), []
    extra = {"sr": np.array(SAMPLE_RATE)} if any(each.name == "sr" for each in model.get_inputs()) else {}
    for start in range(0, len(pcm) - SILERO_WINDOW + 1, SILERO_WINDOW):
        heard = np.concatenate([context, pcm[None, start : start + SILERO_WINDOW]], axis=1)
        prob, state = model.run(None, {"input": heard, "state": state, **extra})
        context = heard[:, -SILERO_CONTEXT:]
        found.append(prob[0, 0])
    return np.array(found)


def agreement(silero, found):
    """On how many of Silero's windows both decide alike, and how many there are."""
    centres = (np.arange(len(silero)) + 0.5) * SILERO_WINDOW
    at = np.round((centres + LAG_SAMPLES) / WINDOW - 0.5).astype(int)
    known = at < len(found)
    return int(((silero[known] > 0.5) == (found[at[known]] > 0.5)).sum()), int(known.sum())


def events(probabilities, start_windows=START_WINDOWS, stop_windows=STOP_WINDOWS):
    """(start, stop) in windows, as the actor's state machine tells them."""
    told, is_speaking, since, count = [], False, None, 0
    for i, value in enumerate(probabilities):
        for_change = value < THRESHOLD - HYSTERESIS if is_speaking else value >= THRESHOLD
        against = value >= THRESHOLD if is_speaking else value < THRESHOLD - HYSTERESIS
        if since is None and for_change:
            since, count = i, 0
        elif since is not None and against:
            since = None
        if since is None:
            continue
        count += 1
        if count >= (stop_windows if is_speaking else start_windows):
            told.append(since)
            is_speaking, since = not is_speaking, None
    if is_speaking:
        told.append(len(probabilities) if since is None else since)
    return list(zip(told[::2], told[1::2]))


def stretches(labels):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(int), [0]])))
    return list(zip(edges[::2], edges[1::2]))


def edge_errors(probabilities, labels):
    """ms by which told starts and stops are late, against labels that have 400 ms of the other kind beside them."""
    reach, errors, missed = MATCH_MS // 20, ([], []), [0, 0]
    told, wanted = events(probabilities), stretches(labels)
    for which in (0, 1):
        times = np.array([each[which] for each in told] or [-10_000])
        for i, stretch in enumerate(wanted):
            at = stretch[which]
            others = [each[1 - which] for each in wanted[:i] + wanted[i + 1 :]]
            if at in (0, len(labels)) or any(abs(other - at) < reach for other in others):
                continue
            late = times - at
            nearest = late[np.abs(late).argmin()]
            if abs(nearest) <= reach:
                errors[which].append(20 * nearest)
            else:
                missed[which] += 1
    return errors, missed


def verify_scenes(model, path):
    stored = np.load(path)
    pcm, labels, spoken = stored["pcm"].astype(np.float32) / 32_767, stored["labels"], stored["hasSpeech"]
    for gain_db in GAINS_DB:
        found = np.concatenate([stream(model, part * 10 ** (gain_db / 20)) for part in np.array_split(pcm, 4)])
        wrong = (found > THRESHOLD) != labels
        starts = sum(len(events(row)) for row in found[~spoken])
        minutes = (~spoken).sum() * pcm.shape[1] / SAMPLE_RATE / 60
        print(
            f"scenes at {gain_db} dB: area {area_under_curve(found.ravel(), labels.ravel()):.4f}, "
            f"wrong {100 * wrong.mean():.2f} %, missed {100 * wrong[labels].mean():.2f} %, "
            f"false {100 * wrong[~labels].mean():.2f} %, starts in noise {starts / minutes:.2f}/min"
        )
        errors, missed = ([], []), [0, 0]
        for row, label in zip(found[spoken], labels[spoken]):
            late, lost = edge_errors(row, label)
            for which in (0, 1):
                errors[which].extend(late[which])
                missed[which] += lost[which]
        for name, late, lost in zip(("onset", "offset"), errors, missed):
            ten, half, ninety = np.percentile(late, [10, 50, 90])
            print(
                f"  {name}: median {half:+.0f} ms, 10-90 % {ten:+.0f} to {ninety:+.0f} ms, mean absolute "
                f"{np.abs(late).mean():.0f} ms; {lost} of {len(late) + lost} not within {MATCH_MS} ms"
            )


def read(path):
    pcm, rate = soundfile.read(path, dtype="float32")
    return pcm if rate == SAMPLE_RATE else resample_poly(pcm, SAMPLE_RATE, rate).astype(np.float32)


def verify_recordings(model, folder, silero_path):
    silero = session(silero_path)
    names = [each["path"] for each in json.loads((folder / "manifest.json").read_text())]
    same, count = dict.fromkeys(GAINS_DB, 0), 0
    starts = {"model": 0, "Silero": 0}
    minutes = 0.0
    for name in (name for name in names if not name.startswith("rir")):
        pcm = read(folder / name)
        reference = silero_stream(silero, pcm)
        found = stream(model, pcm[None])[0]
        if name.startswith("noise"):
            starts["model"] += len(events(found))
            starts["Silero"] += len(events(reference, *SILERO_TIMING))
            minutes += len(pcm) / SAMPLE_RATE / 60
            share, theirs = 100 * (found > THRESHOLD).mean(), 100 * (reference > 0.5).mean()
            print(f"{name}: {len(events(found))} starts, {share:.1f} % speech (Silero {theirs:.1f} %)")
            continue
        for gain_db in GAINS_DB:
            at_gain = found if gain_db == 0 else stream(model, pcm[None] * np.float32(10 ** (gain_db / 20)))[0]
            agreed, windows = agreement(reference, at_gain)
            same[gain_db] += agreed
            if gain_db == 0:
                count += windows
                print(f"{name}: {100 * agreed / max(windows, 1):.1f} % of {windows} windows")
    print("speech, agreement with Silero: " + ", ".join(f"{db} dB {100 * n / count:.2f} %" for db, n in same.items()))
    told = {which: f"{count / minutes:.2f}" for which, count in starts.items()}
    print(f"noise: {told['model']} starts/min in {60 * minutes:.0f} s (Silero in the same actor {told['Silero']})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/starter/vad.onnx"))
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--silero", type=Path)
    options = parser.parse_args()
    model = session(options.model)
    if options.held_out:
        verify_scenes(model, options.held_out)
    if options.recordings:
        verify_recordings(model, options.recordings, options.silero)


if __name__ == "__main__":
    main()
