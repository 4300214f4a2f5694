"""Golden values for the test of smart-turn's features: python golden_turn_features.py signal.s16 turn-features.json

`signal.s16` is babble(7, 48000) of test/models/family-support.ts as little-endian 16-bit samples. Computes by the
definition, with the parts of golden_log_mel.py: 8 s that end with the signal, zeros before it, brought to mean 0 and
variance 1 as transformers' WhisperFeatureExtractor does with do_normalize, then Whisper's spectrogram.
"""

import json
import sys
from pathlib import Path

import numpy as np
from golden_log_mel import columns, whisper

SECONDS = 8
RATE_HZ = 16_000


def features(signal: np.ndarray) -> np.ndarray:
    window = np.zeros(SECONDS * RATE_HZ)
    window[len(window) - len(signal) :] = signal
    return whisper((window - window.mean()) / np.sqrt(window.var() + 1e-7), 80, SECONDS)


def main() -> None:
    signal = np.fromfile(sys.argv[1], dtype="<i2").astype(np.float64) / 32768
    golden = {
        "note": f"training/golden_turn_features.py with NumPy {np.__version__} of babble(7, {len(signal)})",
        "turn80": columns(features(signal), [0, 499, 620, 799]),
    }
    Path(sys.argv[2]).write_text(json.dumps(golden))


main()
