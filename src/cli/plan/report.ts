/** What the planner says, for people. */
import type { AdmissionSlo } from "../../config/plan.js";
import type { GraphCapacity, Quantiles, Rung } from "../../runtime/admission/capacity-file.js";

const MEANINGS = {
  promise: "more calls break the promise",
  generator: "the generator of calls could not offer more in time: the machine may serve more than this",
  time: "the time was up: more --seconds may find more",
  slots: "server.maxCalls allows no more, and all of them kept the promise",
} as const satisfies Record<GraphCapacity["limitedBy"], string>;

export function rungLine(graph: string, rung: Rung): string {
  const { calls, verdict, lateShare, lateShareRange, generatorLateP99Ms, faults } = rung;
  const figures = (["final", "ttfa", "lag"] as const).flatMap((name) => {
    const found = rung[name];
    return found === undefined ? [] : [`${name} ${quantilesText(found)}`];
  });
  const [low, high] = lateShareRange;
  const late = `late ${percent(lateShare)} (${percent(low)} to ${percent(high)})`;
  const trouble = faults === 0 ? "" : `, ${faults} faults`;
  const generator = `generator late ${generatorLateP99Ms} ms`;
  return `  ${graph.padEnd(12)} ${String(calls).padStart(4)} calls  ${verdict.padEnd(6)} ${figures.join("; ")}; ${late}${trouble}; ${generator}\n`;
}

export function graphText(graph: string, found: GraphCapacity, safetyFactor: number): string {
  const { capacity, keptCalls, brokenCalls, limitedBy } = found;
  const broken = brokenCalls === undefined ? "" : `, ${brokenCalls} did not`;
  const few =
    keptCalls === 0 ? "  Not one call in the tries kept the promise: this graph gets one call at a time.\n" : "";
  return [
    `${graph}: ${capacity} calls\n`,
    `  ${keptCalls} kept the promise${broken}; ${MEANINGS[limitedBy]}.\n`,
    `  Planned are ${Math.round(safetyFactor * 100)} % of them: a minute tells a 95th percentile to about a tenth.\n`,
    few,
  ].join("");
}

export function promiseText({ finalP95Ms, ttfaP95Ms, lagP95Ms }: AdmissionSlo): string {
  return `final p95 ${finalP95Ms} ms, ttfa p95 ${ttfaP95Ms} ms, lag p95 ${lagP95Ms} ms`;
}

function quantilesText({ count, p50Ms, p95Ms, p99Ms }: Quantiles): string {
  return `p50 ${p50Ms} p95 ${p95Ms} p99 ${p99Ms} ms (n ${count})`;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
