/** One look at a server, as lines for a terminal. Pure. */
import { type Labels, labelValues, type Scrape, sumOf } from "./exposition.js";
import { growth, type Interval, meanOf, quantileOf, rate } from "./rates.js";

export interface TopState {
  readonly url: string;
  readonly interval: Interval;
  /** What `/v1/capacity` said. */
  readonly capacity: Readonly<Record<string, unknown>>;
}

/** At most so many rings are shown, the fullest first. */
const RINGS_SHOWN = 6;
const MIB = 2 ** 20;

/** Lines without colour, none longer than `columns`. */
export function topLines(state: TopState, columns: number): string[] {
  const lines = [
    ...headLines(state),
    "",
    ...turnLines(state.interval),
    "",
    ...stageLines(state.interval),
    "",
    ...workerLines(state.interval),
    "",
    ...ringLines(state.interval.after),
  ];
  return lines.map((line) => (line.length > columns ? `${line.slice(0, Math.max(0, columns - 1))}…` : line));
}

function headLines({ url, interval, capacity }: TopState): string[] {
  const { after } = interval;
  const ready = sumOf(after, "syrinx_ready") === 1 ? "ready" : "not ready";
  const draining = sumOf(after, "syrinx_draining") === 1 ? ", stopping" : "";
  const refused = growth(interval, "syrinx_admission_rejected_total");
  const cores = rate(interval, "process_cpu_seconds_total");
  const rssMib = sumOf(after, "process_resident_memory_bytes") / MIB;
  const graphs = labelValues(after, "syrinx_calls_active", "graph").map(
    (graph) => `${graph} ${sumOf(after, "syrinx_calls_active", { graph })}`,
  );
  const safe = typeof capacity.safeCalls === "number" ? ` (${capacity.safeCalls} safe)` : "";
  return [
    `syrinx top   ${url}   ${ready}${draining}`,
    `calls ${sumOf(after, "syrinx_calls_active")} of ${sumOf(after, "syrinx_calls_capacity")}${safe}: ${graphs.join(", ")}; ` +
      `${refused} refused; ${sumOf(after, "syrinx_ws_connections")} sockets`,
    `cpu ${cores.toFixed(2)} cores, memory ${rssMib.toFixed(0)} MiB, event loop p99 ` +
      `${ms(sumOf(after, "nodejs_eventloop_lag_p99_seconds"))}, most waiting for one client ` +
      `${(sumOf(after, "syrinx_ws_buffered_bytes") / 1024).toFixed(0)} KiB`,
  ];
}

function turnLines(interval: Interval): string[] {
  const rows = labelValues(interval.after, "syrinx_turns_total", "graph").map((graph) => {
    const latency = (share: number): string =>
      ms(quantileOf(interval, "syrinx_turn_latency_seconds", share, { graph }));
    const turns = growth(interval, "syrinx_turns_total", { graph });
    const cut = growth(interval, "syrinx_turns_total", { graph, result: "interrupted" });
    const failed = growth(interval, "syrinx_turns_total", { graph, result: "error" });
    return [graph, String(turns), String(cut), String(failed), latency(0.5), latency(0.95), latency(0.99)];
  });
  return tableOf(["turns", "done", "cut off", "failed", "p50", "p95", "p99"], rows);
}

function stageLines(interval: Interval): string[] {
  const { after } = interval;
  const rows = labelValues(after, "syrinx_batch_size_count", "stage").map((stage) => {
    const labels: Labels = { stage };
    const model = after.get("syrinx_batch_size_count")?.find((sample) => sample.labels.stage === stage)?.labels.model;
    const time = (name: string, share: number): string => ms(quantileOf(interval, name, share, labels));
    return [
      stage,
      model ?? "",
      String(sumOf(after, "syrinx_streams_active", labels)),
      `${rate(interval, "syrinx_batch_size_count", labels).toFixed(0)}/s`,
      number(meanOf(interval, "syrinx_batch_size", labels)),
      time("syrinx_batch_queue_seconds", 0.5),
      time("syrinx_batch_queue_seconds", 0.99),
      time("syrinx_inference_seconds", 0.5),
      time("syrinx_inference_seconds", 0.99),
      String(growth(interval, "syrinx_deadline_missed_total", labels)),
    ];
  });
  const heads = ["stage", "model", "calls", "batches", "size", "queue p50", "p99", "compute p50", "p99", "late"];
  return tableOf(heads, rows, [0, 1]);
}

function workerLines(interval: Interval): string[] {
  const { after } = interval;
  const rows = labelValues(after, "syrinx_worker_state", "worker").map((worker) => {
    const state = after
      .get("syrinx_worker_state")
      ?.find(({ labels, value }) => labels.worker === worker && value === 1);
    const busy = rate(interval, "syrinx_worker_busy_seconds_total", { worker });
    const longest = sumOf(after, "syrinx_worker_longest_step_seconds", { worker });
    return [worker, state?.labels.state ?? "?", `${(100 * busy).toFixed(0)} %`, bar(busy, 1), ms(longest)];
  });
  return tableOf(["worker", "state", "busy", "", "longest step"], rows, [0, 1, 3]);
}

function ringLines(after: Scrape): string[] {
  const rings = labelValues(after, "syrinx_ring_capacity_bytes", "edge").map((edge) => {
    const of = (name: string): number => sumOf(after, `syrinx_ring_${name}`, { edge });
    return {
      edge,
      fill: of("fill_bytes"),
      high: of("high_water_bytes"),
      size: of("capacity_bytes"),
      lost: of("dropped_total"),
    };
  });
  rings.sort((a, b) => b.high / b.size - a.high / a.size);
  const rows = rings
    .slice(0, RINGS_SHOWN)
    .map(({ edge, fill, high, size, lost }) => [
      edge,
      percent(fill / size),
      bar(high, size),
      percent(high / size),
      String(lost),
    ]);
  return tableOf(["ring", "fill", "", "highest", "lost"], rows, [0, 2]);
}

/** Figures stand to the right of their columns, names and bars to the left: the columns in `left`. */
function tableOf(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly number[] = [0],
): string[] {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const cellOf = (cell: string, column: number): string =>
    left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return all.map((row) => row.map(cellOf).join("  ").trimEnd());
}

const BAR_COLUMNS = 20;

function bar(value: number, of: number): string {
  const filled = of > 0 ? Math.min(BAR_COLUMNS, Math.round((value / of) * BAR_COLUMNS)) : 0;
  return `${"█".repeat(filled)}${"░".repeat(BAR_COLUMNS - filled)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function number(value: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(1);
}

function ms(seconds: number): string {
  if (Number.isNaN(seconds)) return "–";
  return `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
}
