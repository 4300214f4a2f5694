"""Writes the sentences that are spoken, text.train.tsv.gz and text.test.tsv.gz, those of one to three
words, text.short.tsv.gz, and those that are only counted, text.lm.tsv.gz.

    python training/make_text.py --out .cache/training

Columns: source, sentence as a synthesiser is given it, the same normalised. Every fiftieth normalised sentence, by hash,
is kept for tests: the same text is never on both sides, whatever the counts and seeds. What is counted is more than what
is spoken: all of WordNet, and more draws. Needs Debian's wordnet-base, miscfiles, wamerican and festlex-cmu.
"""

import argparse
import gzip
import hashlib
import random
import re
from pathlib import Path

from phones import labels_of

HERE = Path(__file__).parent
WORDNET = Path("/usr/share/wordnet")
STATE_PAPERS = [Path(f"/usr/share/state/us-{name}.gz") for name in ("constitution", "declaration")]
WORD_LIST = Path("/usr/share/dict/american-english")
TEST_SHARE = 50
WORDS_MAX, LETTERS_MAX, LONGEST_WORD = 16, 90, 14
# A definition is stiffer English than an example sentence, so that only some are taken.
GLOSS_SHARE = {"noun": 0.25, "verb": 0.4, "adj": 0.4, "adv": 0.4}


def normalise(text):
    text = re.sub(r"[^a-z' ]+", " ", text.lower().replace("’", "'").replace("-", " "))
    text = re.sub(r"(^|\s)'+|'+(\s|$)", " ", text)
    return re.sub(r"\s+", " ", text).strip()


def is_test(normalised):
    return int(hashlib.md5(normalised.encode()).hexdigest(), 16) % TEST_SHARE == 0


def is_plain(text):
    """Whether it is said as it is written, and of a length that is good for training."""
    if re.search(r"[0-9/()\[\]{}*_=+<>@#$%&|\\~^:`\"]|[^\x20-\x7e]|[A-Z]{2,}|\w\.\w", text):
        return False
    if re.search(r"\b(Mr|Mrs|Dr|St|Prof|etc|vs)\b", text):
        return False
    words = normalise(text).split()
    return 2 <= len(words) <= WORDS_MAX and sum(map(len, words)) <= LETTERS_MAX and max(map(len, words)) <= LONGEST_WORD


