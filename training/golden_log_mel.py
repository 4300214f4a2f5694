"""Golden values for the tests of log mel front-ends: python golden_log_mel.py signal.s16 log-mel.json

`signal.s16` is babble(7, 48000) of test/models/family-support.ts as little-endian 16-bit samples. Computes by their
definitions, with NumPy's FFT alone: Whisper's spectrogram (github.com/openai/whisper, whisper/audio.py) of a clip of 30 s,
of one of 3 s that the signal fills, and the spectrogram of Moonshine's spelling network (github.com/moonshine-ai/moonshine,
micro/feature-generation/src/log_mel.cc) of its first second.
"""

import json
import sys
from pathlib import Path

import numpy as np

RATE_HZ = 16_000


def slaney_filters(bins: int, points: int, low_hz: float, high_hz: float) -> np.ndarray:
    def mel(hz: float) -> float:
        return hz * 3 / 200 if hz < 1000 else 15 + np.log(hz / 1000) * 27 / np.log(6.4)

    def hz(mels: np.ndarray) -> np.ndarray:
        return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))

    edges = hz(np.linspace(mel(low_hz), mel(high_hz), bins + 2))
    frequencies = np.linspace(0, RATE_HZ / 2, points)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def power(signal: np.ndarray, size: int, hop: int) -> np.ndarray:
    """[points, frames] of the signal reflected at its ends."""
    padded = np.pad(signal, size // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    count = 1 + len(signal) // hop
    frames = np.stack([padded[hop * i : hop * i + size] * window for i in range(count)])
    return np.abs(np.fft.rfft(frames).T) ** 2


def whisper(signal: np.ndarray, bins: int, seconds: int) -> np.ndarray:
    clip = np.zeros(seconds * RATE_HZ)
    clip[: len(signal)] = signal
    energies = slaney_filters(bins, 201, 0, 8000) @ power(clip, 400, 160)[:, :-1]
    logs = np.log10(np.maximum(energies, 1e-10))
    return (np.maximum(logs, logs.max() - 8) + 4) / 4


def spelling(signal: np.ndarray) -> np.ndarray:
    energies = slaney_filters(64, 257, 20, 8000) @ power(signal, 512, 125)[:, :128]
    logs = np.log(energies + 1e-6)
    return (logs - logs.mean()) / logs.std(ddof=1)


def columns(features: np.ndarray, frames: list[int]) -> list[dict]:
    return [{"frame": i, "values": [round(float(v), 5) for v in features[:, i]]} for i in frames]


def main() -> None:
    signal = np.fromfile(sys.argv[1], dtype="<i2").astype(np.float64) / 32768
    golden = {
        "note": f"training/golden_log_mel.py with NumPy {np.__version__} of babble(7, {len(signal)})",
        "whisper80": columns(whisper(signal, 80, 30), [0, 1, 120, 299, 301, 2999]),
        "whisper128": columns(whisper(signal, 128, 30), [0, 120]),
        "filled80": columns(whisper(signal, 80, 3), [0, 120, 298, 299]),
        "spelling64": columns(spelling(signal[:16000]), [0, 1, 50, 127]),
    }
    Path(sys.argv[2]).write_text(json.dumps(golden))


if __name__ == "__main__":
    main()
