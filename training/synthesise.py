"""Speaks sentences with many voices and writes shards of labelled speech.

    python training/synthesise.py --text .cache/training/text.train.tsv.gz --out .cache/training/speech --shards 80
    python training/synthesise.py --text .cache/training/text.short.tsv.gz --out .cache/training/speech --kind short --shards 16
    python training/synthesise.py --text .cache/training/text.test.tsv.gz --out .cache/training/speech --kind known

A shard is an .npz of 500 sentences: `pcm` s16 at 16 kHz, `offsets`; `mel` f16 log-mel frames of the same, `melOffsets`;
`labels` u8 phones, `labelOffsets`; `voices`, `texts`. Shards that exist are kept, so that the command can be repeated
and cut short; each depends on its number alone. Run several with --of N --part I, one for each core.
"""

import argparse
import gzip
import random
import time
from functools import partial
from pathlib import Path

import numpy as np
import soxr
import speakers
import voices
from front_end import log_mel
from phones import labels_of
from scipy.signal import fftconvolve

RATE = 16_000
LONGEST_S, SHORTEST_S = 11.0, 0.2
PEAK = 0.7  # the network's training levels are drawn around this
FLOOR = 1e-3
FESTIVAL = "festival"  # speaks a whole shard's worth in one process

# Share of a shard, and who speaks. flite rms and the held-out variants of espeak-ng speak in no training shard.
CASTS = {
    "train": [
        (0.38, speakers.hibari),
        (0.36, voices.espeak),
        (0.07, partial(voices.flite, voice="slt")),
        (0.05, partial(voices.flite, voice="awb")),
        (0.05, partial(voices.flite, voice="kal16")),
        (0.02, partial(voices.flite, voice="kal")),
        (0.07, FESTIVAL),
    ],
    "espeak-held-out": [(1.0, voices.espeak_held_out)],
    "rms": [(1.0, partial(voices.flite, voice="rms", speeds=(0.95, 1.08)))],
}
CASTS["short"] = CASTS["known"] = CASTS["train"]
NARROW_SHARES = {"train": 0.08, "short": 0.2}  # of telephones, and as much again of plain 8 kHz
DISTURBED = set(NARROW_SHARES)
OTHER_TAKES = (0.9, 1.1)


def cast_of(kind, rng):
    shares, members = zip(*CASTS[kind])
    return rng.choices(members, shares)[0]


def speak(sentences, kind, rng):
    """Yields (index, samples, voice); sentences that a synthesiser refuses are left out."""
    cast = [cast_of(kind, rng) for _ in sentences]
    together = [index for index, member in enumerate(cast) if member is FESTIVAL]
    if together:
        for place, samples, voice in voices.festival([sentences[index] for index in together], rng):
            yield together[place], samples, voice
    for index, member in enumerate(cast):
        if member is not FESTIVAL:
            yield index, *member(sentences[index], rng)


