/** What a bench is, and what it hands back. */

/** One measured number. `ratio` above 1 is always better than the baseline, whichever way the unit counts. */
export interface Figure {
  /** The bench. */
  readonly name: string;
  readonly metric: string;
  readonly unit: string;
  /** Median over the repeats; quantiles are those of one repeat, then the median of them. */
  readonly value: number;
  /** The same of the thing compared with, measured in the same run; `null` if there is none. */
  readonly baseline: number | null;
  /** Median of the ratios of neighbours in time, one per repeat. */
  readonly ratio: number | null;
  /** Repeats. */
  readonly n: number;
  /** Smallest and largest of the repeats. */
  readonly spread: { readonly value: Range; readonly ratio: Range | null };
  /** One number for each repeat, in the order of measuring; those of the baseline at the same places. */
  readonly repeats: { readonly values: readonly number[]; readonly baselines: readonly number[] | null };
  readonly bar: Bar | null;
  /** `null` where no bar is set. */
  readonly pass: boolean | null;
}

export type Range = readonly [min: number, max: number];

export interface Bar {
  readonly of: "value" | "ratio";
  readonly must: "be at least" | "be under";
  readonly bar: number;
  readonly aim: number;
}

/** What a variant's process reports: plain numbers. */
export type Sample = Readonly<Record<string, number>>;
export type VariantParameters = Readonly<Record<string, number | string>>;
/** One way of doing the work. Runs in a process of its own, ends with nothing left running, and checks its own answer. */
export type Variant = (parameters: VariantParameters) => Promise<Sample>;

export interface BenchContext {
  /** Tiny sizes: does the bench still run? Its numbers mean nothing then. */
  readonly isSmoke: boolean;
  /** Runs a variant of this bench in a fresh process. */
  variant(name: string, parameters: VariantParameters): Promise<Sample>;
  /** One line for whoever waits. */
  progress(text: string): void;
}

export interface Bench {
  readonly name: string;
  readonly variants: Readonly<Record<string, Variant>>;
  run(context: BenchContext): Promise<readonly Figure[]>;
}

/** A number that a variant must have reported. */
export function numberOf(sample: Sample, key: string): number {
  const value = sample[key];
  if (value === undefined || !Number.isFinite(value)) throw new Error(`a variant reported no ${key}`);
  return value;
}

/** A parameter of a variant that is a number. */
export function numberIn(parameters: VariantParameters, key: string): number {
  const value = parameters[key];
  if (typeof value !== "number") throw new Error(`the parameter ${key} is no number`);
  return value;
}
