/** A load as one HTML file: no script, nothing from a network. Pure. */
import type { LoadReport, ReportedRung } from "./bench.js";
import { STYLE } from "./html-style.js";
import { METRIC_NAMES, METRICS, type MetricName } from "./metrics.js";
import type { RungResult } from "./result.js";
import type { LoadSample } from "./rung.js";
import type { SoakResult } from "./soak.js";
import type { Line, Quantile } from "./statistics.js";
import { chart, escapeText, PARTS, type Series, waterfall } from "./svg.js";

const MB = 1_000_000;

export function htmlReport(report: LoadReport): string {
  const { rungs, soak, command, machine } = report;
  const facts = Object.entries({ ...machine, command }).map(
    ([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Load report</title>',
    `<style>${STYLE}</style></head><body><main>`,
    "<h1>Load report</h1>",
    `<p class="sub">What callers got, and what it took. docs/BENCHMARKS.md defines every figure.</p>`,
    verdictOf(report),
    `<dl>${facts.join("")}</dl>`,
    summaryTable(report),
    soak === undefined ? "" : soakSection(soak),
    againstCalls(rungs.map(({ result }) => result)),
    ...rungs.map(rungSection),
    "</main></body></html>\n",
  ].join("\n");
}

function verdictOf({ objectives, found, rungs }: LoadReport): string {
  const voids = rungs.filter(({ result }) => result.isVoid).length;
  const voided =
    voids === 0 ? "" : `<p class="bad">${voids} of ${rungs.length} rungs are void: the generator was late.</p>`;
  if (found === undefined) return voided;
  const limit = found.isAtMax ? " or more" : "";
  const what = found.calls === 0 ? "Not even one call meets" : `${found.calls}${limit} calls meet`;
  const tone = found.calls === 0 ? "bad" : "good";
  return `<p class="verdict ${tone}">${what} ${escapeText(objectives.join(", "))}</p>${voided}`;
}

/** Figures of the overview: which quantile of which metric. */
const OVERVIEW: readonly (readonly [MetricName, Quantile])[] = [
  ["first_partial", "p95"],
  ["ttfs", "p95"],
  ["final_after_endpoint", "p95"],
  ["ttfa", "p95"],
  ["e2e_turn", "p50"],
  ["e2e_turn", "p95"],
  ["e2e_turn", "p99"],
  ["bargein", "p95"],
  ["echo", "p99"],
];

function summaryTable({ rungs }: LoadReport): string {
  const shown = OVERVIEW.filter(([name]) => rungs.some(({ result }) => result.metrics[name].n > 0));
  const hasVerdicts = rungs.some(({ verdict }) => verdict !== undefined);
  const heads = [
    "calls",
    "success",
    ...shown.map(([name, quantile]) => `${name.replaceAll("_", "_<wbr>")}<br>${quantile}`),
    "C100",
    "WER",
    "as alone",
    "server<br>cores",
    "late<br>p99",
    ...(hasVerdicts ? ["objectives"] : []),
  ];
  const rows = rungs.map(({ result, verdict }) => {
    const { words, playback, resources, lateness, isVoid, metrics, calls, successPercent } = result;
    const cells = [
      `${calls}${isVoid ? ' <span class="bad">void</span>' : ""}`,
      percent(successPercent),
      ...shown.map(([name, quantile]) => number(metrics[name][quantile], "ms")),
      percent(playback.c100),
      percent(words.errorPercent),
      words.compared === 0 ? "–" : `${words.same}/${words.compared}`,
      resources === undefined ? "–" : resources.cores.toFixed(2),
      number(lateness.p99, "ms"),
    ].map((cell) => `<td>${cell}</td>`);
    return `<tr>${cells.join("")}${hasVerdicts ? verdictCell(verdict) : ""}</tr>`;
  });
  return `<div class="scroll"><table><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr>${rows.join("")}</table></div>`;
}

function verdictCell(verdict: ReportedRung["verdict"]): string {
  if (verdict === undefined || verdict.meets) return '<td class="why good">met</td>';
  return `<td class="why bad">${escapeText(verdict.misses.join("; "))}</td>`;
}

const AGAINST_CALLS: readonly MetricName[] = [
  "e2e_turn",
  "ttfs",
  "final_after_endpoint",
  "first_partial",
  "ttfa",
  "bargein",
  "echo",
];
const LINES: readonly (readonly [Quantile, number])[] = [
  ["p50", 1],
  ["p95", 2],
  ["p99", 3],
];

/** Several runs of the same number, as a search makes them, count with their latest. */
function againstCalls(results: readonly RungResult[]): string {
  const latest = [...new Map(results.map((rung) => [rung.calls, rung])).values()]
    .filter(({ isVoid }) => !isVoid)
    .sort((left, right) => left.calls - right.calls);
  if (latest.length < 2) return "";
  const latencies = AGAINST_CALLS.map((name) =>
    chart({
      title: `${name} (${METRICS[name].unit})`,
      xLabel: "calls",
      yLabel: METRICS[name].unit,
      series: LINES.map(([quantile, colour]) => ({
        name: quantile,
        colour,
        as: "line",
        points: latest
          .filter(({ metrics }) => metrics[name].n > 0)
          .map(({ calls, metrics }) => [calls, metrics[name][quantile]] as const),
      })),
    }),
  );
  const cores = chart({
    title: "cores kept busy",
    xLabel: "calls",
    yLabel: "cores",
    series: [
      {
        name: "server",
        colour: 1,
        as: "line",
        points: latest.flatMap(({ calls, resources }) =>
          resources === undefined ? [] : [[calls, resources.cores] as const],
        ),
      },
      { name: "generator", colour: 2, as: "line", points: latest.map((rung) => [rung.calls, rung.generatorCores]) },
    ],
  });
  return `<h2>Against the number of calls</h2><div class="plots">${[...latencies, cores].join("")}</div>`;
}

function rungSection({ result }: ReportedRung): string {
  const { calls, receipts, samples, measuredMs } = result;
  const falls =
    receipts === undefined
      ? []
      : [waterfall("the median turn", receipts.p50), waterfall("the p99 turn", receipts.p99), partsKey()];
  return [
    `<h2>${calls} call${calls === 1 ? "" : "s"}, ${(measuredMs / 1000).toFixed(0)} s measured</h2>`,
    metricTable(result),
    ...falls,
    `<div class="plots">${overTime(result)}${resourcePlots(samples)}</div>`,
  ].join("\n");
}

function partsKey(): string {
  const parts = PARTS.map(({ className, name }) => `<span><i class="${className}"></i>${name}</span>`);
  return `<p class="key">${parts.join("")}</p>`;
}

function metricTable({ metrics }: RungResult): string {
  const rows = METRIC_NAMES.filter((name) => metrics[name].n > 0).map((name) => {
    const { n, p50, p95, p99, max } = metrics[name];
    const { unit, meaning } = METRICS[name];
    const figures = [p50, p95, p99, max].map((value) => `<td>${number(value, unit)}</td>`).join("");
    return `<tr><td title="${escapeText(meaning)}">${name} <span class="dim">${escapeText(meaning)}</span></td><td>${n}</td>${figures}</tr>`;
  });
  const head = ["figure", "n", "p50", "p95", "p99", "max"].map((name) => `<th>${name}</th>`).join("");
  return `<div class="scroll"><table><tr>${head}</tr>${rows.join("")}</table></div>`;
}

const OVER_TIME: readonly (readonly [MetricName, number])[] = [
  ["e2e_turn", 1],
  ["ttfs", 2],
  ["echo", 4],
];

function overTime({ turns }: RungResult): string {
  const unit = timeUnit(turns.at(-1)?.atMs ?? 0);
  const series: Series[] = OVER_TIME.map(([name, colour]) => ({
    name,
    colour,
    as: "points",
    points: turns.flatMap(({ atMs, measures }) =>
      (measures[name] ?? []).map((value) => [atMs / unit.ms, value] as const),
    ),
  }));
  return chart({ title: "latency of each turn (ms)", xLabel: unit.name, yLabel: "ms", series });
}

function resourcePlots(samples: readonly LoadSample[]): string {
  const unit = timeUnit(samples.at(-1)?.atMs ?? 0);
  const memory = samples.flatMap(({ atMs, server }) =>
    server === undefined ? [] : [[atMs / unit.ms, server.rssBytes / MB] as const],
  );
  const open = samples.map(({ atMs, openCalls }) => [atMs / unit.ms, openCalls] as const);
  const of = (name: string, colour: number, cpuMs: (sample: LoadSample) => number | undefined): Series => ({
    name,
    colour,
    as: "line",
    points: ratesOf(samples, cpuMs).map(([atMs, cores]) => [atMs / unit.ms, cores]),
  });
  const cpu = [
    of("server", 1, ({ server }) => server?.cpuMs),
    of("generator", 2, ({ generatorCpuMs }) => generatorCpuMs),
    of("the whole machine", 4, ({ machineCpuMs }) => machineCpuMs),
  ];
  return [
    chart({ title: "CPU (cores)", xLabel: unit.name, yLabel: "cores", series: cpu }),
    chart({
      title: "resident memory of the server (MB)",
      xLabel: unit.name,
      yLabel: "MB",
      yFrom: "data",
      series: [{ name: "resident", colour: 3, as: "line", points: memory }],
    }),
    chart({
      title: "open calls",
      xLabel: unit.name,
      yLabel: "calls",
      series: [{ name: "open", colour: 4, as: "line", points: open }],
    }),
  ].join("");
}

/** CPU milliseconds to cores, between neighbours. */
function ratesOf(
  samples: readonly LoadSample[],
  cpuMs: (sample: LoadSample) => number | undefined,
): readonly (readonly [atMs: number, cores: number])[] {
  return samples.slice(1).flatMap((sample, index) => {
    const before = samples[index]!;
    const [from, to] = [cpuMs(before), cpuMs(sample)];
    if (from === undefined || to === undefined || sample.atMs <= before.atMs) return [];
    return [[sample.atMs, (to - from) / (sample.atMs - before.atMs)] as const];
  });
}

function soakSection(soak: SoakResult): string {
  const { rssMbPerHour, rssFloorMbPerHour, rssMb, finalMsPerHour, e2eMsPerHour, leakedCalls } = soak;
  const rows: (readonly [string, string])[] = [
    ["growth of resident memory", rssMbPerHour === undefined ? "–" : `${slope(rssMbPerHour)} MB/h`],
    ["of its floor, minute by minute", rssFloorMbPerHour === undefined ? "–" : `${slope(rssFloorMbPerHour)} MB/h`],
    [
      "peak, first and last tenth",
      rssMb === undefined ? "–" : `${rssMb.first.toFixed(1)} MB, ${rssMb.last.toFixed(1)} MB`,
    ],
    ["change of ttfs", finalMsPerHour === undefined ? "–" : `${slope(finalMsPerHour)} ms/h`],
    ["change of e2e_turn", e2eMsPerHour === undefined ? "–" : `${slope(e2eMsPerHour)} ms/h`],
    ["call slots leaked", leakedCalls === undefined ? "the server does not say" : String(leakedCalls)],
  ];
  const cells = rows.map(([name, value]) => `<tr><td>${name}</td><td>${value}</td></tr>`).join("");
  return `<h2>Soak</h2><div class="scroll"><table>${cells}</table></div>`;
}

function slope({ slope: value, slopeError }: Line): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)} ± ${slopeError.toFixed(2)}`;
}

function timeUnit(spanMs: number): { readonly name: string; readonly ms: number } {
  return spanMs > 600_000 ? { name: "minutes", ms: 60_000 } : { name: "seconds", ms: 1_000 };
}

function number(value: number, unit: "ms" | "×"): string {
  if (Number.isNaN(value)) return "–";
  return unit === "ms" ? value.toFixed(value < 10 ? 1 : 0) : value.toFixed(3);
}

function percent(value: number): string {
  return Number.isNaN(value) ? "–" : `${value.toFixed(1)} %`;
}
