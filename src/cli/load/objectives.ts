/** Service level objectives: how they are written, and whether a rung meets them. */
import { SyrinxError } from "../../base/errors.js";
import { METRIC_NAMES, METRICS, type MetricName } from "./metrics.js";
import type { RungResult } from "./result.js";
import { QUANTILES, type Quantile } from "./statistics.js";

/** One thing that must hold. */
export interface Objective {
  /** As it was written. */
  readonly text: string;
  /** What was measured; `undefined` if nothing was. */
  readonly measure: (rung: RungResult) => number | undefined;
  readonly must: "at most" | "at least";
  readonly limit: number;
}

export interface Verdict {
  readonly meets: boolean;
  /** Why not, one sentence each. */
  readonly misses: readonly string[];
}

/** Short for the figure that people mean by it. */
const ALIASES: Readonly<Record<string, MetricName>> = { final: "final_after_endpoint", e2e: "e2e_turn" };

interface Named extends Pick<Objective, "must"> {
  readonly unit: "%" | "";
  /** NaN or `undefined` if it was not measured. */
  readonly of: (rung: RungResult) => number | undefined;
}

/** What has no quantiles. Drift is in milliseconds per minute. */
const NAMED: Readonly<Record<string, Named>> = {
  success: { unit: "%", must: "at least", of: ({ successPercent }) => successPercent },
  c100: { unit: "%", must: "at least", of: ({ playback }) => playback.c100 },
  c200: { unit: "%", must: "at least", of: ({ playback }) => playback.c200 },
  parity: { unit: "%", must: "at least", of: ({ words }) => (100 * words.same) / words.compared },
  wer: { unit: "%", must: "at most", of: ({ words }) => words.errorPercent },
  wer_rise: { unit: "%", must: "at most", of: ({ words }) => words.errorPercent - words.aloneErrorPercent },
  drift: { unit: "", must: "at most", of: ({ drift }) => drift?.slope },
};

const EXPECTED =
  "METRIC_QUANTILE=MS such as ttfa_p95=800ms, or success=100%, c100=99%, c200=99%, parity=99%, wer=10%, wer_rise=0.2%, drift=1, separated by commas";

/** Every objective list has this one, unless it says another `success`. */
const DEFAULT = "success=100%";

/** Reads `ttfa_p95=800ms,final_p95=300ms,c100=99%`. Throws CLI_OPTION_INVALID. */
export function parseObjectives(text: string): Objective[] {
  const parts = text.split(",").map((part) => part.trim());
  const all = parts.some((part) => part.startsWith("success=")) ? parts : [DEFAULT, ...parts];
  return all.map((part) => {
    const objective = parseObjective(part);
    if (objective === undefined) {
      throw new SyrinxError("CLI_OPTION_INVALID", { option: "--slo", value: text, expected: EXPECTED });
    }
    return objective;
  });
}

function parseObjective(text: string): Objective | undefined {
  const [, name, number, unit] = /^(\w+)=(\d+(?:\.\d+)?)(ms|s|%|)$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  const limit = Number(number) * (unit === "s" ? 1000 : 1);
  const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (named !== undefined) {
    return unit === named.unit ? { text, measure: measured(named.of), must: named.must, limit } : undefined;
  }
  const [, given, quantile] = /^(\w+)_(p50|p95|p99|max)$/.exec(name) ?? [];
  const metric = METRIC_NAMES.find((name) => name === (ALIASES[given ?? ""] ?? given));
  if (metric === undefined || !(quantile! in QUANTILES)) return undefined;
  const units: readonly string[] = METRICS[metric].unit === "ms" ? ["ms", "s"] : [""];
  if (!units.includes(unit!)) return undefined;
  return { text, measure: measured(({ metrics }) => metrics[metric][quantile as Quantile]), must: "at most", limit };
}

function measured(of: Named["of"]): Objective["measure"] {
  return (rung) => {
    const value = of(rung);
    return value === undefined || Number.isNaN(value) ? undefined : value;
  };
}

/** What was never measured is not met; a void rung meets nothing. */
export function judge(rung: RungResult, objectives: readonly Objective[]): Verdict {
  const misses = objectives.flatMap(({ text, measure, must, limit }) => {
    const value = measure(rung);
    if (value === undefined) return [`${text}: never measured`];
    const isMet = must === "at most" ? value <= limit : value >= limit;
    return isMet ? [] : [`${text}: ${value.toFixed(1)}`];
  });
  if (rung.isVoid) misses.unshift(`void: the generator was late by ${rung.lateness.p99.toFixed(1)} ms (p99)`);
  return { meets: misses.length === 0, misses };
}
