/** The metrics that events on the main thread move, built from the table, with a bound on the series of each. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { BUCKETS } from "./buckets.js";
import {
  type LabelsOf,
  METRIC_PREFIX,
  type METRIC_TABLE,
  type MetricName,
  type MetricNameOf,
  type MetricRow,
  metricRows,
} from "./metric-table.js";

/** Series of one metric. At it: further label values are counted together, as `other`. */
export const METRIC_SERIES_MAX = 512;

type MainName<Type extends "counter" | "gauge" | "histogram"> = MetricNameOf<Type> &
  { [Name in MetricName]: (typeof METRIC_TABLE)[Name]["source"]["from"] extends "main" ? Name : never }[MetricName];
type AnyLabels = Readonly<Record<string, string>>;

export class MainMetrics {
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  /** Label values seen, per metric. */
  readonly #series = new Map<string, Set<string>>();

  /** @param graphs their series are exposed as 0 from the start, so that the first event is a rise and not a birth. */
  constructor(registry: Registry, graphs: readonly string[]) {
    for (const [name, row] of metricRows()) {
      if (row.source.from !== "main") continue;
      this.#create(registry, name, row);
      if (row.type === "histogram") continue;
      for (const labels of knownSeries(row, graphs)) this.#zero(name, row, labels);
    }
  }

  add<Name extends MainName<"counter">>(name: Name, labels: LabelsOf<Name>, amount = 1): void {
    // A duration that came out negative must not throw into a call.
    if (amount > 0) this.#counters.get(name)!.inc(this.#bounded(name, labels as AnyLabels), amount);
  }

  /** Moves a gauge by `delta`, of either sign. */
  move<Name extends MainName<"gauge">>(name: Name, labels: LabelsOf<Name>, delta: number): void {
    this.#gauges.get(name)!.inc(this.#bounded(name, labels as AnyLabels), delta);
  }

  set<Name extends MainName<"gauge">>(name: Name, labels: LabelsOf<Name>, level: number): void {
    this.#gauges.get(name)!.set(this.#bounded(name, labels as AnyLabels), level);
  }

  /** Counts one value; NaN and infinities are ignored. */
  observe<Name extends MainName<"histogram">>(name: Name, labels: LabelsOf<Name>, value: number): void {
    if (Number.isFinite(value)) this.#histograms.get(name)!.observe(this.#bounded(name, labels as AnyLabels), value);
  }

  #create(registry: Registry, name: string, row: MetricRow): void {
    const shared = {
      name: METRIC_PREFIX + name,
      help: row.help,
      labelNames: Object.keys(row.labels),
      registers: [registry],
    };
    if (row.type === "counter") this.#counters.set(name, new Counter(shared));
    else if (row.type === "gauge") this.#gauges.set(name, new Gauge(shared));
    else this.#histograms.set(name, new Histogram({ ...shared, buckets: [...BUCKETS[row.buckets!]] }));
  }

  #zero(name: string, row: MetricRow, labels: AnyLabels): void {
    const bounded = this.#bounded(name, labels);
    if (row.type === "counter") this.#counters.get(name)!.inc(bounded, 0);
    else this.#gauges.get(name)!.set(bounded, 0);
  }

  #bounded(name: string, labels: AnyLabels): AnyLabels {
    let seen = this.#series.get(name);
    if (seen === undefined) {
      seen = new Set();
      this.#series.set(name, seen);
    }
    const key = Object.values(labels).join("\u0000");
    if (seen.has(key)) return labels;
    if (seen.size >= METRIC_SERIES_MAX) return Object.fromEntries(Object.keys(labels).map((label) => [label, "other"]));
    seen.add(key);
    return labels;
  }
}

/** All combinations of a row's labels if each is listed or is the graph; otherwise none. */
function knownSeries(row: MetricRow, graphs: readonly string[]): readonly AnyLabels[] {
  let combinations: AnyLabels[] = [{}];
  for (const [label, declared] of Object.entries(row.labels)) {
    const values = label === "graph" ? graphs : declared;
    if (typeof values === "string") return [];
    combinations = combinations.flatMap((labels) => values.map((value) => ({ ...labels, [label]: value })));
  }
  return combinations;
}
