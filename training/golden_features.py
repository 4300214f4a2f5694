"""Golden values for the tests of front-ends: python golden_features.py signal.s16 folder

`signal.s16` is babble(7, 4000) of test/models/family-support.ts as little-endian 16-bit samples. Writes nemo-mel.json
(NumPy and librosa's filters, after NeMo's FilterbankFeatures) and icefall-fbank.json (kaldi-native-fbank). Needs numpy,
librosa, kaldi-native-fbank.
"""

import json
import sys
from pathlib import Path

import kaldi_native_fbank as knf
import librosa
import numpy as np

RATE_HZ = 16_000


def nemo_mel(samples: np.ndarray, bins: int) -> np.ndarray:
    """[frames, bins], before normalisation. The FFT is over all 512 points with the window in their middle."""
    emphasised = np.concatenate([samples[:1], samples[1:] - 0.97 * samples[:-1]])
    padded = np.pad(emphasised, 256)
    window = np.pad(np.hanning(400), 56)
    count = len(samples) // 160
    frames = np.stack([padded[160 * i : 160 * i + 512] * window for i in range(count)])
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=bins, fmin=0, fmax=8000, norm="slaney", htk=False)
    return np.log(power @ filters.T.astype(np.float64) + 2.0**-24)


def per_feature(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(axis=0)) / (features.std(axis=0, ddof=1) + 1e-5)


def icefall_fbank(samples: np.ndarray, bins: int) -> np.ndarray:
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = bins
    options.mel_opts.high_freq = -400
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(RATE_HZ, samples.astype(np.float32).tolist())
    fbank.input_finished()
    return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


def rows(features: np.ndarray, indices: list[int]) -> list[dict]:
    return [{"index": i, "values": [round(float(v), 5) for v in features[i]]} for i in indices]


def main() -> None:
    samples = np.fromfile(sys.argv[1], dtype="<i2").astype(np.float64) / 32768
    folder = Path(sys.argv[2])
    last = len(samples) // 160 - 1
    nemo = {"note": f"golden_features.py, NumPy {np.__version__}, librosa {librosa.__version__}; babble(7, {len(samples)})"}
    for bins in (80, 128):
        features = nemo_mel(samples, bins)
        nemo[f"log{bins}"] = rows(features, [0, 1, 9, last])
        nemo[f"normalised{bins}"] = rows(per_feature(features), [0, 13, last])
    (folder / "nemo-mel.json").write_text(json.dumps(nemo))
    fbank = icefall_fbank(samples, 80)
    note = f"golden_features.py, kaldi-native-fbank {knf.__version__}; babble(7, {len(samples)})"
    content = {"note": note, "count": len(fbank), "frames": rows(fbank, [0, 1, 9, len(fbank) - 2, len(fbank) - 1])}
    (folder / "icefall-fbank.json").write_text(json.dumps(content))


main()
