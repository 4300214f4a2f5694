/** From what was measured at one number of calls to whether the promise was kept. Pure. */
import type { AdmissionSlo } from "../../config/plan.js";
import type { Quantiles, Rung } from "../../runtime/admission/capacity-file.js";
import type { Measured } from "./messages.js";
import { type Outcome, shareRange } from "./search.js";

/** A generator that sends later than this at its 99th percentile has measured itself. */
export const GENERATOR_LATE_MS_MAX = 5;
/** What a 95th percentile leaves over. */
const LATE_SHARE_MAX = 0.05;

export interface Judged {
  readonly rung: Rung;
  readonly outcome: Outcome;
  /** No answer came that could be late: this says nothing. */
  readonly isEmpty: boolean;
  /** More of the same could turn the verdict. */
  readonly isClose: boolean;
}

export function judge(calls: number, seconds: number, measured: Measured, slo: AdmissionSlo): Judged {
  const kinds = [
    { name: "final", values: measured.final, promiseMs: slo.finalP95Ms },
    { name: "ttfa", values: measured.ttfa, promiseMs: slo.ttfaP95Ms },
    { name: "lag", values: measured.lag, promiseMs: slo.lagP95Ms },
  ].filter(({ values }) => values.length > 0);
  const shares = kinds.map(({ values, promiseMs }) => {
    const late = values.filter((ms) => ms > promiseMs).length;
    return { share: late / values.length, range: shareRange(late, values.length) };
  });
  const worst = shares.reduce((a, b) => (b.range[1] > a.range[1] ? b : a), { share: 0, range: [0, 0] as const });
  const quantiles = Object.fromEntries(kinds.map(({ name, values }) => [name, quantilesOf(values)]));
  const generatorLateP99Ms = quantile(measured.sendLateMs, 0.99);
  const isLate = generatorLateP99Ms > GENERATOR_LATE_MS_MAX;
  const isBroken = measured.faults > 0 || worst.share > LATE_SHARE_MAX;
  const rung: Rung = {
    calls,
    seconds,
    verdict: isLate ? "void" : isBroken ? "broken" : "kept",
    lateShare: rounded(worst.share, 4),
    lateShareRange: [rounded(worst.range[0], 4), rounded(worst.range[1], 4)],
    ...quantiles,
    generatorLateP99Ms: rounded(generatorLateP99Ms, 2),
    faults: measured.faults,
  };
  const ease = Math.max(0, ...kinds.map(({ values, promiseMs }) => quantile(values, 0.95) / promiseMs));
  return {
    rung,
    outcome: { verdict: rung.verdict, ease },
    isEmpty: kinds.length === 0,
    isClose: worst.range[0] <= LATE_SHARE_MAX && worst.range[1] > LATE_SHARE_MAX,
  };
}

function quantilesOf(values: readonly number[]): Quantiles {
  const at = (share: number): number => rounded(quantile(values, share), 1);
  return { count: values.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

/** Nearest rank; 0 of nothing. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
}

function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
