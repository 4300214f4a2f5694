"""Chooses the sentences of `npm run eval:starter`, and speaks them with the voices that Node cannot have.

    python training/make_eval.py --text .cache/training/text.test.tsv.gz --out .cache/starter-eval

Writes bench/eval/sentences.json, which is committed, and a folder of WAVs with a manifest, which is not: "known" by the
voices of training, undisturbed, "espeak-held-out" by variants and an accent of espeak-ng that training never heard.

    python training/make_eval.py --text .cache/training/text.test.tsv.gz --out .cache/training/tuning --tuning

writes other sentences, and single digits, for choosing the decoder's weights: nothing is chosen by the evaluation's own.
"""

import argparse
import gzip
import json
import random
import wave
from pathlib import Path

import numpy as np
from synthesise import PEAK, RATE, place, speak

SENTENCES = Path(__file__).parent.parent / "bench" / "eval" / "sentences.json"
REQUESTS = 200
GENERAL = {"example": 165, "gloss": 95, "practice": 30, "words": 8, "state": 2}
TUNING = 160  # sentences of each set
DIGITS = "zero one two three four five six seven eight nine".split()
SETS = {
    "known": "unseen sentences by the voices of training, undisturbed",
    "espeak-held-out": "unseen sentences by variants of espeak-ng that training never heard",
}


def choose(path):
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    of = lambda source: [text for kind, text, _ in rows if kind == source]
    general = [text for source, count in GENERAL.items() for text in of(source)[:count]]
    random.Random(1).shuffle(general)
    return {"requests": of("assistant")[:REQUESTS], "general": general}


def choose_others(path):
    """Sentences for tuning: of the tests' side, but none of the evaluation's."""
    taken = {text for texts in json.loads(SENTENCES.read_text()).values() for text in texts}
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    free = [(kind, text) for kind, text, _ in rows if text not in taken]
    requests = [text for kind, text in free if kind == "assistant"][: TUNING // 4]
    general = [text for kind, text in free if kind in ("example", "gloss")][: TUNING - len(requests)]
    return requests + general


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def speak_set(name, texts, folder, cast=None):
    rng = random.Random(f"eval {name}")
    (folder / name).mkdir(parents=True, exist_ok=True)
    clips = []
    for index, samples, voice in speak(texts, cast or name, rng):
        samples = place(samples, rng)
        samples *= PEAK / np.abs(samples).max()
        file = f"{name}/{index:03}.wav"
        write_wav(folder / file, samples)
        clips.append({"file": file, "text": texts[index], "voice": voice})
    return sorted(clips, key=lambda clip: clip["file"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="choose sentences anew from text.test.tsv.gz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tuning", action="store_true", help="write the sets for tuning instead")
    options = parser.parse_args()
    if options.tuning:
        others, digits = choose_others(options.text), DIGITS * (TUNING // 10)
        plan = [("known", others, "known"), ("held out", others, "espeak-held-out"), ("digits", digits, "espeak-held-out")]
        plan = [(f"tuning, {name}", "for the decoder's weights", texts, cast) for name, texts, cast in plan]
    else:
        if options.text:
            SENTENCES.write_text(json.dumps(choose(options.text), indent=2) + "\n")
        texts = json.loads(SENTENCES.read_text())["general"]
        plan = [(name, description, texts, name) for name, description in SETS.items()]
    sets = []
    for name, description, texts, cast in plan:
        sets.append({"name": name, "description": description, "clips": speak_set(name, texts, options.out, cast)})
        print(name, len(sets[-1]["clips"]))
    (options.out / "manifest.json").write_text(json.dumps({"sets": sets}, indent=1) + "\n")


if __name__ == "__main__":
    main()
