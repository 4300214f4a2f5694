/**
 * Whether one more call may come in. Counts calls, knows the plan or is told the estimate, and decides at once: nothing is
 * measured here and nobody waits. Pure but for its own counts: times come in as numbers.
 *
 * By plan, a call costs 1 / capacity of its graph, and the costs of all open calls sum to at most 1. By estimate, a call
 * comes in if what is predicted with it keeps every open graph's promise, and if about as many have been seen at work
 * already: an estimate made of three calls says nothing about three hundred.
 */

/** Why a call was refused. */
export type RefusalReason = "plan" | "estimate" | "slow_start" | "distress";

/** What the governor found at its last look. */
export interface Estimate {
  /** Calls that were open for long enough to count as known. */
  readonly seasonedCount: number;
  /** With so many more calls of the graph than are open: 1 is what the promise of the worst graph can bear. */
  pressureWith(graph: string, more: number): number;
  /** The admitted calls are late already, and there is nothing left to do without. */
  readonly isDistressed: boolean;
}

/** Fewer calls than this are never refused by an estimate: it is made of averages over calls. */
export const CALLS_UNKNOWN = 4;
/** Calls that may come in before any was seen at work; from then on, twice as many as were seen. */
const FIRST_CALLS = 16;
/** After a refusal by estimate, calls come in again when the pressure has fallen to this. */
const REOPEN_PRESSURE = 0.85;
/** Costs are sums of fractions. */
const COST_SLACK = 1e-9;
const RETRY_MS = { unknown: 1_000, min: 250, max: 60_000 } as const;
const DURATION_WEIGHT = 1 / 16;

export class Admission {
  /** Calls of a graph alone that keep its promise; absent: by estimate. */
  readonly #capacities: ReadonlyMap<string, number> | undefined;
  readonly #active = new Map<string, number>();
  #estimate: Estimate | undefined;
  #seasonedMax = 0;
  /** Graphs whose last call was refused by estimate. */
  readonly #isShut = new Set<string>();
  #meanCallMs: number | undefined;
  /** By when all who were refused so far have been told to come again. */
  #promisedMs = 0;

  constructor(graphs: readonly string[], capacities: ReadonlyMap<string, number> | undefined) {
    for (const graph of graphs) this.#active.set(graph, 0);
    this.#capacities = capacities;
  }

  get active(): ReadonlyMap<string, number> {
    return this.#active;
  }

  get activeCount(): number {
    let count = 0;
    for (const calls of this.#active.values()) count += calls;
    return count;
  }

  /** The sum of the open calls' costs: at most 1 under a plan, 0 without one. */
  get usedShare(): number {
    let sum = 0;
    for (const [graph, calls] of this.#active) sum += calls * this.#cost(graph);
    return sum;
  }

  opened(graph: string): void {
    this.#active.set(graph, this.#active.get(graph)! + 1);
  }

  /** @param durationMs from open to close */
  closed(graph: string, durationMs: number): void {
    this.#active.set(graph, this.#active.get(graph)! - 1);
    const mean = this.#meanCallMs ?? durationMs;
    this.#meanCallMs = mean + DURATION_WEIGHT * (durationMs - mean);
  }

  looked(estimate: Estimate): void {
    this.#estimate = estimate;
    this.#seasonedMax = Math.max(this.#seasonedMax, estimate.seasonedCount);
  }

  /** Why one more call of the graph may not come in, if it may not. Changes nothing. */
  objection(graph: string): RefusalReason | undefined {
    const { activeCount } = this;
    // Whatever was measured: an idle server is there to be used.
    if (activeCount === 0) return undefined;
    if (this.#estimate?.isDistressed === true && activeCount >= CALLS_UNKNOWN) return "distress";
    if (this.#capacities !== undefined) {
      return this.usedShare + this.#cost(graph) > 1 + COST_SLACK ? "plan" : undefined;
    }
    if (this.#estimate === undefined || activeCount < CALLS_UNKNOWN) return undefined;
    if (activeCount >= Math.max(FIRST_CALLS, 2 * this.#seasonedMax)) return "slow_start";
    return this.#estimate.pressureWith(graph, 1) > (this.#isShut.has(graph) ? REOPEN_PRESSURE : 1)
      ? "estimate"
      : undefined;
  }

  /** Notes how an open was decided: after a refusal by estimate, the bar is lower until somebody came in. */
  decided(graph: string, reason: RefusalReason | undefined): void {
    if (reason === "estimate") this.#isShut.add(graph);
    else if (reason === undefined) this.#isShut.delete(graph);
  }

  /**
   * When a refused client may try again: when a place is likely to be free, the next one told after the one before, so that
   * they do not all come back at once.
   */
  retryAfterMs(nowMs: number): number {
    const gapMs = this.#gapMs();
    this.#promisedMs = Math.min(Math.max(nowMs, this.#promisedMs) + gapMs, nowMs + RETRY_MS.max);
    return Math.round(this.#promisedMs - nowMs);
  }

  /** When a place is likely to be free, if there is none: what the next one who asks would be told, nobody else asking. */
  get nextPlaceMs(): number {
    return Math.round(this.#gapMs());
  }

  /** How many calls of the graph there can be beside the others that are open. */
  safeMax(graph: string, maxCalls: number): number {
    const calls = this.#active.get(graph)!;
    const room = maxCalls - this.activeCount;
    if (this.#capacities === undefined) return calls + this.#roomByEstimate(graph, room);
    const others = this.usedShare - calls * this.#cost(graph);
    return Math.min(calls + room, Math.floor((1 - others + COST_SLACK) / this.#cost(graph)));
  }

  /** Mean time between two ends of calls. */
  #gapMs(): number {
    const gap = this.#meanCallMs === undefined ? RETRY_MS.unknown : this.#meanCallMs / Math.max(1, this.activeCount);
    return Math.min(RETRY_MS.max, Math.max(RETRY_MS.min, gap));
  }

  #cost(graph: string): number {
    if (this.#capacities === undefined) return 0;
    return 1 / Math.max(1, this.#capacities.get(graph) ?? 1);
  }

  #roomByEstimate(graph: string, room: number): number {
    const estimate = this.#estimate;
    if (estimate === undefined) return room;
    let low = 0;
    let high = room;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (estimate.pressureWith(graph, middle) <= 1) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