def wordnet_glosses():
    """(part of speech, example sentences, definition with its remarks) of each sense."""
    for part in ("verb", "adj", "adv", "noun"):
        for line in (WORDNET / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if not line.startswith("  ") and "|" in line:
                gloss = line.split("|", 1)[1]
                yield part, re.findall(r'"([^"]+)"', gloss), re.sub(r'"[^"]*"', "", gloss)


def wordnet_sentences(rng):
    """Example sentences, and some definitions."""
    for part, examples, remarks in wordnet_glosses():
        yield from (("example", example.strip()) for example in examples if is_plain(example))
        definition = remarks.split(";")[0].strip()
        if is_plain(definition) and rng.random() < GLOSS_SHARE[part]:
            yield "gloss", definition


def wordnet_clauses():
    """Everything in it that is English, of any length: for counting."""
    for _, examples, remarks in wordnet_glosses():
        yield from (("example", example) for example in examples)
        yield from (("gloss", clause) for clause in re.split(r"[;()]", remarks) if len(clause.split()) > 1)


def state_paper_clauses():
    for path in STATE_PAPERS:
        text = re.sub(r"\s+", " ", gzip.decompress(path.read_bytes()).decode("latin-1"))
        for clause in re.split(r"(?<=[.;,:])\s", text):
            if is_plain(clause := clause.strip(" ;,:")):
                yield "state", clause


def word_salads(rng, count):
    """Words without any order: each word of the dictionary is heard some time, and not only behind the usual ones."""
    words = [word for word in WORD_LIST.read_text().split() if re.fullmatch("[a-z]{2,12}", word) and labels_of(word)]
    for _ in range(count):
        yield "words", " ".join(rng.choice(words) for _ in range(rng.randint(1, 6)))


class Phrases:
    """A file of patterns: `<slot> = a | b` defines a slot; {a|b|} are alternatives, the empty one included."""

    def __init__(self, path):
        self._slots, self._patterns = {}, []
        for line in path.read_text().splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if slot := re.match(r"<([a-z]+)> =(.*)", line):
                self._slots[slot[1]] = split_outside_braces(slot[2])
            else:
                self._patterns.append(line)

    def draw(self, rng):
        """Patterns are chosen evenly, then each alternative evenly."""
        text = rng.choice(self._patterns)
        while open_part := re.search(r"<([a-z]+)>|\{([^{}<>]*)\}", text):
            slot, alternatives = open_part.groups()
            chosen = rng.choice(self._slots[slot] if slot else alternatives.split("|"))
            text = text[: open_part.start()] + chosen + text[open_part.end() :]
        return re.sub(r"\s+", " ", text).strip()


def split_outside_braces(text):
    parts, depth = [""], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def phrases(source, rng, count):
    file = Phrases(HERE / f"{source}-phrases.txt")
    return ((source, file.draw(rng)) for _ in range(count))


def short_answers(rng, count):
    """Up to three words, as often as they are drawn: without repetitions, "yes" would be spoken once in the corpus."""
    files = [Phrases(HERE / f"{source}-phrases.txt") for source in ("assistant", "practice")]
    words = [text for _, text in word_salads(rng, count // 4) if len(text.split()) == 1]
    rows = [("short", text, normalise(text)) for text in words if not is_test(text)]
    while len(rows) < count:
        text = rng.choice(files).draw(rng)
        # Patterns of one or two words are few among all, but each of their draws counts here.
        if len(text.split()) <= 3 and labels_of(text) and not is_test(normalise(text)):
            rows.append(("short", text, normalise(text)))
    rng.shuffle(rows)
    return rows


def counted(rng, draws):
    """Rows for the word bigram. Draws stay as often as they are drawn; nothing of the tests' side is among them."""
    drawn = [*wordnet_clauses(), *state_paper_clauses()]
    drawn += [*phrases("assistant", rng, draws), *phrases("practice", rng, draws)]
    rows = ((source, text.strip(), normalise(text)) for source, text in drawn)
    return [row for row in rows if row[2] and not is_test(row[2]) and not re.search(r"[0-9_]", row[1])]


def write(path, rows):
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        file.write("".join("\t".join(row) + "\n" for row in rows).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--assistant", type=int, default=40_000, help="draws from assistant-phrases.txt")
    parser.add_argument("--practice", type=int, default=40_000, help="draws from practice-phrases.txt")
    parser.add_argument("--salads", type=int, default=8_000)
    parser.add_argument("--short", type=int, default=8_000, help="draws of up to three words, repeated as they come")
    parser.add_argument("--counted", type=int, default=120_000, help="draws from each phrase file that are only counted")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    drawn = [
        *wordnet_sentences(rng),
        *state_paper_clauses(),
        *phrases("assistant", rng, options.assistant),
        *phrases("practice", rng, options.practice),
        *word_salads(rng, options.salads),
    ]
    rows = {normalise(text): (source, text) for source, text in reversed(drawn)}
    rows = [(source, text, spoken) for spoken, (source, text) in rows.items() if spoken and labels_of(text)]
    rng.shuffle(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, wanted in (("train", False), ("test", True)):
        chosen = [row for row in rows if is_test(row[2]) == wanted]
        write(options.out / f"text.{name}.tsv.gz", chosen)
        sources = sorted({row[0] for row in chosen})
        print(name, len(chosen), {source: sum(row[0] == source for row in chosen) for source in sources})
    write(options.out / "text.lm.tsv.gz", counted(rng, options.counted))
    write(options.out / "text.short.tsv.gz", short_answers(rng, options.short))


if __name__ == "__main__":
    main()
