/** What a row of the metric table is, and one constructor per source of values. Labels keep their literal types. */
import type { BucketSet } from "./buckets.js";
import type { FieldsOf, StatsField } from "./stats-layout.js";
import type { NODE_STATS, WORKER_STATS } from "./worker-stats.js";

export const METRIC_PREFIX = "syrinx_";

export type MetricType = "counter" | "gauge" | "histogram";
export type MetricUnit =
  | "1"
  | "seconds"
  | "bytes"
  | "calls"
  | "connections"
  | "frames"
  | "messages"
  | "words"
  | "lines"
  | "requests";
export type Labels = Readonly<Record<string, readonly string[] | string>>;
type NodeField<Kind extends StatsField["kind"]> = FieldsOf<typeof NODE_STATS, Kind>;
type WorkerField<Kind extends StatsField["kind"]> = FieldsOf<typeof WORKER_STATS, Kind>;

/** What a ring says about itself; read from its header. */
export interface RingReading {
  readonly fillBytes: number;
  readonly highWaterBytes: number;
  readonly capacityBytes: number;
  readonly droppedCount: number;
}

/** Where the value comes from: events on the main thread, or shared memory that is read at the scrape. */
export type MetricSource =
  | { readonly from: "main" }
  | { readonly from: "node"; readonly field: NodeField<StatsField["kind"]> }
  | { readonly from: "worker"; readonly field: WorkerField<StatsField["kind"]> }
  | { readonly from: "ring"; readonly field: keyof RingReading };

export interface MetricRow {
  readonly type: MetricType;
  readonly unit: MetricUnit;
  readonly labels: Labels;
  readonly help: string;
  readonly source: MetricSource;
  readonly buckets?: BucketSet;
}

export function main<const Type extends "counter" | "gauge", const L extends Labels>(
  type: Type,
  unit: MetricUnit,
  labels: L,
  help: string,
) {
  return { type, unit, labels, help, source: { from: "main" } } as const;
}

/** A histogram of seconds. */
export function timed<const L extends Labels>(buckets: BucketSet, labels: L, help: string) {
  return { type: "histogram", unit: "seconds", labels, help, source: { from: "main" }, buckets } as const;
}

/** From the statistics slab of each worker that hosts the node. */
export function node<const Type extends MetricType, const L extends Labels>(
  type: Type,
  field: NodeField<Type>,
  unit: MetricUnit,
  labels: L,
  help: string,
  buckets?: BucketSet,
) {
  const row = { type, unit, labels, help, source: { from: "node", field } } as const;
  return buckets === undefined ? row : { ...row, buckets };
}

/** From the statistics slab of a worker; of a gauge, the peak. */
export function worker<const Type extends "counter" | "gauge">(
  type: Type,
  field: WorkerField<Type>,
  unit: MetricUnit,
  help: string,
) {
  const labels = { worker: WORKER } as const;
  return { type, unit, labels, help, source: { from: "worker", field } } as const;
}

export function ring<const Type extends "counter" | "gauge">(
  type: Type,
  field: keyof RingReading,
  unit: MetricUnit,
  help: string,
) {
  return { type, unit, labels: { edge: EDGE }, help, source: { from: "ring", field } } as const;
}

export const WORKER = "a worker's name, `model/replica` or `io`";
export const EDGE = "two threads and a lane: `producer>consumer`";
