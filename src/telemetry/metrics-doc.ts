/** `docs/METRICS.md`, made from the table. */
import { BUCKETS } from "./buckets.js";
import { METRIC_AREAS, METRIC_PREFIX, type MetricRow, metricRows } from "./metric-table.js";

/** Queries that people want on their first day; each name in them is held to the table by a test. */
export const METRIC_QUERIES: readonly (readonly [question: string, promql: string])[] = [
  [
    "How long do callers wait for a reply (95th percentile)?",
    "histogram_quantile(0.95, sum by (le, graph) (rate(syrinx_turn_latency_seconds_bucket[5m])))",
  ],
  [
    "Where does that time go?",
    "sum by (graph, stage) (rate(syrinx_turn_stage_seconds_sum[5m])) / on (graph) group_left sum by (graph) (rate(syrinx_turn_latency_seconds_count[5m]))",
  ],
  ["How full is the process?", "sum(syrinx_calls_active) / sum(syrinx_calls_capacity)"],
  ["How busy is each worker?", "rate(syrinx_worker_busy_seconds_total[5m])"],
  ["How many calls share a model step?", "rate(syrinx_batch_size_sum[5m]) / rate(syrinx_batch_size_count[5m])"],
  [
    "How long do batches wait for company?",
    "rate(syrinx_batch_wait_seconds_sum[5m]) / rate(syrinx_batch_wait_seconds_count[5m])",
  ],
  [
    "What share of batches is late?",
    "sum by (stage) (rate(syrinx_deadline_missed_total[5m])) / sum by (stage) (rate(syrinx_batch_size_count[5m]))",
  ],
  [
    "How much faster than real time is a stage?",
    "sum by (stage) (rate(syrinx_stage_audio_seconds_total[5m])) / sum by (stage) (rate(syrinx_inference_seconds_sum[5m]))",
  ],
  [
    "Does barge-in stop the reply quickly (95th percentile)?",
    "histogram_quantile(0.95, sum by (le) (rate(syrinx_bargein_stop_seconds_bucket[5m])))",
  ],
];

/** Alerts: a condition, and what it means. Same test. */
export const METRIC_ALERTS: readonly (readonly [promql: string, meaning: string])[] = [
  [
    "histogram_quantile(0.95, sum by (le, graph) (rate(syrinx_turn_latency_seconds_bucket[10m]))) > 1.2",
    "Callers wait too long.",
  ],
  ["sum(syrinx_calls_active) / sum(syrinx_calls_capacity) > 0.9", "Add replicas before calls are refused."],
  ['increase(syrinx_admission_rejected_total{reason="capacity"}[5m]) > 0', "Calls are refused."],
  ["increase(syrinx_ring_dropped_total[5m]) > 0", "A worker does not keep up; audio was lost."],
  ["increase(syrinx_actor_restarts_total[10m]) > 3", "A worker dies again and again; its log says why."],
  ["increase(syrinx_frames_poison_total[10m]) > 0", "Some input makes an actor fail; report it."],
  ['syrinx_worker_state{state="failed"} == 1', "A worker was given up; /readyz says 503 until a restart."],
  ["nodejs_eventloop_lag_p99_seconds > 0.05", "The main thread is late; all calls feel it."],
];

/** The whole page. A test compares the file with it. */
export function renderMetricsDoc(): string {
  return [
    INTRODUCTION,
    ...Object.entries(METRIC_AREAS).map(areaSection),
    labelSection(),
    bucketSection(),
    querySection(),
    LAYOUT_NOTE,
  ]
    .join("\n\n")
    .concat("\n");
}

const INTRODUCTION = `# Metrics

\`GET /metrics\` answers in the Prometheus text format. This page is generated from \`src/telemetry/metric-table.ts\`.

- All names begin with \`${METRIC_PREFIX}\`; units are seconds, bytes or counts. Counters end in \`_total\`.
- Labels are bounded and known at start: names from the configuration and the values listed here. No label ever holds a
  call, a key, an address or anything that was said. A metric has at most 512 series; what comes after is \`other\`.
- Everything per frame is counted in shared memory by the worker that did it, and read when \`/metrics\` is asked: a scrape
  never waits for a worker, and a worker's successor goes on from its figures, so no counter falls when a worker dies.
- Peaks (\`worker_longest_step_seconds\`, \`ws_buffered_bytes\`) are of the time since the last scrape. With two scrapers,
  each sees a part of them.
- \`process_*\` and \`nodejs_*\` are those of prom-client, for the process and its main thread.`;

const LAYOUT_NOTE = `## If you come from Triton

\`nv_inference_queue_duration_us\` is \`${METRIC_PREFIX}batch_queue_seconds\`, \`nv_inference_compute_infer_duration_us\` is
\`${METRIC_PREFIX}inference_seconds\`, and \`nv_inference_count\` over \`nv_inference_exec_count\` is the mean of \`${METRIC_PREFIX}batch_size\`.`;

function areaSection([area, rows]: [string, Readonly<Record<string, MetricRow>>]): string {
  const lines = Object.entries(rows).map(
    ([name, row]) =>
      `| \`${METRIC_PREFIX}${name}\` | ${typeText(row)} | ${row.unit} | ${labelText(row)} | ${row.help} |`,
  );
  return [`## ${area}`, "", "| Name | Type | Unit | Labels | Meaning |", "|---|---|---|---|---|", ...lines].join("\n");
}

function typeText({ type, buckets }: MetricRow): string {
  return buckets === undefined ? type : `${type}, ${buckets}`;
}

/** Names, with the values where they are listed; what the others take their values from is said once, in a table. */
function labelText({ labels }: MetricRow): string {
  const texts = Object.entries(labels).map(([label, values]) =>
    typeof values === "string" ? `\`${label}\`` : `\`${label}\` = ${values.map((value) => `\`${value}\``).join(" ")}`,
  );
  return texts.length === 0 ? "–" : texts.join(", ");
}

function labelSection(): string {
  const meanings = new Map<string, Set<string>>();
  for (const [, { labels }] of metricRows()) {
    for (const [label, values] of Object.entries(labels)) {
      if (typeof values === "string") meanings.set(label, (meanings.get(label) ?? new Set()).add(values));
    }
  }
  const lines = [...meanings].map(([label, texts]) => `| \`${label}\` | ${[...texts].join("; or ")} |`);
  return ["## Labels", "", "| Label | Values |", "|---|---|", ...lines].join("\n");
}

function bucketSection(): string {
  const lines = Object.entries(BUCKETS).map(([name, bounds]) => `| ${name} | ${bounds.join(" ")} |`);
  return ["## Buckets", "", "| Set | Upper bounds |", "|---|---|", ...lines].join("\n");
}

function querySection(): string {
  const queries = METRIC_QUERIES.map(([question, promql]) => `${question}\n\n\`\`\`promql\n${promql}\n\`\`\``);
  const alerts = METRIC_ALERTS.map(([promql, meaning]) => `| \`${promql}\` | ${meaning} |`);
  return [
    "## First queries",
    ...queries,
    "## Alerts to begin with",
    ["| When | Meaning |", "|---|---|", ...alerts].join("\n"),
  ].join("\n\n");
}
