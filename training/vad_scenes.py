"""Scenes for the detector: conversations and noises of 12 s as features and labels.

    python training/vad_scenes.py --speech WORK/speech.npz --out WORK/scenes-1.npz --count 1200 --seed 1

Speech with pauses in rooms, over telephones and in noise; four in ten scenes have no speech at all. A third of the
conversations begin inside a word, as a stream does that is opened late. The file holds `powers` f32 [scenes, 600, 100]
(vad_network.powers), `labels` bool [scenes, 600], `hasSpeech` bool [scenes] and, on request, `pcm`.
"""

import argparse
from pathlib import Path

import numpy as np
from noise_parts import coloured, filtered, place, spectrally
from noises import KINDS, babble, noise
from scipy.signal import fftconvolve
from vad_network import LAG_SAMPLES, SAMPLE_RATE, WINDOW, powers
from vad_speech import FRAME, frame_levels, speech_frames

SCENE_SAMPLES = 12 * SAMPLE_RATE
NOISE_ONLY = 0.4
FRAGMENT = 0.2
# Babble comes from the sentences instead. What is most like a voice is heard most.
EMPHASIS = {"music": 4, "glides": 3, "machine": 2, "breath": 2, "dishes": 2, "knocks": 2, "cafeteria": 0, "babble": 0}
SHARES = np.array([EMPHASIS.get(kind, 1) for kind in KINDS], float)
SHARES /= SHARES.sum()
PEAK = 0.5


class Corpus:
    """Sentences of vad_speech.py."""

    def __init__(self, path):
        stored = np.load(path)
        self._pcm, self._offsets = stored["pcm"], stored["offsets"]

    def sentence(self, rng):
        i = rng.integers(len(self._offsets) - 1)
        return self._pcm[self._offsets[i] : self._offsets[i + 1]].astype(np.float32) / 32_768


def decibels(db):
    return 10 ** (db / 20)


