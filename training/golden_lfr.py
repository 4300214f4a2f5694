"""Golden values for the tests of low frame rate features: python golden_lfr.py signal.s16 lfr.json

`signal.s16` is babble(7, 16000) of test/models/family-support.ts as little-endian 16-bit samples. kaldi-native-fbank with
Hamming's window, then FunASR's apply_lfr and apply_cmvn (funasr/frontends/wav_frontend.py) with statistics made up here.
"""

import json
import sys
from pathlib import Path

import kaldi_native_fbank as knf
import numpy as np

RATE_HZ = 16_000
BINS = 80
STACK = 7
SHIFT = 6


def fbank(samples: np.ndarray) -> np.ndarray:
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = BINS
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(RATE_HZ, samples.astype(np.float32).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


def apply_lfr(frames: np.ndarray) -> np.ndarray:
    count = int(np.ceil(len(frames) / SHIFT))
    padded = np.vstack([np.repeat(frames[:1], (STACK - 1) // 2, axis=0), frames])
    missing = max(0, (count - 1) * SHIFT + STACK - len(padded))
    padded = np.vstack([padded, np.repeat(frames[-1:], missing, axis=0)])
    return np.stack([padded[i * SHIFT : i * SHIFT + STACK].reshape(-1) for i in range(count)])


def rows(features: np.ndarray, indices: list[int], step: int) -> list[dict]:
    return [{"index": i, "values": [round(float(v), 4) for v in features[i][::step]]} for i in indices]


def main() -> None:
    samples = np.fromfile(sys.argv[1], dtype="<i2")
    frames = fbank(samples)
    stacked = apply_lfr(frames)
    index = np.arange(BINS * STACK)
    scaled = (stacked - (8 + index % 5)) * (0.1 + 0.001 * index)
    golden = {
        "note": f"golden_lfr.py, kaldi-native-fbank {knf.__version__}, NumPy {np.__version__}; babble(7, {len(samples)})",
        "frameCount": len(frames),
        "rowCount": len(stacked),
        "frames": rows(frames, [0, 50, len(frames) - 1], 1),
        "scaled": rows(scaled, [0, 1, 9, len(stacked) - 1], 11),
    }
    Path(sys.argv[2]).write_text(json.dumps(golden))


main()
