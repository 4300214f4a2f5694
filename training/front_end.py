"""The log-mel front end of the starter models, as plain numbers and as graph nodes.

16 kHz PCM in [-1, 1]; frames of 400 samples every 160; periodic Hann; 512-point power spectrum; 64 triangular filters
from 60 to 7600 Hz on the mel scale; ln(power + 1e-6), clamped at -5, then (x - 1) / 3.
"""

from functools import cache

import numpy as np

SAMPLE_RATE = 16_000
FFT = 512
WINDOW = 400
HOP = 160
MELS = 64
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
POWER_FLOOR = 1e-6
LOG_FLOOR = -5.0
MEAN, SCALE = 1.0, 3.0
TAIL = WINDOW - HOP  # samples that the next frame shares with those before it


@cache
def mel_bank():
    """f32 [257, 64]; a filter narrower than one bin takes the nearest bin."""
    to_mel = lambda hz: 2595 * np.log10(1 + hz / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(LOWEST_HZ), to_mel(HIGHEST_HZ), MELS + 2) / 2595) - 1)
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    bank = np.zeros((FFT // 2 + 1, MELS), np.float32)
    for i, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:])):
        bank[:, i] = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
        if not bank[:, i].any():
            bank[np.argmin(np.abs(bins - centre)), i] = 1
    return bank


def log_mel(pcm):
    """f32 [frames, 64] of a whole clip, not clamped or scaled: what the networks were trained on."""
    pcm = np.pad(pcm, (0, max(0, WINDOW - len(pcm))))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(pcm, WINDOW)[::HOP] * hann
    return np.log(np.abs(np.fft.rfft(frames, FFT)) ** 2 @ mel_bank() + POWER_FLOOR).astype(np.float32)


def write_front_end(g, pcm, state, half):
    """Adds the front end: PCM [B, 160k] to scaled log-mel [B, k, 64]. Frame j ends with the j-th hop of new samples.

    The window is symmetric about sample 200 and only the power is wanted, so the transform is taken about that
    sample: cosines meet the even part of a frame and sines the odd part. That halves the multiplications.
    With `half` the transform is stored as fp16, which moves a log-probability of the phone network by up to 0.05.
    """
    bank = mel_bank()
    used = np.flatnonzero(bank.any(axis=1))
    centre = WINDOW // 2
    offset = np.arange(centre)[:, None]
    angle = 2 * np.pi * offset * used[None, :] / FFT
    hann = 0.5 + 0.5 * np.cos(2 * np.pi * offset / WINDOW)
    cosines = g.weight("dft.cos", hann * np.cos(angle), half)
    sines = g.weight("dft.sin", (hann * np.sin(angle))[1:], half)

    x = g.concat([state.take(TAIL), pcm], 1)
    state.put(g.slice(x, 1, -TAIL, None), flat=True)
    hops = [g.reshape(g.window(x, 1, start, TAIL), 0, -1, HOP) for start in (0, HOP, TAIL)]
    frames = g.concat([hops[0], hops[1], g.slice(hops[2], 2, 2 * HOP - TAIL, None)], 2)
    mirrored = g.constant("dft.mirror", np.arange(centre - 1, 0, -1, dtype=np.int64))
    before = g.node("Gather", [frames, mirrored], axis=2)
    after = g.slice(frames, 2, centre + 1, None)
    even = g.concat([g.slice(frames, 2, centre, centre + 1), g.node("Add", [after, before])], 2)
    odd = g.node("Sub", [after, before])
    real, imaginary = g.node("MatMul", [even, cosines]), g.node("MatMul", [odd, sines])
    power = g.node("Add", [g.node("Mul", [real, real]), g.node("Mul", [imaginary, imaginary])])
    mel = g.node("MatMul", [power, g.weight("mel", bank[used], half)])
    log = g.node("Log", [g.node("Add", [mel, g.scalar(POWER_FLOOR)])])
    clamped = g.node("Clip", [log, g.scalar(LOG_FLOOR)])
    return g.node("Mul", [g.node("Sub", [clamped, g.scalar(MEAN)]), g.scalar(1 / SCALE)])


def write_strided(g, x, state, channels, weight, bias):
    """A convolution of 5 taps and stride 2 with a Relu: [B, 2n, channels] to [B, n, out]. It reaches 3 entries back.

    Entries are taken in pairs, so that striding is a reshape: taps 0 to 4 are the later half of the pair before the
    last, the last pair and this one.
    """
    pairs = g.reshape(x, 0, -1, 2 * channels)
    padded = g.concat([state.take(2, 2 * channels), pairs], 1)
    state.put(g.slice(padded, 1, -2, None))
    oldest = g.slice(g.window(padded, 1, 0, 2), 2, channels, None)
    taps = g.concat([oldest, g.window(padded, 1, 1, 2), g.window(padded, 1, 2, 2)], 2)
    return g.node("Relu", [g.linear(taps, weight, bias)])


def taps_matrix(weight):
    """A convolution's weight [out, in, taps] as the matrix [taps * in, out] for laid-out taps."""
    out = weight.shape[0]
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, out))
