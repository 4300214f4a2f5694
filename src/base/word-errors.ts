/** Word errors: how two texts are made comparable, and how errors are counted. */

export interface ErrorCounts {
  /** Words of the reference. */
  readonly words: number;
  readonly substitutions: number;
  readonly insertions: number;
  readonly deletions: number;
}

/** Said in full by whoever reads them. */
const ABBREVIATIONS: Readonly<Record<string, string>> = {
  mr: "mister",
  mrs: "missus",
  dr: "doctor",
  etc: "et cetera",
};

/** Lower case; letters and apostrophes inside words; hyphens and dashes part words. Both sides go through it. */
export function normalisedWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[-\u2010-\u2015/]/g, " ")
    .replace(/[^a-z'\s]/g, "")
    .split(/\s+/)
    .map((word) => word.replace(/^'+|'+$/g, ""))
    .flatMap((word) => (ABBREVIATIONS[word] ?? word).split(" "))
    .filter((word) => word !== "");
}

/** Levenshtein's distance over words, and what it consists of. Of equally short ways, the one with more substitutions. */
function countErrors(reference: readonly string[], heard: readonly string[]): ErrorCounts {
  const width = heard.length + 1;
  const cost = new Int32Array((reference.length + 1) * width);
  for (let at = 1; at < width; at++) cost[at] = at;
  for (let row = 1; row <= reference.length; row++) {
    cost[row * width] = row;
    for (let column = 1; column < width; column++) {
      const at = row * width + column;
      const differs = reference[row - 1] === heard[column - 1] ? 0 : 1;
      cost[at] = Math.min(cost[at - width - 1]! + differs, cost[at - width]! + 1, cost[at - 1]! + 1);
    }
  }
  let [row, column] = [reference.length, heard.length];
  let [substitutions, insertions, deletions] = [0, 0, 0];
  while (row > 0 || column > 0) {
    const at = row * width + column;
    const differs = row > 0 && column > 0 && reference[row - 1] === heard[column - 1] ? 0 : 1;
    if (row > 0 && column > 0 && cost[at] === cost[at - width - 1]! + differs) {
      substitutions += differs;
      row--;
      column--;
    } else if (row > 0 && cost[at] === cost[at - width]! + 1) {
      deletions++;
      row--;
    } else {
      insertions++;
      column--;
    }
  }
  return { words: reference.length, substitutions, insertions, deletions };
}

export function textErrors(reference: string, heard: string): ErrorCounts {
  return countErrors(normalisedWords(reference), normalisedWords(heard));
}

export function sumOf(counts: readonly ErrorCounts[]): ErrorCounts {
  const sum = (key: keyof ErrorCounts): number => counts.reduce((total, count) => total + count[key], 0);
  return {
    words: sum("words"),
    substitutions: sum("substitutions"),
    insertions: sum("insertions"),
    deletions: sum("deletions"),
  };
}

/** Errors per 100 words of the reference; above 100 where more was invented than said. Of no words: NaN. */
export function errorPercent({ words, substitutions, insertions, deletions }: ErrorCounts): number {
  return (100 * (substitutions + insertions + deletions)) / words;
}
