"""Synthetic noise: what microphones hear when nobody speaks.

    python training/noises.py --out some-folder        # one WAV of each kind, to listen to

`noise(rng, sample_count)` gives f32 PCM at 16 kHz of a random kind, or of the one named; `KINDS` has the names. The
loudest 100 ms have an RMS of 0.1, so that callers mix by a ratio whether a noise is steady or made of single knocks.
The same generator state gives the same samples. Nothing here was recorded. Much of it can be taken for a voice:
harmonics that glide, bursts in the rhythm of syllables. A network must learn to tell them from one.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from noise_parts import RATE, bursts, coloured, damped_modes, filtered, harmonic, moments, overtones, place
from noise_parts import resonated, slow, tone, unit

LEVEL = 0.1
LEVEL_WINDOW = RATE // 10


def steady(rng, n):
    """Rooms, line noise, air conditioning: a spectrum and nothing else."""
    return coloured(rng, n)


def hum(rng, n):
    base = rng.choice([50, 60, 100, 120]) * rng.uniform(0.998, 1.002)
    count = rng.integers(3, 25)
    return harmonic(np.full(n, base), overtones(rng, count), rng)


def fan(rng, n):
    blades = 1 + rng.uniform(0, 0.6) * tone(n, rng.uniform(5, 40), rng) * slow(rng, n, 0.5, 0.5, 1)
    whine = harmonic(rng.uniform(80, 600) * slow(rng, n, 0.3, 0.99, 1.01), rng.exponential(1, 4), rng)
    return coloured(rng, n) * blades + rng.uniform(0, 0.8) * whine


def wind(rng, n):
    gusts = slow(rng, n, rng.uniform(0.3, 3), 0, 1) ** rng.uniform(1.5, 4)
    return filtered(rng.standard_normal(n), 20, rng.uniform(150, 900)) * gusts + 0.02 * coloured(rng, n)


def traffic(rng, n):
    out = 0.05 * coloured(rng, n)
    for at in moments(rng, n, 3.0):
        length = int(rng.uniform(1.5, 6) * RATE)
        swell = np.hanning(length) ** rng.uniform(1, 4)
        tyres = filtered(rng.standard_normal(length), 60, rng.uniform(500, 3500))
        place(out, swell * (tyres + 0.7 * engine(rng, length)) * rng.uniform(0.2, 1), at - length // 2)
    return out


def engine(rng, n):
    rate = rng.uniform(18, 90) * slow(rng, n, rng.uniform(0.2, 1.5), 0.75, 1.3)
    pulses = np.diff(np.floor(np.cumsum(rate) / RATE), prepend=0) * rng.uniform(0.5, 1, n)
    body = resonated(pulses, rng.uniform(60, 1800, 4), rng.uniform(40, 400, 4))
    return unit(body) + rng.uniform(0, 0.5) * coloured(rng, n)


def machine(rng, n):
    """A vacuum cleaner, a drill, a mixer: high harmonics under load, switched on and off."""
    speed = rng.uniform(90, 900) * slow(rng, n, rng.uniform(0.2, 2), 0.7, 1.2)
    running = np.clip(slow(rng, n, rng.uniform(0.2, 1), -1.5, 2.5), 0, 1)
    whine = harmonic(speed, rng.exponential(1, rng.integers(3, 15)), rng)
    return running * (whine + rng.uniform(0.3, 2) * coloured(rng, n))


def music(rng, n):
    """Chords and arpeggios, sometimes with drums. Notes hold their pitch, and their formants do not move."""
    beat = rng.uniform(0.15, 0.6)
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + rng.integers(45, 62)
    partials = overtones(rng, rng.integers(2, 14))
    decay, is_plucked, vibrato = rng.uniform(0.15, 2), rng.random() < 0.6, rng.uniform(0, 0.012)
    out = np.zeros(n)
    for k in range(int(n / RATE / beat) + 1):
        if rng.random() < 0.25:
            continue
        length = int(beat * RATE * rng.choice([1, 1, 2, 4]))
        time = np.arange(length) / RATE
        envelope = np.exp(-time / decay) if is_plucked else np.hanning(length) ** 0.3
        envelope = envelope * np.minimum(1, time / rng.uniform(0.002, 0.05)) * np.minimum(1, time[::-1] / 0.02)
        for note in rng.choice(scale, rng.choice([1, 1, 3, 4])) + 12 * rng.integers(-1, 2):
            hz = 440 * 2 ** ((note - 69) / 12) * (1 + vibrato * np.sin(2 * np.pi * 5.5 * time))
            place(out, envelope * harmonic(hz, partials, rng) * rng.uniform(0.3, 1), int(k * beat * RATE))
    return out + (rng.uniform(0, 1) * unit(drums(rng, n, beat)) if rng.random() < 0.5 else 0)


def drums(rng, n, beat=None):
    beat = beat or rng.uniform(0.15, 0.5)
    out = np.zeros(n)
    for k in range(int(n / RATE / beat) + 1):
        at, kind = int(k * beat * RATE), rng.integers(4)
        length = int(rng.uniform(0.05, 0.3) * RATE)
        fall = np.exp(-np.arange(length) / RATE / rng.uniform(0.02, 0.12))
        if kind == 0:
            place(out, fall * tone(length, rng.uniform(45, 110), rng), at)
        elif kind < 3:
            low = rng.uniform(150, 5000)
            place(out, fall * rng.uniform(0.2, 0.8) * filtered(rng.standard_normal(length), low, 7900), at)
    return out


def glides(rng, n):
    """Squeaks, whines, bowed strings: harmonic stacks whose pitch moves, without a voice's formants or rhythm."""
    out = np.zeros(n)
    for at in moments(rng, n, rng.uniform(0.4, 2)):
        length = int(rng.uniform(0.08, 2.5) * RATE)
        start = np.exp(rng.uniform(np.log(150), np.log(2500)))
        path = start * 2 ** (np.linspace(0, rng.uniform(-1, 1), length) + 0.1 * slow(rng, length, 3, -1, 1))
        partials = overtones(rng, rng.integers(1, 8))
        voice = harmonic(path, partials, rng) + rng.uniform(0, 0.3) * rng.standard_normal(length)
        place(out, np.hanning(length) ** rng.uniform(0.2, 1) * voice * rng.uniform(0.2, 1), at)
    return out


