/**
 * What the workers and the process do per call, from the counters that lie in shared memory anyway. Main thread, a few
 * times a second; no worker takes part.
 *
 * Everything is a ratio of sums that fade: what was ten seconds ago weighs a third. Nothing fades while nobody calls, so
 * that a quiet night forgets nothing. Before there is evidence, a model's own table of step times speaks for it, and its
 * rows are taken to come once per deadline.
 */
import type { Plan, PlanWorker } from "../../config/plan.js";
import type { StatsReader } from "../../telemetry/stats-slab.js";
import { NODE_STATS, nodeSection, WORKER_SECTION, WORKER_STATS } from "../../telemetry/worker-stats.js";
import type { ProcessLoad, WorkerLoad } from "./load-model.js";

/** What only the process itself can tell. */
export interface ProcessProbe {
  readonly coreCount: number;
  /** Seconds of processor time of all threads since the start. */
  cpuSeconds(): number;
  /** Share of the time since the last call that the main thread's event loop was busy. */
  mainShare(): number;
  /** How late the main thread's timers were lately, 99th percentile. */
  mainDelayP99Ms(): number;
  /** Nothing is asked any more. */
  stop(): void;
}

const RATE_FADE_S = 10;
const QUEUE_FADE_S = 2;
/** What a guess counts, until there is more than that of evidence. */
const PRIOR_CALL_SECONDS = 2;
const PRIOR_ROWS = 8;
/** A table's guess of the fixed part is for the slow end of steps; some of each step is its rows' at any rate. */
const FIXED_SHARE_MAX = 0.8;

export class LoadMeter {
  readonly #workers: readonly WorkerMeter[];
  readonly #probe: ProcessProbe;
  #lastMs: number | undefined;
  #lastCpuSeconds: number;
  #cpuSeconds = 0;
  #callSeconds = 0;
  #mainShare = 0;
  #callCount = 0;

  /** @param readers by position in `plan.workers` */
  constructor(plan: Plan, readers: readonly StatsReader[], probe: ProcessProbe) {
    this.#probe = probe;
    this.#lastCpuSeconds = probe.cpuSeconds();
    this.#workers = plan.workers.map((worker, position) => new WorkerMeter(plan, worker, readers[position]!));
  }

  /** Reads what has been counted since the last time. @param callCount calls open now */
  read(nowMs: number, callCount: number): void {
    const seconds = this.#lastMs === undefined ? 0 : (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    this.#callCount = callCount;
    const savedSeconds = this.#workers.reduce((sum, worker) => sum + worker.read(seconds), 0);
    const cpuSeconds = this.#probe.cpuSeconds();
    const share = this.#probe.mainShare();
    if (callCount > 0 && seconds > 0) {
      const kept = Math.exp(-seconds / RATE_FADE_S);
      const marginal = Math.max(0, cpuSeconds - this.#lastCpuSeconds - savedSeconds);
      this.#cpuSeconds = this.#cpuSeconds * kept + marginal;
      this.#callSeconds = this.#callSeconds * kept + callCount * seconds;
      this.#mainShare += (1 - kept) * (share - this.#mainShare);
    }
    this.#lastCpuSeconds = cpuSeconds;
  }

  stop(): void {
    this.#probe.stop();
  }

  /** By position in the plan's workers. */
  worker(position: number): WorkerLoad {
    return this.#workers[position]!.load();
  }

  process(): ProcessLoad {
    return {
      callCount: this.#callCount,
      coresPerCall: this.#cpuSeconds / (this.#callSeconds + PRIOR_CALL_SECONDS),
      coreCount: this.#probe.coreCount,
      mainShare: this.#mainShare,
      mainDelayP99Ms: this.#probe.mainDelayP99Ms(),
    };
  }
}

/** What a worker has counted since its start. */
interface Totals {
  readonly rows: number;
  readonly steps: number;
  readonly busySeconds: number;
}

class WorkerMeter {
  readonly #reader: StatsReader;
  readonly #nodeCount: number;
  readonly #priorRowsPerSecond: number;
  readonly #queues: readonly FadingHistogram[];
  #last: Totals;
  #rows = 0;
  #steps = 0;
  #busySeconds = 0;
  #callSeconds = 0;
  #callCount = 0;

  constructor(plan: Plan, worker: PlanWorker, reader: StatsReader) {
    this.#reader = reader;
    this.#nodeCount = worker.nodes.length;
    this.#queues = worker.nodes.map(() => new FadingHistogram(NODE_STATS.batchQueueSeconds.bounds));
    const model = plan.models.find((candidate) => candidate.name === worker.model);
    this.#priorRowsPerSecond = model === undefined ? 0 : 1000 / model.batchDeadlineMs;
    this.#last = this.#totals();
  }

