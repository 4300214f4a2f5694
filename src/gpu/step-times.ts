/**
 * How long a step of a model takes, by the number of its rows, learned from the steps that were run. One table per
 * model; `step-times-file.ts` keeps it across restarts.
 *
 * Sizes fall into buckets (1, 2, 3 to 4, 5 to 8, …). Each holds the mean of its sizes, the mean of their times and the
 * mean deviation from it, exponentially weighted, as a retransmission timer does it (V. Jacobson, "Congestion avoidance
 * and control", 1988). A prediction lies `DEVIATIONS` above the mean, about the 95th percentile: being late costs more
 * than being early. Between sizes that were seen it is a line, and more rows are never predicted to take less time.
 */

/** The largest step that is told apart from larger ones: 2^(BUCKETS − 1) rows. */
const BUCKETS = 13;
const FIELDS = 4;
const COUNT = 0;
const ROWS = 1;
const MEAN = 2;
const DEVIATION = 3;

/** The newest step's weight once a bucket has settled. */
const NEWEST_WEIGHT = 1 / 16;
/** Steps before outliers are told from the rest. */
const SETTLED_COUNT = 8;
/** A time further above the mean than this counts as if it were there: a garbage collection is not the model. */
const OUTLIER_DEVIATIONS = 6;
/** Deviations are at least this share of the mean, so that a bucket of equal times can still learn of others. */
const DEVIATION_SHARE_MIN = 0.05;
const DEVIATIONS = 2;
/** What is known from a former process counts no more than this many steps: the machine may be another by now. */
const REMEMBERED_COUNT_MAX = SETTLED_COUNT;

/** Predicts steps. A policy needs no more of the table. */
export interface StepPredictor {
  /** Milliseconds that a step of `rows` will hardly exceed; 0 while nothing is known. Never less for more rows. */
  predictMs(rows: number): number;
}

/** A bucket as it is saved: steps seen, mean rows, mean milliseconds, mean deviation. */
export type StepTimesRow = readonly [count: number, rows: number, meanMs: number, deviationMs: number];

export class StepTimes implements StepPredictor {
  readonly #buckets = new Float64Array(BUCKETS * FIELDS);
  #observedCount = 0;
  #overrunCount = 0;
  #errorShare = 0;

  /** Notes that a step of `rows` ≥ 1 took `ms` ≥ 0. Allocates nothing. */
  observe(rows: number, ms: number): void {
    if (!(rows >= 1 && ms >= 0)) return;
    this.#judge(rows, ms);
    const buckets = this.#buckets;
    const at = bucketOf(rows) * FIELDS;
    const count = buckets[at + COUNT]! + 1;
    const mean = buckets[at + MEAN]!;
    const spread = Math.max(buckets[at + DEVIATION]!, mean * DEVIATION_SHARE_MIN);
    const time = count > SETTLED_COUNT ? Math.min(ms, mean + OUTLIER_DEVIATIONS * spread) : ms;
    const weight = Math.max(NEWEST_WEIGHT, 1 / count);
    buckets[at + COUNT] = count;
    buckets[at + ROWS] = buckets[at + ROWS]! + weight * (rows - buckets[at + ROWS]!);
    buckets[at + MEAN] = mean + weight * (time - mean);
    const deviation = count === 1 ? 0 : Math.abs(time - mean);
    buckets[at + DEVIATION] = buckets[at + DEVIATION]! + weight * (deviation - buckets[at + DEVIATION]!);
  }

  predictMs(rows: number): number {
    let belowRows = 0;
    let belowMs = 0;
    let slope = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.#buckets[bucket * FIELDS + COUNT] === 0) continue;
      const ownRows = this.#buckets[bucket * FIELDS + ROWS]!;
      const ownMs = Math.max(belowMs, this.#upperMs(bucket));
      if (rows <= ownRows) {
        // Smaller than anything seen: it cannot take longer, and how much shorter is not known.
        if (belowRows === 0) return ownMs;
        return belowMs + ((ownMs - belowMs) * (rows - belowRows)) / (ownRows - belowRows);
      }
      slope = belowRows === 0 ? ownMs / ownRows : (ownMs - belowMs) / (ownRows - belowRows);
      belowRows = ownRows;
      belowMs = ownMs;
    }
    return belowMs + slope * (rows - belowRows);
  }

  /** Steps seen in this process. */
  get observedCount(): number {
    return this.#observedCount;
  }

  /** Of those, how many took longer than predicted. */
  get overrunCount(): number {
    return this.#overrunCount;
  }

  /** The last steps' |predicted − actual| as a share of the actual, exponentially weighted. */
  get errorShare(): number {
    return this.#errorShare;
  }

  /** Buckets with something in them, to be saved. */
  rows(): StepTimesRow[] {
    const saved: StepTimesRow[] = [];
    for (let at = 0; at < this.#buckets.length; at += FIELDS) {
      const [count, rows, meanMs, deviationMs] = this.#buckets.subarray(at, at + FIELDS);
      if (count! > 0) saved.push([count!, round(rows!), round(meanMs!), round(deviationMs!)]);
    }
    return saved;
  }

  /** Takes over what was saved where nothing was seen yet. False, and no change, if the rows make no sense. */
  remember(saved: readonly StepTimesRow[]): boolean {
    if (!saved.every(isSane)) return false;
    for (const [count, rows, meanMs, deviationMs] of saved) {
      const at = bucketOf(rows) * FIELDS;
      if (this.#buckets[at + COUNT] !== 0) continue;
      this.#buckets.set([Math.min(count, REMEMBERED_COUNT_MAX), rows, meanMs, deviationMs], at);
    }
    return true;
  }

  #upperMs(bucket: number): number {
    const at = bucket * FIELDS;
    return this.#buckets[at + MEAN]! + DEVIATIONS * this.#buckets[at + DEVIATION]!;
  }

  #judge(rows: number, ms: number): void {
    const predictedMs = this.predictMs(rows);
    this.#observedCount++;
    if (predictedMs === 0 || ms === 0) return;
    if (ms > predictedMs) this.#overrunCount++;
    this.#errorShare += NEWEST_WEIGHT * (Math.abs(predictedMs - ms) / ms - this.#errorShare);
  }
}

/** 1 → 0, 2 → 1, 3 and 4 → 2, 5 to 8 → 3, … */
function bucketOf(rows: number): number {
  return Math.min(BUCKETS - 1, 32 - Math.clz32(Math.ceil(rows) - 1));
}

function isSane(row: StepTimesRow): boolean {
  const [count, rows] = row;
  return row.length === FIELDS && row.every((value) => Number.isFinite(value) && value >= 0) && count >= 1 && rows >= 1;
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