def siren(rng, n):
    low, high, rate = rng.uniform(350, 700), rng.uniform(800, 1800), rng.uniform(0.15, 4)
    wave = np.sin(2 * np.pi * rate * np.arange(n) / RATE + rng.uniform(0, 6))
    wave = np.sign(wave) if rng.random() < 0.4 else wave
    return harmonic(low + (high - low) * (wave + 1) / 2, rng.exponential(1, rng.integers(1, 6)), rng)


def beeps(rng, n):
    """Keys of a telephone, busy tones, ringing, alarms."""
    out = np.zeros(n)
    length = int(rng.uniform(0.05, 0.7) * RATE)
    gap = rng.uniform(0.03, 1)
    keys = [(a, b) for a in (697, 770, 852, 941) for b in (1209, 1336, 1477)]
    fixed = rng.uniform(300, 3500, rng.integers(1, 4)) if rng.random() < 0.6 else None
    for at in range(int(rng.uniform(0, 0.5) * RATE), n, length + int(gap * RATE)):
        pitches = keys[rng.integers(len(keys))] if fixed is None else fixed
        beep = sum(tone(length, hz, rng) for hz in pitches)
        if rng.random() < 0.2:
            beep = beep * (1 + np.sign(tone(length, rng.uniform(8, 30), rng)))
        place(out, beep, at)
    return out


