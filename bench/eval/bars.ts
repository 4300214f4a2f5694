/** What the starter models must reach. One row of the evaluation carries each bar, and `--check` looks at nothing else. */

export interface EvalBar {
  /** In words, for a row that could not be measured. */
  readonly what: string;
  readonly must: "be at most" | "be at least";
  readonly bar: number;
  /** `null` where only the bar is set. */
  readonly aim: number | null;
}

export const BARS = {
  requests: {
    what: "word errors: the sentences of samples/ and unseen requests, in the product's own voices",
    must: "be at most",
    bar: 2,
    aim: 0.5,
  },
  known: { what: "word errors: unseen sentences, known synthetic voices", must: "be at most", bar: 10, aim: 5 },
  heldOut: { what: "word errors: unseen synthetic voices of espeak-ng", must: "be at most", bar: 13, aim: 7 },
  rms: { what: "word errors: an unseen natural synthetic voice, flite's rms", must: "be at most", bar: 36, aim: 20 },
  real: { what: "word errors: real people reading English", must: "be at most", bar: 70, aim: 40 },
  digits: { what: "word errors: real spoken digits, the digits as key terms", must: "be at most", bar: 30, aim: 10 },
  agreement: { what: "agreement of the detector with Silero on real clips", must: "be at least", bar: 95, aim: 97 },
  falseAlarms: { what: "false alarms per minute of real noise", must: "be at most", bar: 3, aim: 1 },
  sttStreams: { what: "streams per core: recogniser, batch 16", must: "be at least", bar: 100, aim: 250 },
  vadStreams: { what: "streams per core: detector, batch 32", must: "be at least", bar: 1500, aim: 4000 },
  decoding: { what: "decoding at beam 24, ms per second of audio", must: "be at most", bar: 10, aim: null },
} as const satisfies Record<string, EvalBar>;

export type BarName = keyof typeof BARS;
export type Verdict = "aim reached" | "pass" | "MISSED";

/** A value on the bar passes. One that is no number misses. */
export function verdictOf({ must, bar, aim }: EvalBar, value: number): Verdict {
  const reaches = (goal: number): boolean => (must === "be at most" ? value <= goal : value >= goal);
  if (!reaches(bar)) return "MISSED";
  return aim !== null && reaches(aim) ? "aim reached" : "pass";
}
