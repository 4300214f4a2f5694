"""hibari's neural voice as many speakers.

hibari (Apache-2.0) predicts, every 12.5 ms, a pitch, the spectrum that filters its pulses, the spectrum of its noise and
one of free phase, each in bins of 20 Hz up to 12 kHz. Pitch and spectra can therefore be changed apart from each other
before they become sound: men, women and children with natural timing. Sound is made at 16 kHz here: the bins above 8 kHz
are dropped before the inverse transform instead of being computed and filtered away.

    S = exp(harmonic) e^(i pi tanh theta) STFT(pulses) + exp(airy) noise + exp(free) e^(i phase)
"""

from functools import cache

import numpy as np
import scipy.fft

RATE = 16_000
HOP, FFT = 200, 800
BINS = FFT // 2 + 1
VOICED_HZ = 40.0
LOWEST_HZ = 55.0
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)
LOG_MAX = np.float32(7.0)

# Share of all speakers, kind, pitch against the voice's own, length of the vocal tract against its own.
SPEAKERS = (
    (0.46, "man", (0.42, 0.70), (1.06, 1.24)),
    (0.42, "woman", (0.80, 1.22), (0.92, 1.08)),
    (0.12, "child", (1.15, 1.55), (0.76, 0.90)),
)


@cache
def voice():
    from hibari import Hibari

    return Hibari(threads=1)


def hibari(text, rng):
    """Speech f32 at 16 kHz by a speaker drawn from `rng`, and its name."""
    tts = voice()
    noise = np.random.default_rng(rng.getrandbits(32))
    _, kind, pitches, tracts = rng.choices(SPEAKERS, [share for share, *_ in SPEAKERS])[0]
    pitch, liveliness, length = rng.uniform(*pitches), rng.uniform(0.4, 1.3), rng.uniform(*tracts)
    pace, breath = rng.uniform(0.75, 1.35), np.float32(rng.gauss(0, 0.4))
    tract = Tract(length, rng.gauss(0, 4), noise)
    parts = []
    for phonemes in tts.phonemize(text):
        inputs = {"ids": np.asarray([tts.ids(phonemes)], np.int64), "speed": np.asarray([pace], np.float32)}
        harmonic, theta, airy, free, phase, f0 = (output[0] for output in tts.sess.run(None, inputs))
        spectrum = pulse_spectrum(change_pitch(f0, pitch, liveliness), harmonic.shape[1])
        spectrum *= polar(tract.levels(harmonic), np.pi * np.tanh(tract.nearest(theta)))
        hiss = noise.standard_normal((BINS, 2 * harmonic.shape[1]), dtype=np.float32).view(np.complex64)
        spectrum += hiss * np.exp(np.minimum(tract.levels(airy) + breath, LOG_MAX))
        spectrum += polar(tract.levels(free), tract.nearest(phase))
        parts.append(overlap_add(spectrum))
    return np.concatenate(parts), f"hibari {kind}"


def change_pitch(f0, pitch, liveliness):
    voiced = f0 > VOICED_HZ
    if not voiced.any():
        return f0
    mean = np.exp(np.log(f0[voiced]).mean())
    changed = mean * pitch * (np.maximum(f0, 1) / mean) ** liveliness
    return np.where(voiced, np.maximum(changed, LOWEST_HZ), 0).astype(np.float32)


def polar(log_magnitude, angle):
    out = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    out *= np.exp(np.minimum(log_magnitude, LOG_MAX))
    return out


def pulse_spectrum(f0, frames):
    """Short-time spectrum of a train of band-limited pulses: every harmonic below 7.8 kHz at unit height."""
    at = (np.arange(frames * HOP) + 0.5) / HOP - 0.5
    hz = np.interp(at, np.arange(frames), f0)
    voiced = hz > VOICED_HZ
    hz = np.maximum(hz, VOICED_HZ)
    phase = (2 * np.pi * (np.cumsum(hz) / RATE % 1.0)).astype(np.float32)
    harmonics = (np.floor(7800.0 / hz) + 0.5).astype(np.float32)
    half_sine = 2 * np.sin(phase / 2)
    at_peak = np.abs(half_sine) <= 2e-3
    # The sum of cosines 1 … H in closed form; its limit where the denominator vanishes.
    train = np.where(at_peak, harmonics, np.sin(harmonics * phase) / np.where(at_peak, 1, half_sine)) - 0.5
    padded = np.pad(np.where(voiced, train, 0).astype(np.float32), FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][:frames] * (HANN / (FFT / 4))
    return np.ascontiguousarray(scipy.fft.rfft(windows, axis=1).T)


def overlap_add(spectrum):
    frames, blocks = spectrum.shape[1], FFT // HOP
    windows = (scipy.fft.irfft(spectrum.T, FFT, axis=1) * HANN).reshape(frames, blocks, HOP)
    total = np.zeros((frames + blocks - 1, HOP), np.float32)
    weight = np.zeros_like(total)
    for block in range(blocks):
        total[block : block + frames] += windows[:, block]
        weight[block : block + frames] += (HANN**2).reshape(blocks, HOP)[block]
    return (total / np.maximum(weight, 1e-3)).reshape(-1)[FFT // 2 : FFT // 2 + frames * HOP]


class Tract:
    """A warp of the frequency axis, with wobbles so that speakers differ in more than one number, and a colour."""

    def __init__(self, length, tilt_db, noise):
        x = np.linspace(0, 1, BINS)
        wobble = sum(noise.normal(0, 0.02) * np.sin(np.pi * (k * x + noise.uniform(0, 2))) for k in (1, 2, 3, 5))
        # A longer tract lowers the formants: the new spectrum at f is the old one at f * length.
        source = np.clip(np.arange(BINS) * (length + wobble), 0, None)
        self._below = source.astype(int)
        self._share = (source - self._below).astype(np.float32)[:, None]
        self._nearest = np.rint(source).astype(int)
        colour_db = tilt_db * (x - 0.3) + sum(noise.normal(0, 1.5) * np.cos(np.pi * k * x) for k in (2, 4, 7))
        self._colour = (colour_db * np.log(10) / 20).astype(np.float32)[:, None]

    def levels(self, spectrum):
        top = len(spectrum) - 1
        below, above = spectrum[np.minimum(self._below, top)], spectrum[np.minimum(self._below + 1, top)]
        return below + (above - below) * self._share + self._colour

    def nearest(self, phases):
        return phases[np.minimum(self._nearest, len(phases) - 1)]
