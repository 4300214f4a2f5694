/** Order statistics and lines through points. A run has thousands of samples, not millions: they are kept, and exact. */

export interface Summary {
  /** Samples. With 0 of them all others are NaN. */
  readonly n: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99, max: 1 } as const;
export type Quantile = keyof typeof QUANTILES;

export function summarise(values: readonly number[]): Summary {
  const sorted = Float64Array.from(values).sort();
  const at = (name: Quantile): number => quantileOf(sorted, QUANTILES[name]);
  return { n: sorted.length, p50: at("p50"), p95: at("p95"), p99: at("p99"), max: at("max") };
}

/** Linear between neighbours (Hyndman and Fan's type 7); `share` in [0, 1]. Of nothing: NaN. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (place - below);
}

export interface Line {
  readonly slope: number;
  readonly intercept: number;
  /** Standard error of the slope, if the points scatter independently; they often do not, so take it as a lower bound. */
  readonly slopeError: number;
}

/** The least-squares line. Of fewer than 3 points, or points above one another: `undefined`. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line | undefined {
  const n = points.length;
  if (n < 3) return undefined;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  let [sxx, sxy] = [0, 0];
  for (const [x, y] of points) {
    sxx += (x - meanX) ** 2;
    sxy += (x - meanX) * (y - meanY);
  }
  if (sxx === 0) return undefined;
  const slope = sxy / sxx;
  const intercept = meanY - slope * meanX;
  const residual = points.reduce((sum, [x, y]) => sum + (y - intercept - slope * x) ** 2, 0);
  return { slope, intercept, slopeError: Math.sqrt(residual / (n - 2) / sxx) };
}

/** Width of a bucket: the error of a quantile at most. */
const BUCKET_MS = 0.05;
const BUCKET_COUNT = 4_000;

/**
 * Lateness of millions of frames in constant memory: even buckets up to 200 ms, and one for what is later. Quantiles are
 * right within 0.05 ms, and from 200 ms on they are the maximum.
 */
export class LatenessHistogram {
  readonly #counts = new Uint32Array(BUCKET_COUNT + 1);
  #count = 0;
  #maxMs = 0;

  record(latenessMs: number): void {
    this.#counts[Math.min(BUCKET_COUNT, Math.max(0, Math.floor(latenessMs / BUCKET_MS)))]!++;
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, latenessMs);
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxMs = 0;
  }

  summary(): Summary {
    const at = (name: Quantile): number => this.#quantile(QUANTILES[name]);
    return {
      n: this.#count,
      p50: at("p50"),
      p95: at("p95"),
      p99: at("p99"),
      max: this.#count === 0 ? Number.NaN : this.#maxMs,
    };
  }

  /** The upper edge of the bucket that holds it. */
  #quantile(share: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.ceil(share * this.#count);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return Math.min(this.#maxMs, (bucket + 1) * BUCKET_MS);
    }
    return this.#maxMs;
  }
}
