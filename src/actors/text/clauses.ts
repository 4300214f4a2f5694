/**
 * Cuts a reply that arrives in pieces into clauses that can be spoken one after another: the first one short, so that
 * its audio leaves early, then sentence by sentence.
 *
 * What is cut depends on the text alone, never on how it was cut into deltas: a boundary is decided once all the text
 * that the decision looks at is there (at most the next word's first character), or at `flush`.
 */
import {
  ABBREVIATIONS_BEFORE_CAPITALS,
  ABBREVIATIONS_BEFORE_LOWER_CASE,
  ABBREVIATIONS_BEFORE_NUMBERS,
} from "./abbreviations.js";

/** The first clause of a reply may end at a comma once it is this long. Shorter ones sound cut off. */
export const FIRST_CLAUSE_CHARS_MIN = 12;
/** Longest clause. At it: cut after the last comma in its second half, else at the last space, else inside a word. */
export const CLAUSE_CHARS_MAX = 300;

export class ClauseSplitter {
  /** Begins with no white space; each run of it is one character: ` `, `\n`, or {@link BLANK_LINE}. */
  #text = "";
  #isFirst = true;

  /** Takes more text. Returns the clauses that it completed, without white space around them; often none. */
  push(delta: string): string[] {
    this.#text = collapse(this.#text + delta);
    const clauses: string[] = [];
    for (let end = this.#nextEnd(); end > 0; end = this.#nextEnd()) clauses.push(this.#cut(end));
    return clauses;
  }

  /** No more text in this reply: returns the rest. The next `push` begins a new reply. */
  flush(): string[] {
    const clauses: string[] = [];
    this.#text = this.#text.trimEnd();
    while (this.#text !== "") {
      // What was undecided so far stands at the very end, where there is nothing to cut off.
      const rest = this.#text.length > CLAUSE_CHARS_MAX ? forcedEnd(this.#text) : this.#text.length;
      clauses.push(this.#cut(this.#nextEnd() || rest));
    }
    this.#isFirst = true;
    return clauses;
  }

  /** All that is remembered, as text of at most {@link CLAUSE_CHARS_MAX} characters and a few more. */
  save(): string {
    return JSON.stringify([this.#isFirst, this.#text]);
  }

  /** A splitter that goes on where `save` was called. */
  static restore(state: string): ClauseSplitter {
    const [isFirst, text] = JSON.parse(state) as [boolean, string];
    const splitter = new ClauseSplitter();
    splitter.#isFirst = isFirst;
    splitter.#text = text;
    return splitter;
  }

  #cut(end: number): string {
    const clause = this.#text.slice(0, end).replace(/\s/g, " ").trim();
    this.#text = this.#text.slice(end).trimStart();
    this.#isFirst = false;
    return clause;
  }

  /** Where the next clause ends: an index into the text, or 0 if that cannot be told yet. */
  #nextEnd(): number {
    const text = this.#text;
    for (const { index } of text.slice(0, CLAUSE_CHARS_MAX + 2).matchAll(CANDIDATE)) {
      const end = endAt(text, index, this.#isFirst);
      if (end > 0 && end <= CLAUSE_CHARS_MAX && isSpeakable(text.slice(0, end))) return end;
    }
    return text.length >= CLAUSE_CHARS_MAX + 2 ? forcedEnd(text) : 0;
  }
}

const BLANK_LINE = "\u2029";

function collapse(text: string): string {
  const collapsed = text.replace(/\s+/g, (run) => {
    const lineEnds = run.split("\n").length - 1;
    return lineEnds > 1 || run.includes(BLANK_LINE) ? BLANK_LINE : lineEnds === 1 ? "\n" : " ";
  });
  return collapsed.trimStart();
}

/** The first character of everything that may end a clause. */
const CANDIDATE = /(?<![.!?\u2026])[.!?\u2026]|[\n\u2029]|[,;:\u2013\u2014]|(?<=\s)-(?=\s|$)|[\u3002\uff01\uff1f]/g;
const STRONG = /[.!?\u2026]+/y;
const CLOSERS = /["'\u201d\u2019)\]\u00bb]*/y;

/**
 * The index after the clause that the candidate at `index` ends, or 0 if it ends none, or if the text that decides this
 * is still missing: then the candidate is the last one so far, and is looked at again when there is more.
 */
function endAt(text: string, index: number, isFirst: boolean): number {
  const symbol = text[index]!;
  if (symbol === BLANK_LINE || symbol === "\n") return endOfLine(text, index);
  if (/[.!?\u2026]/.test(symbol)) return endOfSentence(text, index, isFirst);
  if (/[\u3002\uff01\uff1f]/.test(symbol)) return index + 1;
  return isFirst ? endAtComma(text, index) : 0;
}

/** A blank line ends a clause; a single line end does unless the line was merely wrapped. */
function endOfLine(text: string, index: number): number {
  const next = text[index + 1];
  // More white space may follow and make a blank line of it.
  if (next === undefined) return 0;
  return text[index] === BLANK_LINE || /[^\p{Ll}]/u.test(next) ? index : 0;
}

function endAtComma(text: string, index: number): number {
  if (index + 1 < FIRST_CLAUSE_CHARS_MIN) return 0;
  if (/[\u2014\u2013]/.test(text[index]!)) return /\d/.test(text[index - 1] ?? "") ? 0 : index + 1;
  return /\s/.test(text[index + 1] ?? "") ? index + 1 : 0;
}

function endOfSentence(text: string, index: number, isFirst: boolean): number {
  const stop = matchAt(STRONG, text, index);
  const closers = matchAt(CLOSERS, text, index + stop.length);
  const end = index + stop.length + closers.length;
  if (end >= text.length) return 0;
  if (!/\s/.test(text[end]!)) return 0;
  const next = text[end + 1];
  if (closers !== "" || isEllipsis(stop)) {
    if (next === undefined) return 0;
    if (isEllipsis(stop)) return isFirst && end >= FIRST_CLAUSE_CHARS_MIN ? end : 0;
    // "Stop!" she said.
    if (/\p{Ll}/u.test(next)) return 0;
  }
  return stop === "." ? endAtFullStop(text, index, end) : end;
}

function isEllipsis(stop: string): boolean {
  return stop.includes("\u2026") || stop.includes("...");
}

/** Whether the full stop at `index` belongs to its word or ends a sentence. */
function endAtFullStop(text: string, index: number, end: number): number {
  const before = text.slice(Math.max(0, index - 40), index);
  const word = /[^\s("'\u201c\u2018[\u2014\u2013]*$/.exec(before)![0];
  const lower = word.toLowerCase();
  const isAtStart = word.length === index;
  // "1. Take the lid off": the number of a list's entry.
  if (isAtStart && /^(\d{1,3}|[a-z])$/.test(lower)) return 0;
  // Initials, "J. R. Smith", and dotted capitals, "U.S."; the word "I" is not one.
  if (/^(\p{Lu}\.)*\p{Lu}$/u.test(word) && word !== "I") return 0;
  if (ABBREVIATIONS_BEFORE_CAPITALS.has(lower)) return 0;
  const next = text[end + 1];
  const isAbbreviation = ABBREVIATIONS_BEFORE_LOWER_CASE.has(lower) || /^(\p{L}\.)+\p{L}$/u.test(word);
  if (isAbbreviation || ABBREVIATIONS_BEFORE_NUMBERS.has(lower)) {
    if (next === undefined) return 0;
    if (isAbbreviation) return /\p{Lu}/u.test(next) ? end : 0;
    return /\d/.test(next) ? 0 : end;
  }
  return end;
}

function matchAt(pattern: RegExp, text: string, index: number): string {
  pattern.lastIndex = index;
  return pattern.exec(text)?.[0] ?? "";
}

function isSpeakable(clause: string): boolean {
  return /[\p{L}\p{N}]/u.test(clause);
}

/** Where to cut a text that is longer than a clause may be and has no good place for it. */
function forcedEnd(text: string): number {
  const head = text.slice(0, CLAUSE_CHARS_MAX + 1);
  const comma = Math.max(
    ...[", ", "; ", ": ", "... ", "\u2026 "].map((mark) => head.lastIndexOf(mark) + mark.length - 1),
  );
  if (comma > CLAUSE_CHARS_MAX / 2) return comma;
  const space = head.search(/\s\S*$/);
  if (space > 0) return space;
  // Not between the halves of a surrogate pair.
  return /[\ud800-\udbff]/.test(head[CLAUSE_CHARS_MAX - 1]!) ? CLAUSE_CHARS_MAX - 1 : CLAUSE_CHARS_MAX;
}
