/**
 * The metrics whose values lie in shared memory: workers' statistics slabs and rings' headers. They are read when the
 * registry is asked for text, on the main thread; no worker takes part in a scrape.
 */
import type { Metric, Registry } from "prom-client";
import { METRIC_PREFIX, type MetricName, type MetricRow, metricRows, type RingReading } from "./metric-table.js";
import type { HistogramReading, StatsReader } from "./stats-slab.js";
import { NODE_STATS, nodeSection, WORKER_SECTION, WORKER_STATS } from "./worker-stats.js";

/** The labels of a node's figures. All come from the plan, `device` from the open model. */
export interface WatchedNode {
  readonly graph: string;
  /** The node's name in its graph. */
  readonly stage: string;
  readonly model: string;
  readonly device: string;
}

export interface WatchedWorker {
  readonly worker: string;
  /** Over a buffer made for `workerSections(nodes.length)`. */
  readonly reader: StatsReader;
  /** In the order of the slab's node sections. */
  readonly nodes: readonly WatchedNode[];
}

export interface WatchedRing {
  readonly edge: string;
  /** Plain loads from the ring's header; called at each scrape. */
  readonly read: () => RingReading;
}

/** One line of exposition, as prom-client's own metrics hand it to the registry. */
interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

type AnyLabels = Readonly<Record<string, string>>;
type NodeField = keyof typeof NODE_STATS;
type FieldValue = number | HistogramReading;

export class SharedMetrics {
  readonly #workers = new Map<string, WatchedWorker>();
  readonly #rings = new Map<string, WatchedRing>();

  constructor(registry: Registry) {
    for (const [name, row] of metricRows()) {
      if (row.source.from !== "main") registry.registerMetric(this.#collector(name, row));
    }
  }

  /** A worker of the same name is replaced: call it again when a model's device is known. */
  watchWorker(worker: WatchedWorker): void {
    this.#workers.set(worker.worker, worker);
  }

  /** A ring of the same edge is replaced. */
  watchRing(ring: WatchedRing): void {
    this.#rings.set(ring.edge, ring);
  }

  /** After each scrape: peaks are of the time since the last one. */
  nextWindow(): void {
    for (const { reader } of this.#workers.values()) reader.nextWindow();
  }

  /** What the registry asks of a metric: `get`, and `reset`, which shared memory does not do. */
  #collector(shortName: MetricName, row: MetricRow): Metric {
    const name = METRIC_PREFIX + shortName;
    const get = async () => ({
      name,
      help: row.help,
      type: row.type,
      aggregator: "sum",
      values: samplesOf(name, this.#summed(row)),
    });
    return { name, help: row.help, type: row.type, get, reset: () => {} } as unknown as Metric;
  }

  /** Figures of workers and nodes with the same labels are one series: their sum. */
  #summed(row: MetricRow): Iterable<readonly [AnyLabels, FieldValue]> {
    const bySeries = new Map<string, readonly [AnyLabels, FieldValue]>();
    const labelNames = Object.keys(row.labels);
    for (const [all, value] of this.#figures(row)) {
      const labels = Object.fromEntries(labelNames.map((label) => [label, all[label]!]));
      const key = Object.values(labels).join("\u0000");
      const before = bySeries.get(key);
      bySeries.set(key, before === undefined ? [labels, value] : [labels, sum(before[1], value)]);
    }
    return bySeries.values();
  }

  *#figures({ source, type }: MetricRow): Iterable<readonly [AnyLabels, FieldValue]> {
    if (source.from === "ring") {
      for (const { edge, read } of this.#rings.values()) yield [{ edge }, read()[source.field]];
    }
    for (const { worker, reader, nodes } of this.#workers.values()) {
      if (source.from === "worker" && type === "gauge") {
        yield [{ worker }, reader.gauge(WORKER_SECTION, WORKER_STATS, source.field as "stepSeconds").peak];
      } else if (source.from === "worker") {
        yield [{ worker }, reader.counter(WORKER_SECTION, WORKER_STATS, source.field as "steps")];
      } else if (source.from === "node") {
        for (const [position, watched] of nodes.entries()) {
          yield [{ ...watched }, nodeFigure(reader, position, type, source.field)];
        }
      }
    }
  }
}

function nodeFigure(reader: StatsReader, position: number, type: MetricRow["type"], field: NodeField): FieldValue {
  const section = nodeSection(position);
  // The table's row was checked against the layout when it was declared: type and field agree.
  if (type === "histogram") return reader.histogram(section, NODE_STATS, field as "batchSize");
  if (type === "gauge") return reader.gauge(section, NODE_STATS, field as "openCalls").value;
  return reader.counter(section, NODE_STATS, field as "framesIn");
}

function sum(left: FieldValue, right: FieldValue): FieldValue {
  if (typeof left === "number" || typeof right === "number") return (left as number) + (right as number);
  return {
    bounds: left.bounds,
    counts: left.counts.map((count, bucket) => count + right.counts[bucket]!),
    count: left.count + right.count,
    sum: left.sum + right.sum,
  };
}

function samplesOf(name: string, figures: Iterable<readonly [AnyLabels, FieldValue]>): Sample[] {
  return [...figures].flatMap(([labels, value]) =>
    typeof value === "number" ? [{ labels, value }] : histogramSamples(name, labels, value),
  );
}

function histogramSamples(name: string, labels: AnyLabels, reading: HistogramReading): Sample[] {
  let cumulative = 0;
  const buckets = reading.bounds.map((le, bucket) => {
    cumulative += reading.counts[bucket]!;
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: cumulative };
  });
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: reading.count },
    { metricName: `${name}_sum`, labels, value: reading.sum },
    { metricName: `${name}_count`, labels, value: reading.count },
  ];
}
