/**
 * The runtime: workers, call table, admission, drain. Main thread. This is the file that puts the others together; each
 * of them can be read alone.
 */
import { randomUUID } from "node:crypto";
import type { ResourceLimits } from "node:worker_threads";
import { createResampler } from "../audio/resampler.js";
import { type Clock, createClock } from "../base/clock.js";
import { SyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import { packageVersion } from "../base/package-root.js";
import { GRAPH_RATE_HZ } from "../base/units.js";
import type { Plan, PlanWorker } from "../config/plan.js";
import type { MetaOf } from "../frames/index.js";
import { createMetrics, type Logger, type Metrics, type Tracing } from "../telemetry/index.js";
import { createGovernor } from "./admission/create-governor.js";
import type { Governor } from "./admission/governor.js";
import type { Call, Capacity, OpenOptions, Runtime, WorkerStatus } from "./api.js";
import { CallImpl } from "./call.js";
import { CallOptions, checkRate, findGraph } from "./call-options.js";
import type { OpenRecord } from "./control.js";
import { Hub } from "./hub.js";
import { createLoopStatsBuffer } from "./loop-stats.js";
import { createMesh, type Mesh } from "./mesh.js";
import { Placement } from "./placement.js";
import { loggerOf, type RuntimeOptions, readPlan } from "./read-plan.js";
import { startTracing, watchCall } from "./watch-call.js";
import { tellRestarting, tellStarted, type WatchSpec, watchRings } from "./watch-runtime.js";
import { startFailure, WorkerHandle } from "./worker-handle.js";

export type { RuntimeOptions } from "./read-plan.js";

/**
 * Checks the configuration, fetches models if that is allowed, starts every worker and resolves when all models are warm.
 * Throws CONFIG_INVALID (with all problems), what `pullModel` throws, MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH,
 * DEVICE_UNAVAILABLE, MODULE_INVALID, WORKER_START_FAILED, WORKER_TIMEOUT; nothing keeps running then.
 */
export async function createRuntime(source: string | URL | object, options: RuntimeOptions = {}): Promise<RuntimeImpl> {
  const { plan, log } = await readPlan(source, options);
  return startRuntime(plan, { ...options, logger: log });
}

/** The second half: starts a plan whose modules are imported. Throws what the workers' start throws. */
export async function startRuntime(plan: Plan, options: RuntimeOptions): Promise<RuntimeImpl> {
  const runtime = new RuntimeImpl(plan, loggerOf(plan.server, options), options.resourceLimits);
  await runtime.start();
  return runtime;
}

interface OpenCall {
  readonly call: CallImpl;
  readonly meta: MetaOf<"open">;
  readonly openedUs: number;
}

export class RuntimeImpl implements Runtime {
  readonly plan: Plan;
  readonly log: Logger;
  readonly metricsRegistry: Metrics;
  readonly #mesh: Mesh;
  readonly #clock: Clock;
  readonly #hub: Hub;
  readonly #workers: readonly WorkerHandle[];
  readonly #calls = new Map<number, OpenCall>();
  /** Free slots, used first in first out, so that a slot rests as long as possible before it is used again. */
  readonly #freeSlots: number[];
  readonly #placement: Placement;
  readonly #watch: WatchSpec;
  readonly #governor: Governor | undefined;
  #isDraining = false;
  #drained: Promise<void> | undefined;
  #failure: string | undefined;
  #isStarted = false;
  #tracing: Tracing | undefined;

  constructor(plan: Plan, log: Logger, resourceLimits: ResourceLimits | undefined) {
    this.plan = plan;
    this.log = log;
    this.#clock = createClock();
    this.#mesh = createMesh(plan, randomUUID(), this.#clock.baseNs);
    this.#freeSlots = Array.from({ length: plan.server.maxCalls }, (_, slot) => slot);
    this.#placement = new Placement(plan);
    this.metricsRegistry = createMetrics({
      version: packageVersion(),
      graphs: plan.graphs.map((graph) => graph.name),
      capacity: plan.server.maxCalls,
    });
    const stats = plan.workers.map((worker) => createLoopStatsBuffer(plan, worker));
    this.#watch = { metrics: this.metricsRegistry, plan, mesh: this.#mesh, stats };
    // First: it may throw, and nothing runs yet.
    this.#governor = createGovernor({
      ...this.#watch,
      log,
      nowMs: () => this.#clock.nowUs() / 1000,
      callsOn: (worker) => this.#placement.callsOn(worker),
      openedBefore: (ms) => [...this.#calls.values()].filter(({ openedUs }) => openedUs < ms * 1000).length,
      onLevel: (graph, level) => this.#degraded(graph, level),
    });
    this.#hub = new Hub(plan, this.#mesh, this.#clock);
    const shared = { plan, mesh: this.#mesh, host: this.#host(), resourceLimits };
    this.#workers = plan.workers.map(
      (worker, position) => new WorkerHandle({ ...shared, worker, stats: stats[position]! }),
    );
    watchRings(this.#watch);
  }

  /** Starts all workers at once. Internal: `createRuntime` calls it. */
  async start(): Promise<void> {
    this.#tracing = await startTracing(this.plan, this.log, this.metricsRegistry);
    const outcomes = await Promise.allSettled(this.#workers.map((worker) => worker.start()));
    const failed = outcomes.findIndex((outcome) => outcome.status === "rejected");
    if (failed >= 0) {
      await this.#stopWorkers();
      throw startFailure(this.plan.workers[failed]!.name, (outcomes[failed] as PromiseRejectedResult).reason);
    }
    this.#isStarted = true;
    this.#governor?.start();
    for (const worker of this.#workers) worker.settled();
  }

  async open(graphName: string, options: OpenOptions = {}): Promise<Call> {
    const graph = findGraph(this.plan, graphName);
    this.#assertAdmits();
    const chosen = new CallOptions(this.plan, graph, options.nodes ?? {});
    const { inputRateHz = GRAPH_RATE_HZ, outputRateHz } = options;
    for (const rateHz of [inputRateHz, outputRateHz ?? GRAPH_RATE_HZ]) checkRate(rateHz);
    const objection = this.objection(graph.name);
    if (objection !== undefined) throw objection;
    const slot = this.#freeSlots.shift()!;
    const placement = this.#placement.choose(graph.nodes);
    const callId = options.callId ?? randomUUID();
    const born = this.#hub.words.open(slot);
    const call = new CallImpl({
      hub: this.#hub,
      slot,
      born,
      callId,
      graph,
      options: chosen,
      edges: this.plan.edges,
      placement,
      inputRateHz,
      inputResampler: inputRateHz === GRAPH_RATE_HZ ? undefined : createResampler(inputRateHz, GRAPH_RATE_HZ),
      createOutputResampler:
        outputRateHz === undefined ? undefined : (fromRateHz) => createResampler(fromRateHz, outputRateHz),
      reportPlayback: options.reportPlayback ?? false,
      onEvent: options.onEvent,
      onReleased: (released, result) => this.#released(released, result),
      ...watchCall(this, this.#tracing, { callId, graph, traceparent: options.trace?.traceparent }),
      onFault: (faulty, error) => {
        this.log.error({ callId, reason: String(error) }, "event consumer failed");
        queueMicrotask(() => faulty.abort("INTERNAL"));
      },
    });
    const meta: MetaOf<"open"> = { callId, graph: graph.name, born, placement, ...chosen.record };
    this.#calls.set(slot, { call, meta, openedUs: this.#clock.nowUs() });
    this.#hub.admit(call);
    for (const worker of new Set(placement)) {
      this.#hub.sendMeta(worker, call, undefined, "open", meta);
    }
    this.metricsRegistry.callOpened(graph.name);
    this.#governor?.opened(graph.name);
    this.log.debug({ callId, graph: graph.name }, "call opened");
    const level = this.#governor?.level(graph.name) ?? 0;
    if (level > 0) call.deliver({ type: "load", level });
    return call;
  }

  readiness(): { readonly ready: boolean; readonly reason: string } {
    if (this.#isDraining) return { ready: false, reason: "draining" };
    if (this.#failure !== undefined) return { ready: false, reason: this.#failure };
    const missing = this.status().find((worker) => worker.state !== "running");
    if (missing === undefined && this.#isStarted) return { ready: true, reason: "every model is warm" };
    const reason = missing?.reason === undefined ? "" : `: ${missing.reason}`;
    return { ready: false, reason: `worker ${missing?.name ?? "?"} is ${missing?.state ?? "starting"}${reason}` };
  }

  liveness(): { readonly live: boolean; readonly reason: string } {
    const nowMs = this.#clock.nowUs() / 1000;
    const stuck = this.#workers.find((worker) => worker.silentMs(nowMs) > LIMITS.heartbeatMs);
    if (stuck === undefined) return { live: true, reason: "every loop turns" };
    return { live: false, reason: `worker ${stuck.worker.name} has not turned its loop for ${LIMITS.heartbeatMs} ms` };
  }

  get transportMetrics(): Metrics {
    return this.metricsRegistry;
  }

  status(): readonly WorkerStatus[] {
    return this.#workers.map((worker) => worker.status);
  }

  objection(graph: string): SyrinxError | undefined {
    if (this.#freeSlots.length > 0) return this.#governor?.objection(graph);
    this.metricsRegistry.callRefused(graph, "slots");
    return new SyrinxError("CALL_LIMIT", { limit: this.plan.server.maxCalls, retryAfterMs: RETRY_AFTER_MS });
  }

  capacity(): Capacity {
    const admission = this.#governor?.report();
    const hasRoom = this.#freeSlots.length > 0 && (admission === undefined || admission.retryAfterMs === 0);
    return {
      maxCalls: this.plan.server.maxCalls,
      activeCalls: this.#calls.size,
      acceptingCalls: this.readiness().ready && hasRoom,
      draining: this.#isDraining,
      ...(admission ?? { source: "off" }),
    };
  }

  metrics(): Promise<string> {
    this.metricsRegistry.readiness(this.readiness().ready);
    return this.metricsRegistry.text();
  }

  /** Messages that woke the main thread so far: for the test that frames do not travel in messages. */
  get doorbellCount(): number {
    return this.#hub.doorbellCount;
  }

  drain(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#drained ??= this.#drain(options.graceMs ?? 0);
    return this.#drained;
  }

  async #drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.metricsRegistry.draining();
    const untilMs = performance.now() + graceMs;
    while (this.#calls.size > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
    }
    for (const { call } of [...this.#calls.values()]) call.drained();
    this.#hub.flush();
    await Promise.all([this.#stopWorkers(), this.#tracing?.close()]);
  }

  async #stopWorkers(): Promise<void> {
    this.#governor?.stop();
    const outcomes = await Promise.all(this.#workers.map((worker) => worker.stop(LIMITS.workerStopMs)));
    this.#hub.stop();
    outcomes.forEach((hasLeft, position) => {
      if (!hasLeft) this.log.error({ worker: this.plan.workers[position]!.name }, "worker did not stop in time");
    });
  }

  #assertAdmits(): void {
    if (this.#isDraining) throw new SyrinxError("RUNTIME_CLOSED");
    if (this.#failure === undefined) return;
    const failed = this.status().find((worker) => worker.state === "failed")!;
    throw new SyrinxError("CALL_WORKER_FAILED", { worker: failed.name, reason: failed.reason ?? "" });
  }

  #released(call: CallImpl, result: "completed" | "error" | "drained"): void {
    const known = this.#calls.get(call.slot);
    if (known === undefined || known.call !== call) return;
    this.#calls.delete(call.slot);
    this.#placement.release(known.meta.placement);
    this.#freeSlots.push(call.slot);
    const durationMs = (this.#clock.nowUs() - known.openedUs) / 1000;
    this.metricsRegistry.callClosed(call.graph, result, durationMs / 1000);
    this.#governor?.closed(call.graph, durationMs);
    this.log.debug({ callId: call.callId, graph: call.graph, result }, "call closed");
  }

  #degraded(graph: string, level: number): void {
    this.log.info({ graph, level }, "graph is degraded by load");
    for (const { call } of [...this.#calls.values()]) if (call.graph === graph) call.deliver({ type: "load", level });
  }

  #openCalls(worker: number): OpenRecord[] {
    return [...this.#calls.entries()]
      .filter(([, { meta }]) => meta.placement.includes(worker))
      .map(([slot, { call, meta }]) => ({ slot, open: { ...meta, ...call.options.record } }));
  }

  #host(): ConstructorParameters<typeof WorkerHandle>[0]["host"] {
    return {
      rung: () => this.#hub.rung(),
      openCalls: (worker) => this.#openCalls(worker),
      nowMs: () => this.#clock.nowUs() / 1000,
      started: (worker, report, restarts) => this.#workerStarted(worker, report, restarts),
      restarting: (worker, reason) => {
        tellRestarting(this.#watch, worker, reason);
        this.log.error({ worker: worker.name, reason }, "worker died and is restarted");
      },
      failed: (worker, reason) => this.#workerFailed(worker, reason),
    };
  }

  #workerStarted(
    worker: PlanWorker,
    report: { device: string; description: string; loadMs: number },
    restarts: number,
  ): void {
    const { device, description, loadMs } = report;
    tellStarted(this.#watch, worker, report);
    this.log.info({ worker: worker.name, device, description, loadMs: Math.round(loadMs), restarts }, "worker runs");
  }

  #workerFailed(worker: PlanWorker, reason: string): void {
    this.metricsRegistry.workerState(worker.name, "failed");
    this.#failure = `worker ${worker.name} is given up: ${reason}`;
    this.log.error({ worker: worker.name, reason }, "worker is given up");
    for (const { call, meta } of [...this.#calls.values()]) {
      if (meta.placement.includes(worker.index))
        call.fail(new SyrinxError("CALL_WORKER_FAILED", { worker: worker.name, reason }));
    }
  }
}

/** What a refused client is told to wait. */
const RETRY_AFTER_MS = 1_000;
const DRAIN_LOOK_MS = 20;