def birds(rng, n):
    out = np.zeros(n)
    for at in moments(rng, n, rng.uniform(0.15, 1.2)):
        length = int(rng.uniform(0.03, 0.3) * RATE)
        trill = rng.uniform(0, 0.2) * np.sin(2 * np.pi * rng.uniform(10, 50) * np.arange(length) / RATE)
        path = rng.uniform(1200, 6000) * 2 ** (np.linspace(0, rng.uniform(-0.6, 0.6), length) + trill)
        place(out, np.hanning(length) * harmonic(path, [1, rng.uniform(0, 0.3)], rng) * rng.uniform(0.1, 1), at)
    return out


def knocks(rng, n):
    """Knocks on wood, steps, a bumped microphone, a slammed door."""
    out = np.zeros(n)
    low, high = sorted(rng.uniform(50, 1500, 2))
    is_regular, gap = rng.random() < 0.5, rng.uniform(0.15, 1)
    times = np.arange(rng.uniform(0, 1), n / RATE, gap) * RATE if is_regular else moments(rng, n, gap)
    for at in times:
        length = int(rng.uniform(0.05, 0.5) * RATE)
        hit = damped_modes(rng, length, rng.uniform(low, high + 50, 6), rng.uniform(0.005, 0.08))
        dull = filtered(rng.standard_normal(length), 30, rng.uniform(200, 4000))
        hit += dull * np.exp(-np.arange(length) / RATE / rng.uniform(0.003, 0.06)) * rng.uniform(0, 1)
        place(out, hit * rng.uniform(0.2, 1), int(at))
    return out


def typing(rng, n):
    out = np.zeros(n)
    low = rng.uniform(300, 3000)
    for at in moments(rng, n, rng.uniform(0.06, 0.4)):
        for delay in (0, rng.uniform(0.03, 0.12)):
            length = int(rng.uniform(0.005, 0.04) * RATE)
            click = filtered(rng.standard_normal(length), low, rng.uniform(low + 500, 7900))
            click = click * np.exp(-np.arange(length) / length * 4)
            place(out, click * rng.uniform(0.1, 1), at + int(delay * RATE))
    return out


def dishes(rng, n):
    """Plates, cutlery, glasses, keys: inharmonic modes in irregular bursts, sometimes under running water."""
    out = np.zeros(n)
    for at in bursts(rng, n):
        length = int(rng.uniform(0.05, 1) * RATE)
        pitches = rng.uniform(rng.uniform(300, 2000), 7000, rng.integers(2, 14))
        hit = damped_modes(rng, length, pitches, rng.uniform(0.005, 0.25))
        thud = damped_modes(rng, length, rng.uniform(100, 600, 3), 0.02) * rng.uniform(0, 1)
        place(out, (hit + thud) * rng.uniform(0.03, 1) ** 2, at)
    return out + (rng.uniform(0, 0.15) * unit(water(rng, n)) if rng.random() < 0.5 else 0)


def water(rng, n):
    flow = filtered(rng.standard_normal(n), rng.uniform(200, 1500), rng.uniform(2500, 7500)) * slow(rng, n, 3, 0.4, 1)
    out = unit(flow) * rng.uniform(0.1, 1)
    for at in moments(rng, n, rng.uniform(0.02, 0.3)):  # bubbles: damped, rising
        length = int(rng.uniform(0.01, 0.08) * RATE)
        path = np.exp(rng.uniform(np.log(350), np.log(3500))) * np.linspace(1, rng.uniform(1, 1.8), length)
        place(out, harmonic(path, [1], rng) * np.exp(-4 * np.arange(length) / length) * rng.uniform(0.1, 1), at)
    return out


def breath(rng, n):
    """Breathing, blowing, coughs: noise through a throat, in the rhythm of syllables but without harmonics."""
    out = np.zeros(n)
    for at in bursts(rng, n):
        length = int(rng.choice([rng.uniform(0.06, 0.3), rng.uniform(0.5, 1.8)]) * RATE)
        puff = resonated(rng.standard_normal(length), rng.uniform(300, 4500, 3), rng.uniform(150, 1200, 3))
        shape = np.hanning(length) if rng.random() < 0.6 else np.exp(-np.arange(length) / length * 5)
        place(out, unit(puff) * shape * rng.uniform(0.1, 1), at)
    return out