def place(samples, rng):
    """Cuts the synthesiser's own silence and puts another one around, of the lengths that a segment has in a call."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    if len(loud) == 0:
        return samples[:0]
    speech = samples[max(0, loud[0] - 800) : loud[-1] + 1600]
    # Some recordings are cut as tight as they can be.
    before = rng.randint(0, 400) if rng.random() < 0.15 else rng.randint(800, 6400)
    after = rng.randint(0, 800) if rng.random() < 0.15 else rng.randint(2400, 8000)
    return np.concatenate([np.zeros(before, np.float32), speech, np.zeros(after, np.float32)])


def room(samples, rng, noise):
    """A made-up room: a few early reflections and a tail of decaying noise that is duller than the direct sound."""
    seconds = rng.uniform(0.12, 0.7)
    length = int(RATE * seconds)
    tail = noise.standard_normal(length).astype(np.float32) * np.exp(-6.9 * np.arange(length) / length)
    dull = rng.uniform(0.0, 0.7)
    tail[1:] = (1 - dull) * tail[1:] + dull * tail[:-1]
    tail[: int(RATE * rng.uniform(0.002, 0.012))] = 0
    response = tail * rng.uniform(0.1, 0.8) / np.sqrt((tail**2).sum() + 1e-9)
    for _ in range(rng.randint(0, 5)):
        response[rng.randint(16, 400)] += rng.uniform(-0.4, 0.4)
    response[0] = 1
    return fftconvolve(samples, response)[: len(samples)].astype(np.float32)


def telephone(samples):
    """8 kHz and eight bits, as G.711 mu-law has them (ITU-T G.711's companding in its continuous form)."""
    narrow = soxr.resample(samples / max(np.abs(samples).max(), FLOOR) * PEAK, RATE, 8000)
    companded = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    coded = np.round(companded * 127) / 127
    decoded = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255
    return soxr.resample(decoded, 8000, RATE).astype(np.float32)


def narrow(samples):
    """What a recording of 8 kHz has."""
    return soxr.resample(soxr.resample(samples, RATE, 8000), 8000, RATE).astype(np.float32)


def disturb(samples, rng, noise, kind):
    if rng.random() < 0.35:
        samples = room(samples, rng, noise)
    drawn, share = rng.random(), NARROW_SHARES[kind]
    if drawn < share:
        return telephone(samples)
    return narrow(samples) if drawn < 2 * share else samples


def takes_of(samples, kind, takes, rng, noise):
    """The recordings of one spoken sentence: in its room, and again elsewhere by a somewhat larger or smaller speaker."""
    if kind not in DISTURBED:
        return [place(samples, rng)]
    found = [disturb(place(samples, rng), rng, noise, kind)]
    for _ in range(takes - 1):
        other = voices.play(samples, RATE, rng.uniform(*OTHER_TAKES))
        found.append(disturb(place(other, rng), rng, noise, kind))
    return found


def make_shard(rows, kind, number, takes=1):
    rng = random.Random(f"{kind} {number}")
    noise = np.random.default_rng(rng.getrandbits(32))
    texts = [text for _, text, _ in rows]
    columns = {"pcm": [], "mel": [], "labels": []}
    kept = []
    for index, samples, voice in speak(texts, kind, rng):
        labels = np.array(labels_of(texts[index]), np.uint8)
        for take in takes_of(samples, kind, takes, rng, noise):
            if not SHORTEST_S * RATE < len(take) < LONGEST_S * RATE:
                continue
            take *= PEAK / max(np.abs(take).max(), FLOOR)
            columns["pcm"].append((take * 32767).astype(np.int16))
            columns["mel"].append(log_mel(take).astype(np.float16))
            columns["labels"].append(labels)
            kept.append((voice, rows[index][2]))
    return columns, kept


def save(path, columns, kept):
    arrays = {"voices": np.array([voice for voice, _ in kept]), "texts": np.array([text for _, text in kept])}
    for name, parts in columns.items():
        arrays[name] = np.concatenate(parts)
        arrays["offsets" if name == "pcm" else f"{name}Offsets"] = np.cumsum([0, *map(len, parts)])
    whole = path.with_suffix(".part")
    with whole.open("wb") as file:
        np.savez(file, **arrays)
    whole.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=CASTS, default="train")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=500, help="sentences of a shard")
    parser.add_argument("--takes", type=int, default=1, help="recordings of each sentence for training")
    parser.add_argument("--of", type=int, default=1)
    parser.add_argument("--part", type=int, default=0)
    options = parser.parse_args()
    lines = gzip.decompress(options.text.read_bytes()).decode().splitlines()
    rows = [line.split("\t") for line in lines]
    options.out.mkdir(parents=True, exist_ok=True)
    for number in range(options.part, options.shards, options.of):
        path = options.out / f"{options.kind}-{number:03}.npz"
        if path.exists():
            continue
        first = number * options.sentences % len(rows)  # texts that are through begin anew, said by others
        own = rows[first : first + options.sentences]
        started = time.time()
        columns, kept = make_shard(own, options.kind, number, options.takes)
        save(path, columns, kept)
        hours = sum(map(len, columns["pcm"])) / RATE / 3600
        print(f"{path.name}: {len(kept)} sentences, {hours:.2f} h, {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
