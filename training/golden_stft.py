"""Golden values for the tests of the short-time Fourier transform: python golden_stft.py signal.s16 stft.json

`signal.s16` is babble(7, 4000) of test/models/family-support.ts as little-endian 16-bit samples. Computes by their
definitions, with NumPy's FFT alone: spectra of windows of 512 samples every 256 and of 400 every 100, the first of which
ends with the signal's first hop, and what is left of the first of these signals if all above 2 kHz is taken from its spectra.
"""

import json
import sys
from pathlib import Path

import numpy as np


def root_hann(size: int) -> np.ndarray:
    return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))


def stft(signal: np.ndarray, size: int, hop: int) -> np.ndarray:
    """[frames, points]"""
    padded = np.concatenate([np.zeros(size - hop), signal])
    count = len(signal) // hop
    return np.fft.rfft(np.stack([padded[hop * i : hop * i + size] * root_hann(size) for i in range(count)]))


def istft(spectra: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Samples from the first window's beginning on; the division is by the sum of squares where all windows are there."""
    length = hop * (len(spectra) - 1) + size
    added = np.zeros(length)
    for i, frame in enumerate(np.fft.irfft(spectra, size)):
        added[hop * i : hop * i + size] += frame * root_hann(size)
    weights = np.square(root_hann(size)).reshape(-1, hop).sum(axis=0)
    return added / np.resize(weights, length)


def rows(spectra: np.ndarray, frames: list[int]) -> list[dict]:
    pairs = lambda row: [round(float(v), 5) for value in row for v in (value.real, value.imag)]
    return [{"frame": i, "values": pairs(spectra[i])} for i in frames]


def main() -> None:
    signal = np.fromfile(sys.argv[1], dtype="<i2").astype(np.float64) / 32768
    spectra = stft(signal, 512, 256)
    cut = spectra.copy()
    cut[:, 64:] = 0
    golden = {
        "note": f"training/golden_stft.py with NumPy {np.__version__} of babble(7, {len(signal)})",
        "512/256": rows(spectra, [0, 1, 9, 14]),
        "400/100": rows(stft(signal, 400, 100), [0, 3, 25]),
        "below2kHz": [round(float(v), 6) for v in istft(cut, 512, 256)[1024:1536]],
    }
    Path(sys.argv[2]).write_text(json.dumps(golden))


main()
