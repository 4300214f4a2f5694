/** What happened between two scrapes. Pure. */
import { type Labels, matching, type Scrape, sumOf } from "./exposition.js";

export interface Interval {
  /** The earlier scrape; for the first look at a server there is none, and everything counts since its start. */
  readonly before: Scrape | undefined;
  readonly after: Scrape;
  readonly seconds: number;
}

/** Growth of a counter. One that fell was a server that started anew: all of it is new. */
export function growth({ before, after }: Interval, name: string, labels: Labels = {}): number {
  const now = sumOf(after, name, labels);
  const then = before === undefined ? 0 : sumOf(before, name, labels);
  return now >= then ? now - then : now;
}

export function rate(interval: Interval, name: string, labels: Labels = {}): number {
  return interval.seconds > 0 ? growth(interval, name, labels) / interval.seconds : 0;
}

/** Mean of what a histogram took in; NaN if nothing. */
export function meanOf(interval: Interval, name: string, labels: Labels = {}): number {
  const count = growth(interval, `${name}_count`, labels);
  return count === 0 ? Number.NaN : growth(interval, `${name}_sum`, labels) / count;
}

/**
 * A quantile of what a histogram took in, linear within a bucket, as Prometheus' `histogram_quantile` does it; the
 * largest finite bound if it lies beyond. NaN if nothing came.
 */
export function quantileOf(interval: Interval, name: string, share: number, labels: Labels = {}): number {
  const bounds = new Map<number, number>();
  for (const { labels: of } of matching(interval.after, `${name}_bucket`, labels)) {
    const bound = of.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(of.le);
    if (!bounds.has(bound)) bounds.set(bound, growth(interval, `${name}_bucket`, { ...labels, le: of.le! }));
  }
  const buckets = [...bounds].sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return Number.NaN;
  const rank = share * total;
  let below = 0;
  let from = 0;
  for (const [bound, cumulated] of buckets) {
    if (cumulated >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return from;
      const inBucket = cumulated - below;
      return inBucket === 0 ? bound : from + ((bound - from) * (rank - below)) / inBucket;
    }
    below = cumulated;
    from = bound;
  }
  return from;
}
