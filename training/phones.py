"""The 40 phones of the recogniser, and how words are said: CMUdict 0.4 as Debian's festlex-cmu has it."""

import re
from functools import cache
from pathlib import Path

PHONES = (
    "aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()
BLANK = 0
LABEL_OF = {phone: label for label, phone in enumerate(PHONES, start=1)}
LABELS = len(PHONES) + 1

DICTIONARY = Path("/usr/share/festival/dicts/cmu/cmudict-0.4.out")
ENTRY = re.compile(r'\("([a-z\']+)" \S+ \((.*)\)\)')
VOICED = set("b d g v dh m n ng l r w y aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw".split())
SIBILANT = {"s", "z", "sh", "zh", "ch", "jh"}
# The dictionary lists letters under the word that is spelled the same; "a" is the one letter that is another word too.
LETTER_A = ("ey",)


@cache
def dictionary():
    """{word: phones}, the first entry of each word."""
    words = {}
    for line in DICTIONARY.read_text(encoding="latin-1").splitlines():
        if entry := ENTRY.match(line):
            words.setdefault(entry[1], tuple(re.findall("[a-z]+", entry[2])))
    return words


def phones_of_word(word):
    """Phones of a lower-case word, a possessive included; None if nobody knows."""
    words = dictionary()
    if word in words:
        return words[word]
    base = words.get(word[:-2]) if word.endswith("'s") else None
    if base is None:
        return None
    if base[-1] in SIBILANT:
        return (*base, "ax", "z")
    return (*base, "z" if base[-1] in VOICED else "s")


def labels_of(spoken):
    """Label indices of a sentence as it was spoken; None if it has an unknown word.

    A capital A that stands alone is the letter, any other "a" the article.
    """
    labels = []
    for token in re.sub(r"[^A-Za-z' ]+", " ", spoken.replace("-", " ").replace("’", "'")).split():
        word = token.strip("'").lower()
        if not word:
            continue
        phones = LETTER_A if token == "A" and is_letter(spoken) else phones_of_word(word)
        if phones is None:
            return None
        labels += [LABEL_OF[phone] for phone in phones]
    return labels


def is_letter(spoken):
    """Whether capitals that stand alone are letters here: two or more of them, and not at a sentence's start only."""
    return len(re.findall(r"\b[A-Z]\b", spoken)) >= 2 or " as in " in spoken
