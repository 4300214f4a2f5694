/**
 * A guess at how an English word outside all dictionaries is said: a few dozen spelling rules, longest first. A near miss
 * is enough for a recogniser's beam, and is what a voice does with a name that it never heard.
 */

/** `[spelling, phones, where]`: `^` only at the word's start, `$` only at its end. */
type Rule = readonly [spelling: string, phones: string, where?: "^" | "$"];

const RULES: readonly Rule[] = [
  ["tion", "sh ax n"],
  ["sion", "zh ax n"],
  ["ough", "ow"],
  ["augh", "ao"],
  ["eigh", "ey"],
  ["igh", "ay"],
  ["tch", "ch"],
  ["dge", "jh"],
  ["que", "k", "$"],
  ["sch", "sh", "^"],
  ["ere", "iy r", "$"],
  ["ure", "y uh r", "$"],
  ["ous", "ax s", "$"],
  ["kn", "n", "^"],
  ["wr", "r", "^"],
  ["ps", "s", "^"],
  ["ch", "ch"],
  ["sh", "sh"],
  ["th", "th"],
  ["ph", "f"],
  ["wh", "w"],
  ["ck", "k"],
  ["gh", "g", "^"],
  ["gh", ""],
  ["ng", "ng", "$"],
  ["qu", "k w"],
  ["ee", "iy"],
  ["ea", "iy"],
  ["ie", "iy"],
  ["ei", "ey"],
  ["ey", "iy", "$"],
  ["ai", "ey"],
  ["ay", "ey"],
  ["oa", "ow"],
  ["oo", "uw"],
  ["ou", "aw"],
  ["ow", "ow", "$"],
  ["ow", "aw"],
  ["oi", "oy"],
  ["oy", "oy"],
  ["au", "ao"],
  ["aw", "ao"],
  ["ue", "uw"],
  ["eu", "y uw"],
  ["ew", "uw"],
  ["ar", "aa r"],
  ["or", "ao r"],
  ["er", "er"],
  ["ir", "er"],
  ["ur", "er"],
  ["yr", "ih r"],
  ["es", "ih z", "$"],
  ["le", "ax l", "$"],
  ["ce", "s ih"],
  ["ci", "s ih"],
  ["cy", "s iy"],
  ["a", "ax", "$"],
  ["e", "", "$"],
  ["i", "iy", "$"],
  ["o", "ow", "$"],
  ["y", "iy", "$"],
  ["y", "y", "^"],
  ["x", "z", "^"],
];

const LETTERS: Readonly<Record<string, string>> = {
  a: "ae",
  b: "b",
  c: "k",
  d: "d",
  e: "eh",
  f: "f",
  g: "g",
  h: "hh",
  i: "ih",
  j: "jh",
  k: "k",
  l: "l",
  m: "m",
  n: "n",
  o: "aa",
  p: "p",
  q: "k",
  r: "r",
  s: "s",
  t: "t",
  u: "ah",
  v: "v",
  w: "w",
  x: "k s",
  y: "ih",
  z: "z",
};

/** What a vowel says when a single consonant and a silent e follow. */
const LONG: Readonly<Record<string, string>> = { a: "ey", e: "iy", i: "ay", o: "ow", u: "uw", y: "ay" };

/**
 * @param word lower-case letters; others are skipped.
 * @returns names of ARPAbet phones in lower case without stress, `ax` for an unstressed AH; empty if there is nothing to say
 */
export function spelledPhones(word: string): string[] {
  const phones: string[] = [];
  let at = 0;
  while (at < word.length) {
    const long = /^[aeiouy][bcdfgklmnprstvz]e$/.test(word.slice(at)) ? LONG[word[at]!] : undefined;
    const rule = long === undefined ? RULES.find((candidate) => applies(candidate, word, at)) : undefined;
    phones.push(...(long ?? rule?.[1] ?? LETTERS[word[at]!] ?? "").split(" "));
    // A doubled consonant is one sound.
    const doubled = rule === undefined && word[at] === word[at + 1] && !"aeiou".includes(word[at]!);
    at += rule?.[0].length ?? (doubled ? 2 : 1);
  }
  return phones.filter((phone) => phone !== "");
}

function applies([spelling, , where]: Rule, word: string, at: number): boolean {
  if (!word.startsWith(spelling, at)) return false;
  if (where === "^") return at === 0;
  // The first letter of a word is never silent or an ending.
  return where !== "$" || (at > 0 && at + spelling.length === word.length);
}