def conversation(rng, corpus):
    """Clean speech at an RMS near 0.1 and which 10 ms of it are speech."""
    pcm, speech = np.zeros(SCENE_SAMPLES), np.zeros(SCENE_SAMPLES // FRAME, bool)
    begins_inside = rng.random() < 0.35
    at = 0 if begins_inside else int(rng.uniform(0, 3.5) * SAMPLE_RATE)
    while at < SCENE_SAMPLES:
        sentence = corpus.sentence(rng)
        mask = speech_frames(sentence)
        if begins_inside:
            skipped = int(rng.uniform(0, 0.7) * len(mask))
            sentence, mask, begins_inside = sentence[skipped * FRAME :], mask[skipped:], False
        elif rng.random() < FRAGMENT:
            sentence, mask = fragment(rng, sentence, mask)
        if mask.any():
            active = np.repeat(mask, FRAME)
            level = np.sqrt((sentence[: len(active)][active] ** 2).mean()) + 1e-6
            place(pcm, sentence * (0.1 / level * decibels(rng.normal(0, 3))), at)
            first = at // FRAME
            mask = mask[: len(speech) - first]
            speech[first : first + len(mask)] |= mask
        at += len(sentence) + int(rng.choice([rng.uniform(0.1, 0.7), rng.uniform(0.5, 4.5)]) * SAMPLE_RATE)
        at = at // FRAME * FRAME
    return pcm, speech


def fragment(rng, sentence, mask):
    """A word or two, as short answers are: from one quiet moment of a sentence to another."""
    length = int(rng.uniform(0.2, 0.9) * SAMPLE_RATE / FRAME)
    if len(mask) < length + 24:
        return sentence, mask
    levels = frame_levels(sentence)[: len(mask)]
    quietest = lambda at: at - 10 + int(np.argmin(levels[at - 10 : at + 10]))
    first = 10 + rng.integers(len(mask) - length - 23)
    start, end = quietest(first), quietest(first + length)
    part = sentence[start * FRAME : end * FRAME].copy()
    part[:80] *= np.linspace(0, 1, 80)
    part[-80:] *= np.linspace(1, 0, 80)
    return part, speech_frames(part)


def room(rng):
    """An impulse response whose direct sound is at sample 0."""
    decay = rng.uniform(0.12, 0.8)
    length = int(decay * SAMPLE_RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(rng.uniform(0.001, 0.02) * SAMPLE_RATE)] = 0
    tail = filtered(tail, 80, rng.uniform(1500, 7000))
    response = tail * (decibels(rng.uniform(-16, 2)) / np.sqrt((tail**2).sum() + 1e-9))
    response[0] = 1
    return response


def in_room(rng, pcm):
    return fftconvolve(pcm, room(rng))[: len(pcm)]


def through_channel(rng, pcm):
    """Microphones, telephones, hard limits."""
    way = rng.random()
    if way < 0.25:
        pcm = filtered(pcm, rng.uniform(200, 350), rng.uniform(3000, 3700))
        if rng.random() < 0.5:
            peak = np.abs(pcm).max() + 1e-9
            companded = np.round(np.sign(pcm) * np.log1p(255 * np.abs(pcm) / peak) / np.log(256) * 127) / 127
            pcm = np.sign(companded) * np.expm1(np.abs(companded) * np.log(256)) / 255 * peak
    elif way < 0.75:
        tilt, high_pass = rng.uniform(-0.5, 0.5), rng.uniform(10, 150)
        low_cut = lambda hz: 1 + (high_pass / np.maximum(hz, 1)) ** 4
        pcm = spectrally(pcm, lambda hz: (np.maximum(hz, 30) / 1000) ** tilt / low_cut(hz))
    if rng.random() < 0.04:
        limit = np.abs(pcm).max() * rng.uniform(0.2, 0.8)
        pcm = np.clip(pcm, -limit, limit)
    return pcm


def background(rng, corpus, has_speech):
    """Noise against speech of an RMS of 0.1: a bed that is always there and mostly something on top."""
    out = np.zeros(SCENE_SAMPLES)
    if rng.random() > 0.1:
        out += 0.1 * decibels(-rng.uniform(12, 60)) * coloured(rng, SCENE_SAMPLES)
    for _ in range(rng.choice([0, 1, 2], p=[0.25, 0.55, 0.2]) if has_speech else rng.choice([1, 2])):
        kind = KINDS[rng.choice(len(KINDS), p=SHARES)]
        ratio = rng.uniform(0, 32) if has_speech else rng.uniform(-10, 25)
        heard = noise(rng, SCENE_SAMPLES, kind)
        out += decibels(-ratio) * (in_room(rng, heard) if rng.random() < 0.3 else heard)
    if rng.random() < 0.12:
        voices = babble(rng, SCENE_SAMPLES, [corpus.sentence(rng) for _ in range(12)])
        voices = in_room(rng, voices) if rng.random() < 0.7 else voices
        out += 0.1 * decibels(-rng.uniform(8, 30) if has_speech else -rng.uniform(0, 25)) * voices / voices.std()
    return out


def scene(rng, corpus):
    """f32 [192000], bool [600], and whether anybody speaks."""
    has_speech = rng.random() > NOISE_ONLY
    pcm, speech = np.zeros(SCENE_SAMPLES), np.zeros(SCENE_SAMPLES // FRAME, bool)
    if has_speech:
        pcm, speech = conversation(rng, corpus)
        pcm = in_room(rng, pcm) if rng.random() < 0.45 else pcm
    pcm = through_channel(rng, pcm + background(rng, corpus, has_speech))
    pcm = pcm * (PEAK / max(np.abs(pcm).max(), 1e-6))
    centres = np.arange(SCENE_SAMPLES // WINDOW) * WINDOW + WINDOW // 2 - LAG_SAMPLES
    labels = speech[np.maximum(centres, 0) // FRAME]
    return pcm.astype(np.float32), labels, has_speech


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-pcm", action="store_true", help="for verify_vad.py")
    options = parser.parse_args()
    rng, corpus = np.random.default_rng(options.seed), Corpus(options.speech)
    found, labels, has_speech, kept = [], [], [], []
    for i in range(options.count):
        pcm, label, spoken = scene(rng, corpus)
        found.append(powers(pcm))
        labels.append(label)
        has_speech.append(spoken)
        if options.keep_pcm:
            kept.append(np.round(pcm * 32_767).astype(np.int16))
        if i % 100 == 0:
            print(f"{i} of {options.count}", flush=True)
    extra = {"pcm": np.array(kept)} if kept else {}
    np.savez(options.out, powers=np.array(found), labels=np.array(labels), hasSpeech=np.array(has_speech), **extra)


if __name__ == "__main__":
    main()
