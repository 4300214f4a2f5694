/** "Did you mean …": the nearest valid name, and keys that only lack their unit. */
import { distance } from "fastest-levenshtein";

/** The candidate that was probably meant, or `undefined` if none is near. Ties go to the first. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = farthest(wanted.length) + 1;
  for (const candidate of candidates) {
    const away = distance(wanted.slice(0, COMPARED_CHARS), candidate.toLowerCase());
    if (away < bestDistance && away < candidate.length) {
      best = candidate;
      bestDistance = away;
    }
  }
  return best ?? candidates.find((candidate) => contains(candidate.toLowerCase(), wanted));
}

export interface KeySuggestion {
  readonly nearest: string;
  /** The key is known, only its unit is missing or another one. */
  readonly unit?: { readonly word: string; readonly factor: number | undefined };
}

/** What an unknown key was probably meant to be. */
export function suggestKey(key: string, candidates: readonly string[]): KeySuggestion | undefined {
  const given = splitUnit(key);
  for (const candidate of candidates) {
    const own = splitUnit(candidate);
    if (own.unit === undefined || own.stem !== given.stem) continue;
    if (own.unit === given.unit) return { nearest: candidate };
    return { nearest: candidate, unit: { word: own.unit, factor: factorBetween(given.unit, own.unit) } };
  }
  const found = nearest(key, candidates);
  return found === undefined ? undefined : { nearest: found };
}

/** Two slips (a transposition counts as two) in a short word, a third of a long one; a single letter is like nothing. */
function farthest(charCount: number): number {
  return charCount < 3 ? charCount - 1 : Math.max(2, Math.floor(charCount / 3));
}

const COMPARED_CHARS = 80;
const CONTAINED_CHARS_MIN = 4;

function contains(candidate: string, wanted: string): boolean {
  if (wanted.length >= CONTAINED_CHARS_MIN && candidate.includes(wanted)) return true;
  return candidate.length >= CONTAINED_CHARS_MIN && wanted.includes(candidate);
}

/** Spellings of units, as they end a key. */
const UNITS: Readonly<Record<string, string>> = {
  ms: "milliseconds",
  msec: "milliseconds",
  msecs: "milliseconds",
  millis: "milliseconds",
  milliseconds: "milliseconds",
  s: "seconds",
  sec: "seconds",
  secs: "seconds",
  seconds: "seconds",
  us: "microseconds",
  min: "minutes",
  minutes: "minutes",
  hz: "hertz",
  khz: "kilohertz",
  samples: "samples",
  bytes: "bytes",
};
const PER_SECOND: Readonly<Record<string, number>> = {
  milliseconds: 1_000,
  seconds: 1,
  microseconds: 1_000_000,
  minutes: 1 / 60,
};
// A unit begins with a capital (`stopSec`) or after a separator (`stop_s`): `stops` is a word.
const ENDS_IN_UNIT = /(?:[_-]([A-Za-z]+)|([A-Z][a-z]*))$/;

function splitUnit(key: string): { readonly stem: string; readonly unit: string | undefined } {
  const match = ENDS_IN_UNIT.exec(key);
  const spelled = (match?.[1] ?? match?.[2] ?? "").toLowerCase();
  const unit = Object.hasOwn(UNITS, spelled) ? UNITS[spelled] : undefined;
  const stem = unit === undefined ? key : key.slice(0, match!.index);
  return { stem: stem.replace(/[_-]/g, "").toLowerCase(), unit };
}

function factorBetween(from: string | undefined, to: string): number | undefined {
  const source = PER_SECOND[from ?? ""];
  const target = PER_SECOND[to];
  return source === undefined || target === undefined ? undefined : target / source;
}
