/** A load for people, on a terminal. Pure. */

import { METRIC_NAMES, METRICS } from "./metrics.js";
import type { Verdict } from "./objectives.js";
import type { RungResult } from "./result.js";
import type { SoakResult } from "./soak.js";
import type { Line, Summary } from "./statistics.js";

const MB = 1_000_000;
/** Of a shorter time, the drift is which words came last. */
const DRIFT_MS_MIN = 60_000;

/** One rung: a head, a row for each figure that was measured, and what went with it. */
export function rungText(rung: RungResult, verdict: Verdict | undefined): string {
  const mark = rung.isVoid ? "VOID: " : "";
  const head = `${mark}${rung.calls} call${rung.calls === 1 ? "" : "s"}, ${seconds(rung.measuredMs)} s measured`;
  const rows = METRIC_NAMES.filter((name) => rung.metrics[name].n > 0).map((name) =>
    metricRow(name, rung.metrics[name]),
  );
  const table = columns([["", "n", "p50", "p95", "p99", "max"], ...rows]);
  return [head, ...table, ...notes(rung), ...verdictLines(verdict), ""].map((line) => `${line}\n`).join("");
}

function metricRow(name: (typeof METRIC_NAMES)[number], { n, p50, p95, p99, max }: Summary): string[] {
  const { unit } = METRICS[name];
  const shown = (value: number): string => (unit === "ms" ? value.toFixed(value < 10 ? 1 : 0) : value.toFixed(3));
  return [`  ${name} (${unit})`, String(n), ...[p50, p95, p99, max].map(shown)];
}

function notes(rung: RungResult): string[] {
  const { outcomes, words, playback, bargeIns, resources, lateness, callCounts, drift } = rung;
  const said = Object.entries(outcomes).filter(([, count]) => count > 0);
  const lines = [
    `  turns      ${said.map(([outcome, count]) => `${count} ${outcome}`).join(", ") || "none"}; success ${percent(rung.successPercent)}`,
  ];
  if (words.compared > 0) {
    const wer = Number.isNaN(words.errorPercent)
      ? "no texts to compare with"
      : `WER ${percent(words.errorPercent)}, alone ${percent(words.aloneErrorPercent)}`;
    lines.push(`  words      ${wer}; ${words.same} of ${words.compared} turns as when alone`);
  }
  if (playback.n > 0) {
    lines.push(`  playback   C100 ${percent(playback.c100)}, C200 ${percent(playback.c200)} of ${playback.n} replies`);
  }
  if (bargeIns.n > 0) {
    lines.push(
      `  barge-ins  ${bargeIns.n}, ${bargeIns.missed} missed, ${bargeIns.stale} messages of audio after the end`,
    );
  }
  if (rung.earlyCuts > 0) lines.push(`  early      ${rung.earlyCuts} turns ended in the middle of speech`);
  if (drift !== undefined && rung.measuredMs >= DRIFT_MS_MIN)
    lines.push(`  drift      ${withError(drift, 2)} ms/min of partial_lag`);
  if (resources !== undefined) {
    const { cpuMsPerStreamS, cores, rssBytes, rssPerStreamBytes } = resources;
    lines.push(
      `  server     ${cores.toFixed(2)} cores, ${cpuMsPerStreamS.toFixed(1)} CPU ms per stream second; ` +
        `${(rssBytes / MB).toFixed(0)} MB, ${(rssPerStreamBytes / MB).toFixed(2)} MB per stream`,
    );
  }
  lines.push(
    `  generator  ${rung.generatorCores.toFixed(2)} cores; late by ${lateness.p50.toFixed(1)} ms p50, ${lateness.p99.toFixed(1)} ms p99, ${lateness.max.toFixed(0)} ms at most`,
  );
  if (rung.foreignCores !== undefined) {
    lines.push(`  others     kept ${Math.max(0, rung.foreignCores).toFixed(2)} cores of the generator's machine busy`);
  }
  for (const [kind, { opened, refused, lost }] of Object.entries(callCounts)) {
    if (opened + refused > 0 && (kind !== "polite" || refused + lost > 0)) {
      lines.push(`  ${kind.padEnd(10)} ${opened} calls opened, ${refused} refused, ${lost} ended by the server`);
    }
  }
  const troubles = Object.entries(rung.troubles).map(([code, count]) => `${code} ×${count}`);
  if (troubles.length > 0) lines.push(`  errors     ${troubles.join(", ")}`);
  if (rung.gapMs > 0) lines.push(`  gaps       ${rung.gapMs.toFixed(0)} ms of input lost by the server`);
  if ((rung.leakedCalls ?? 0) > 0) lines.push(`  leaked     ${rung.leakedCalls} call slots after all calls had ended`);
  return lines;
}

function verdictLines(verdict: Verdict | undefined): string[] {
  if (verdict === undefined) return [];
  return [verdict.meets ? "  meets the objectives" : `  misses: ${verdict.misses.join("; ")}`];
}

export function soakText(soak: SoakResult): string {
  const { rssMbPerHour, rssFloorMbPerHour, rssMb, finalMsPerHour, e2eMsPerHour, leakedCalls } = soak;
  const lines = ["soak"];
  if (rssMbPerHour !== undefined && rssMb !== undefined) {
    lines.push(
      `  memory     ${withError(rssMbPerHour, 2)} MB/h; peaks of ${rssMb.first.toFixed(1)} MB in the first tenth, ${rssMb.last.toFixed(1)} MB in the last`,
    );
  }
  if (rssFloorMbPerHour !== undefined) {
    lines.push(`  floor      ${withError(rssFloorMbPerHour, 2)} MB/h of the least memory of each minute`);
  }
  if (finalMsPerHour !== undefined) lines.push(`  ttfs       ${withError(finalMsPerHour, 2)} ms/h`);
  if (e2eMsPerHour !== undefined) lines.push(`  e2e_turn   ${withError(e2eMsPerHour, 2)} ms/h`);
  lines.push(`  slots      ${leakedCalls === undefined ? "the server does not say" : `${leakedCalls} leaked`}`);
  return `${lines.join("\n")}\n`;
}

function withError({ slope, slopeError }: Line, digits: number): string {
  return `${slope >= 0 ? "+" : ""}${slope.toFixed(digits)} ± ${slopeError.toFixed(digits)}`;
}

function percent(value: number): string {
  return Number.isNaN(value) ? "–" : `${value.toFixed(1)} %`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 1 : 0);
}

/** The first column to the left, numbers to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  "),
  );
}
