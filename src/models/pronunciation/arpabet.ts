/** A sound of English in the CMU Pronouncing Dictionary's alphabet. */
export interface Sound {
  /** One of ARPAbet's 39 names in upper case, without the stress digit, {@link SCHWA} or {@link ARTICLE}: `HH`, `AX`, `OW`. */
  readonly name: string;
  /** Of a vowel: 0 none, 1 primary, 2 secondary. Undefined for a consonant. */
  readonly stress: Stress | undefined;
}

export type Stress = 0 | 1 | 2;

/** The unstressed AH, a vowel of its own: "of" may lose its stress and keep its AH. */
export const SCHWA = "AX";

/** The vowel of the articles "a" and "an", for which phonemizers have a symbol of its own. */
export const ARTICLE = "A";

/** Reads the dictionary's form, `"HH AH0 L OW1"`. A name without a digit is a consonant. */
export function parseArpabet(arpabet: string): Sound[] {
  return arpabet.split(" ").map((symbol) => {
    const digit = /[012]$/.exec(symbol)?.[0];
    if (digit === undefined) return { name: symbol, stress: undefined };
    return { name: symbol === "AH0" ? SCHWA : symbol.slice(0, -1), stress: stressOf(digit) };
  });
}

export function isVowel(sound: Sound | undefined): boolean {
  return sound?.stress !== undefined;
}

export function vowel(name: string, stress: Stress): Sound {
  return { name, stress };
}

export function consonant(name: string): Sound {
  return { name, stress: undefined };
}

function stressOf(digit: string): Stress {
  return digit === "1" ? 1 : digit === "2" ? 2 : 0;
}
