import { createRequire } from "node:module";

const load = createRequire(import.meta.url);

/**
 * The ARPAbet of a lower-case word in the CMU Pronouncing Dictionary's 125,000, its first way of saying it, or undefined.
 * The first look costs 25 MB and 150 ms. `require` because those who look do so synchronously, and only when they must.
 */
export function fullDictionary(word: string): string | undefined {
  const { dictionary } = load("cmu-pronouncing-dictionary") as { dictionary: Record<string, string> };
  // Some entries end in a remark behind a hash.
  return Object.hasOwn(dictionary, word) ? dictionary[word]?.replace(/\s*#.*$/, "") : undefined;
}
