"""Clean synthetic speech for the detector, and what in it counts as speech.

    python training/vad_speech.py --text text.train.tsv.gz --out WORK/speech.npz
    python training/vad_speech.py --text text.test.tsv.gz --out WORK/speech-held-out.npz --held-out --count 300 --seed 2

espeak-ng and flite are called as programs, hibari as a package. The voices of `--held-out` are in no other set. Text
is the second column of a table. The file holds `pcm` int16 (sentences one after the other, 16 kHz) and `offsets` i64.
"""

import argparse
import gzip
import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from hibari import Hibari, dsp
from scipy.signal import resample_poly

SAMPLE_RATE = 16_000
SLOT = 320  # one label for 20 ms
FRAME = 160
LANGUAGES = "en-us en-us en-gb en-gb-scotland en-gb-x-rp en-029 de fr-fr es it nl pl sv tr hi id".split()
HELD_OUT_VARIANTS = {"f4", "m7", "anika", "ed", "linda"}
# Below the sentence's loud parts. Speech begins above the first and lasts until it is under the second.
ON_DB, OFF_DB = -32.0, -37.0
GAP_MS, HANGOVER_MS = 200, 80


def espeak_variants(held_out):
    listed = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout
    names = sorted(line.split("!v/")[1].split()[0] for line in listed.splitlines()[1:] if "!v/" in line)
    whispers = {"whisper", "whisperf", "croak"}  # voices without voice are a case of their own
    return [name for name in names if (name.lower() in HELD_OUT_VARIANTS) == held_out and name not in whispers]


def run_program(command):
    wav = subprocess.run(command, capture_output=True, check=True).stdout
    pcm, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    return pcm if rate == SAMPLE_RATE else resample_poly(pcm, SAMPLE_RATE, rate).astype(np.float32)


def espeak(rng, text, variants):
    voice = f"{rng.choice(LANGUAGES)}+{rng.choice(variants)}"
    rate, pitch = str(rng.integers(120, 230)), str(rng.integers(15, 85))
    return run_program(["espeak-ng", "-v", voice, "-s", rate, "-p", pitch, "--stdout", text])


def flite(rng, text, voices):
    settings = {"duration_stretch": rng.uniform(0.75, 1.3), "int_f0_target_mean": rng.uniform(80, 230)}
    flags = [part for name, value in settings.items() for part in ("--setf", f"{name}={value:.2f}")]
    return run_program(["flite", "-voice", rng.choice(voices), *flags, "-t", text, "-o", "/dev/stdout"])


class Reshaped(Hibari):
    """hibari with another vocal tract and pitch: its spectra are stretched before they become sound."""

    def speak(self, rng, text, tract, pitch):
        parts = []
        for phonemes in self.phonemize(text):
            ids = self.ids(phonemes)
            if len(ids) < 3:
                continue
            speed = np.array([rng.uniform(0.8, 1.35)], np.float32)
            *spectra, f0 = (each[0] for each in self.sess.run(None, {"ids": np.array([ids], np.int64), "speed": speed}))
            bins = np.minimum(np.arange(len(spectra[0])) * tract, len(spectra[0]) - 1).astype(int)
            intonation = rng.uniform(0.7, 1.5)
            voiced = f0[f0 > 40]
            centre = float(np.median(voiced)) if len(voiced) else 200.0
            f0 = np.where(f0 > 40, np.maximum(centre * pitch * (np.maximum(f0, 40) / centre) ** intonation, 55), 0)
            parts.append(dsp.synth(*(np.ascontiguousarray(each[bins]) for each in spectra), f0, rng))
        pcm = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return resample_poly(pcm, 2, 3).astype(np.float32)


def hibari(rng, text, engine, held_out):
    """Men, women and children. A held-out voice is a tall man or a small child, beyond the others."""
    lower = (rng.uniform(1.05, 1.28), rng.uniform(0.42, 0.7))
    higher = (rng.uniform(0.86, 1.1), rng.uniform(0.75, 1.35))
    tract, pitch = (lower, higher)[rng.integers(2)]
    if held_out:
        tract, pitch = [(1.32, 0.4), (0.82, 1.45)][rng.integers(2)]
    return engine.speak(rng, text, tract, pitch)


def frame_levels(pcm):
    """dB of each 10 ms."""
    frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME)
    return 10 * np.log10((frames.astype(np.float64) ** 2).mean(axis=1) + 1e-12)


def speech_frames(pcm):
    """Which 10 ms frames of a clean sentence are speech: hysteresis, short gaps closed, a short hangover."""
    level = frame_levels(pcm)
    if not len(level):
        return np.zeros(0, bool)
    loud = np.percentile(level, 95)
    speech, inside = np.zeros(len(level), bool), False
    for i, value in enumerate(level - loud):
        inside = value > (OFF_DB if inside else ON_DB)
        speech[i] = inside
    active = np.flatnonzero(speech)
    for before, after in zip(active, active[1:]):
        if after - before <= GAP_MS // 10:
            speech[before:after] = True
    for end in np.flatnonzero(speech[:-1] & ~speech[1:]) + 1:
        speech[end : end + HANGOVER_MS // 10] = True
    return speech


def read_text(path):
    with gzip.open(path, "rt") as lines:
        columns = (line.split("\t") for line in lines)
        return [fields[1].strip() for fields in columns if len(fields) > 1 and 8 <= len(fields[1]) <= 110]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2400, help="sentences")
    parser.add_argument("--held-out", action="store_true", help="with voices kept for validation")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    sentences = read_text(options.text)
    engine, variants = Reshaped(threads=1), espeak_variants(options.held_out)
    flite_voices = ["rms"] if options.held_out else ["slt", "awb", "kal", "kal16"]
    parts = []
    for i in range(options.count):
        text = sentences[rng.integers(len(sentences))]
        way = rng.choice(3, p=[0.4, 0.2, 0.4])
        if way == 0:
            pcm = espeak(rng, text, variants)
        elif way == 1:
            pcm = flite(rng, text, flite_voices)
        else:
            pcm = hibari(rng, text, engine, options.held_out)
        if len(pcm) < SAMPLE_RATE // 4 or not np.abs(pcm).max() > 0.01:
            continue
        parts.append(np.round(pcm / np.abs(pcm).max() * 30_000).astype(np.int16))
        if i % 100 == 0:
            print(f"{i} of {options.count}, {sum(map(len, parts)) / SAMPLE_RATE / 3600:.2f} h", flush=True)
    offsets = np.cumsum([0, *map(len, parts)])
    np.savez(options.out, pcm=np.concatenate(parts), offsets=offsets)
    print(f"{len(parts)} sentences, {offsets[-1] / SAMPLE_RATE / 3600:.2f} h")


if __name__ == "__main__":
    main()
