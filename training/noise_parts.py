"""What the noises of noises.py are made of: filters, oscillators, envelopes and moments. f64 at 16 kHz."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import lfilter

RATE = 16_000


def spectrally(pcm, gain_of_hz):
    """Filters with zero phase by a function of frequency."""
    size = next_fast_len(len(pcm), real=True)
    return irfft(rfft(pcm, size) * gain_of_hz(rfftfreq(size, 1 / RATE)), size)[: len(pcm)]


def filtered(pcm, low, high):
    """A band with soft edges."""
    return spectrally(pcm, lambda hz: 1 / np.sqrt((1 + (low / np.maximum(hz, 1)) ** 6) * (1 + (hz / high) ** 6)))


def coloured(rng, n):
    """White noise with a random tilt and some broad hills, at an RMS of 1."""
    tilt = rng.uniform(-1.6, 0.2)
    hills = [(rng.uniform(100, 6000), rng.uniform(0.1, 0.6), rng.normal(0, 1.2)) for _ in range(rng.integers(0, 5))]

    def gain(hz):
        octaves = np.log2(np.maximum(hz, 30) / 1000)
        shape = tilt * octaves * np.log(2)
        for centre, width, height in hills:
            shape = shape + height * np.exp(-((octaves - np.log2(centre / 1000)) ** 2) / width)
        return np.exp(shape)

    pcm = spectrally(rng.standard_normal(n), gain)
    return pcm / max(pcm.std(), 1e-9)


def slow(rng, n, rate_hz, low, high):
    """A smooth random curve between two bounds that takes about `rate_hz` turns each second."""
    count = max(2, int(np.ceil(n / RATE * rate_hz)) + 2)
    points = rng.uniform(low, high, count)
    at = np.arange(n) * ((count - 1) / max(n, 1))
    left = np.minimum(at.astype(int), count - 2)
    part = (1 - np.cos(np.pi * (at - left))) / 2
    return points[left] * (1 - part) + points[left + 1] * part


def tone(n, hz, rng):
    return np.sin(2 * np.pi * hz * np.arange(n) / RATE + rng.uniform(0, 2 * np.pi))


def harmonic(hz, partials, rng):
    """A stack of harmonics over a curve of pitch; those past 7.5 kHz are left out."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    out = np.zeros(len(hz))
    highest = hz.max() if len(hz) else 0
    for k, strength in enumerate(partials, 1):
        if k * highest > 7500:
            break
        out += strength * np.sin(k * phase + rng.uniform(0, 2 * np.pi))
    return out


def overtones(rng, count):
    """Random strengths of harmonics that fall off more or less with their number."""
    return rng.exponential(1, count) / np.arange(1, count + 1) ** rng.uniform(0, 1.5)


def unit(pcm):
    """At an RMS of 1."""
    return pcm / max(np.sqrt((pcm**2).mean()), 1e-9)


def resonated(pcm, pitches, widths):
    """The sum of two-pole resonators, each at about the same loudness."""
    out = np.zeros(len(pcm))
    for hz, width in zip(pitches, widths):
        radius = np.exp(-np.pi * width / RATE)
        poles = [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2]
        out += lfilter([(1 - radius) * np.sqrt(1 - radius)], poles, pcm)
    return out


def damped_modes(rng, n, pitches, decay_s):
    """Something hard that was struck: sines that die out, the high ones sooner."""
    time = np.arange(n) / RATE
    out = np.zeros(n)
    for hz in pitches:
        fall = decay_s * rng.uniform(0.4, 1.6) / (1 + hz / 4000)
        out += rng.exponential(1) * np.exp(-time / fall) * np.sin(2 * np.pi * hz * time)
    return out


def moments(rng, n, mean_gap_s):
    """Sample positions at random, on average `mean_gap_s` apart."""
    gaps = rng.exponential(mean_gap_s * RATE, int(3 * n / (mean_gap_s * RATE)) + 4)
    positions = np.cumsum(np.maximum(gaps, 1)).astype(int)
    return positions[positions < n]


def bursts(rng, n):
    """Moments in groups, as hands at work make them."""
    inside = rng.uniform(0.08, 0.5)
    group = lambda: moments(rng, int(rng.uniform(0.1, 2) * RATE), inside)
    return [at + later for at in moments(rng, n, rng.uniform(0.5, 3)) for later in group()]


def place(out, event, at):
    """Adds an event that begins at sample `at`; what lies outside is lost."""
    start, end = max(0, at), min(len(out), at + len(event))
    if start < end:
        out[start:end] += event[start - at : end - at]