def rustle(rng, n):
    """Paper, clothes on a microphone, wiping."""
    out = np.zeros(n)
    for at in moments(rng, n, rng.uniform(0.3, 2)):
        length = int(rng.uniform(0.1, 1.2) * RATE)
        grain = np.abs(slow(rng, length, rng.uniform(20, 200), -1, 1)) ** 3
        sound = filtered(rng.standard_normal(length), rng.uniform(50, 2500), rng.uniform(3000, 7900))
        place(out, sound * grain * np.hanning(length) * rng.uniform(0.2, 1), at)
    return out


def crackle(rng, n):
    """Rain, applause, frying, a bad line: many clicks of any size."""
    clicks = (rng.random(n) < 10 ** rng.uniform(-3.8, -1)) * rng.standard_normal(n) * rng.exponential(1, n)
    return resonated(clicks, rng.uniform(300, 6000, 3), rng.uniform(300, 3000, 3)) * slow(rng, n, 1, 0.3, 1)


def cafeteria(rng, n):
    return unit(babble(rng, n)) + rng.uniform(0.1, 1.5) * unit(dishes(rng, n)) + 0.2 * unit(coloured(rng, n))


def babble(rng, n, utterances=None):
    """Six to twelve voices at once, none of which leads. Without `utterances` (f32 each) they are buzzing syllables."""
    out = np.zeros(n)
    for _ in range(rng.integers(6, 13)):
        voice, at = np.zeros(n), -int(rng.uniform(0, 3) * RATE)
        while at < n:
            part = mumble(rng, 3 * RATE) if utterances is None else utterances[rng.integers(len(utterances))]
            place(voice, part, at)
            at += len(part) + int(rng.uniform(0, 0.4) * RATE)
        out += unit(voice) * rng.uniform(0.6, 1)
    return out


def mumble(rng, n):
    """One far voice of random syllables: a pulse train through moving formants."""
    pitch = rng.uniform(85, 240) * slow(rng, n, 2, 0.8, 1.25)
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    out = np.zeros(n)
    at = 0
    while at < n:
        length = int(rng.uniform(0.08, 0.3) * RATE)
        source = pulses[at : at + length] + 0.02 * rng.standard_normal(len(pulses[at : at + length]))
        formants = [rng.uniform(250, 850), rng.uniform(800, 2300), rng.uniform(2200, 3200)]
        syllable = resonated(source, formants, [80, 120, 200]) * np.hanning(len(source)) ** 0.5
        place(out, syllable * rng.uniform(0.2, 1), at)
        at += length + (int(rng.uniform(0, 0.4) * RATE) if rng.random() < 0.2 else 0)
    return out


MAKERS = {
    maker.__name__: maker
    for maker in (steady, hum, fan, wind, traffic, engine, machine, music, drums, glides, siren, beeps, birds, knocks)
    + (typing, dishes, water, breath, rustle, crackle, cafeteria, babble)
}
KINDS = tuple(MAKERS)


def noise(rng, sample_count, kind=None):
    """f32 [sample_count] of the named kind, or of a random one. Kinds with pauses may be silent if they are short."""
    pcm = MAKERS[kind or KINDS[rng.integers(len(KINDS))]](rng, sample_count)
    windows = np.pad(pcm, (0, -sample_count % LEVEL_WINDOW)).reshape(-1, LEVEL_WINDOW)
    loudest = np.sqrt((windows**2).mean(axis=1).max())
    return (pcm * (LEVEL / max(loudest, 1e-9))).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        pcm = noise(np.random.default_rng(options.seed), int(options.seconds * RATE), kind)
        soundfile.write(options.out / f"{kind}.wav", np.clip(pcm, -1, 1), RATE)


if __name__ == "__main__":
    main()