  /** Returns the seconds of the steps' fixed parts since the last time: what larger batches would have saved. */
  read(seconds: number): number {
    const totals = this.#totals();
    const steps = totals.steps - this.#last.steps;
    this.#callCount = this.#openCalls();
    for (const [position, queue] of this.#queues.entries()) {
      queue.read(this.#reader.histogram(nodeSection(position), NODE_STATS, "batchQueueSeconds").counts, seconds);
    }
    if (this.#callCount > 0 && seconds > 0) {
      const kept = Math.exp(-seconds / RATE_FADE_S);
      this.#rows = this.#rows * kept + totals.rows - this.#last.rows;
      this.#steps = this.#steps * kept + steps;
      this.#busySeconds = this.#busySeconds * kept + totals.busySeconds - this.#last.busySeconds;
      this.#callSeconds = this.#callSeconds * kept + this.#callCount * seconds;
    }
    this.#last = totals;
    return (steps * this.#fixedMs()) / 1000;
  }

  load(): WorkerLoad {
    const fixedMs = this.#fixedMs();
    const rowSeconds = Math.max(0, this.#busySeconds - (this.#steps * fixedMs) / 1000);
    const priorRowMs = this.#learned("stepRowSeconds") * 1000;
    const guessedRows = this.#priorRowsPerSecond * PRIOR_CALL_SECONDS;
    return {
      callCount: this.#callCount,
      rowsPerCallSecond: (this.#rows + guessedRows) / (this.#callSeconds + PRIOR_CALL_SECONDS),
      fixedMs,
      rowMs: (rowSeconds * 1000 + priorRowMs * PRIOR_ROWS) / (this.#rows + PRIOR_ROWS),
      queueP99Ms: Math.max(0, ...this.#queues.map((queue) => queue.quantile(0.99) * 1000)),
    };
  }

  #fixedMs(): number {
    const learnedMs = this.#learned("stepFixedSeconds") * 1000;
    if (this.#steps < 1) return learnedMs;
    return Math.min(learnedMs, (FIXED_SHARE_MAX * this.#busySeconds * 1000) / this.#steps);
  }

  #learned(name: "stepFixedSeconds" | "stepRowSeconds"): number {
    return this.#reader.gauge(WORKER_SECTION, WORKER_STATS, name).value;
  }

  #totals(): Totals {
    let rows = 0;
    for (let position = 0; position < this.#nodeCount; position++) {
      rows += this.#reader.histogram(nodeSection(position), NODE_STATS, "batchSize").sum;
    }
    const counter = (name: "steps" | "busySeconds"): number => this.#reader.counter(WORKER_SECTION, WORKER_STATS, name);
    return { rows, steps: counter("steps"), busySeconds: counter("busySeconds") };
  }

  /** A call is open on each node of its graph: the node with the most of them tells how many there are. */
  #openCalls(): number {
    let most = 0;
    for (let position = 0; position < this.#nodeCount; position++) {
      most = Math.max(most, this.#reader.gauge(nodeSection(position), NODE_STATS, "openCalls").value);
    }
    return most;
  }
}

/** What came into the buckets of a growing histogram lately. */
export class FadingHistogram {
  readonly #bounds: readonly number[];
  readonly #last: Float64Array;
  readonly #counts: Float64Array;
  #isFirst = true;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#last = new Float64Array(bounds.length + 1);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** @param counts since the start, one more than there are bounds */
  read(counts: readonly number[], seconds: number): void {
    const kept = Math.exp(-seconds / QUEUE_FADE_S);
    for (const [bucket, count] of counts.entries()) {
      const rise = this.#isFirst ? 0 : count - this.#last[bucket]!;
      this.#counts[bucket] = this.#counts[bucket]! * kept + rise;
      this.#last[bucket] = count;
    }
    this.#isFirst = false;
  }

  /** By a line within its bucket; twice the last bound above it. 0 if less than one value is left. */
  quantile(share: number): number {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    if (total < 1) return 0;
    let below = 0;
    for (const [bucket, bound] of this.#bounds.entries()) {
      const count = this.#counts[bucket]!;
      if (below + count >= share * total) {
        const from = bucket === 0 ? 0 : this.#bounds[bucket - 1]!;
        return count === 0 ? from : from + (bound - from) * ((share * total - below) / count);
      }
      below += count;
    }
    return 2 * this.#bounds.at(-1)!;
  }
}
