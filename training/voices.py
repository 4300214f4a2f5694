"""Synthesisers behind one call: a sentence and a random generator in, 16 kHz speech out.

espeak-ng, flite and festival are programs of Debian. A voice is varied on purpose: pace,
pitch, the length of the vocal tract. speakers.py does the same for hibari.
"""

import os
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import soxr

RATE = 16_000

# Variants of espeak-ng that speak plainly; robots and whispers are left out. HELD_OUT is for tests alone.
ESPEAK_VARIANTS = (
    "f1 f2 f3 f5 m1 m2 m3 m4 m5 m6 m8 Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco "
    "Mario Michael Mike Nguyen RicishayMax Storm adam announcer antonio aunty belinda benjamin boris caleb david edward "
    "edward2 grandma grandpa gustave iven iven2 iven3 john kaukovalta klatt klatt2 klatt3 klatt4 marcelo max michel miguel "
    "norbert pablo paul pedro quincy rob robert sandro shelby steph steph2 steph3 travis victor zac"
).split()
ESPEAK_ACCENTS = "en-us en-us en-us en-us en-gb en-gb en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd en-029 en-us-nyc".split()
ESPEAK_VARIANTS_HELD_OUT = "f4 m7 anika ed linda".split()
ESPEAK_ACCENTS_HELD_OUT = ["en-us", "en-gb-scotland", "en-gb"]
# Ranges of vocal-tract scaling by playing speed. awb, kal and ked are men, slt is a woman.
FLITE_SPEEDS = {"slt": (0.84, 1.10), "awb": (0.88, 1.22), "kal16": (0.88, 1.25), "kal": (0.92, 1.12)}
FESTIVAL_SPEEDS = {"ked_diphone": (0.86, 1.2), "kal_diphone": (0.88, 1.2), "cmu_us_slt_arctic_hts": (0.82, 1.08)}
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def play(samples, rate, speed=1.0):
    """To 16 kHz, played `speed` times as fast: pitch and formants move together."""
    if rate == RATE and speed == 1.0:
        return samples
    return soxr.resample(samples, round(rate * speed), RATE, quality="HQ")


def read_wav(path):
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples.astype(np.float32) / 32768, file.getframerate()


def espeak(text, rng, variants=ESPEAK_VARIANTS, accents=ESPEAK_ACCENTS, speeds=(0.88, 1.14), paces=(110, 225), pitches=(15, 85)):
    voice = f"{rng.choice(accents)}+{rng.choice(variants)}"
    pace, pitch, gap = rng.randint(*paces), rng.randint(*pitches), rng.choice([0, 0, 0, 1, 3])
    command = ["espeak-ng", "-v", voice, "-s", str(pace), "-p", str(pitch), "-g", str(gap), "--stdin", "--stdout"]
    riff = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    # The header's length is a guess made before synthesis, so that a WAV reader would refuse it.
    samples = np.frombuffer(riff[44 : len(riff) // 2 * 2], np.int16).astype(np.float32) / 32768
    return play(samples, 22_050, rng.uniform(*speeds)), f"espeak {voice}"


def espeak_held_out(text, rng):
    return espeak(text, rng, ESPEAK_VARIANTS_HELD_OUT, ESPEAK_ACCENTS_HELD_OUT, (0.92, 1.10), (120, 210), (25, 75))


def flite(text, rng, voice, speeds=None):
    speed = rng.uniform(*(speeds or FLITE_SPEEDS[voice]))
    settings = {"duration_stretch": speed * rng.uniform(0.85, 1.2)}
    if voice.startswith("kal"):
        settings |= {"int_f0_target_mean": rng.randint(75, 150), "int_f0_target_stddev": rng.randint(10, 28)}
    else:
        settings["f0_shift"] = rng.uniform(0.85, 1.2)
    with tempfile.NamedTemporaryFile(suffix=".wav", dir=shared_memory()) as file:
        features = [part for name, value in settings.items() for part in ("--setf", f"{name}={value:.3f}")]
        subprocess.run(["flite", "-voice", voice, *features, "-t", text, "-o", file.name], capture_output=True, check=True)
        samples, rate = read_wav(file.name)
    return play(samples, rate, speed), f"flite {voice}"


def festival(sentences, rng):
    """Speaks many sentences in one process, since it takes a second to start. Yields (index, samples, voice)."""
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        script, speeds, current = [], [], None
        voices = sorted(rng.choice(list(FESTIVAL_SPEEDS)) for _ in sentences)
        for index, (text, voice) in enumerate(zip(sentences, voices)):
            speed = rng.uniform(*FESTIVAL_SPEEDS[voice])
            speeds.append(speed)
            if voice != current:
                script.append(f"(voice_{voice})")
                current = voice
            quoted = text.replace("\\", " ").replace('"', " ")
            script.append(f"(Parameter.set 'Duration_Stretch {speed * rng.uniform(0.85, 1.15):.2f})")
            script.append(f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{folder}/{index}.wav" \'riff)')
        Path(folder, "speak.scm").write_text("\n".join(script))
        subprocess.run(["festival", "-b", f"{folder}/speak.scm"], capture_output=True, env=ONE_THREAD, check=False)
        for index, (voice, speed) in enumerate(zip(voices, speeds)):
            path = Path(folder, f"{index}.wav")
            if path.exists():
                samples, rate = read_wav(path)
                yield index, play(samples, rate, speed), f"festival {voice}"


def shared_memory():
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
