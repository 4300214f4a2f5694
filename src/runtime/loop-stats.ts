/** The loop's observer over shared-memory counters: a few plain stores per batch, on the worker's thread. */

import { GRAPH_RATE_HZ } from "../base/units.js";
import type { Plan, PlanWorker } from "../config/plan.js";
import type { ModelSteps } from "../models/family.js";
// Not by `telemetry/index.js`: that would load the metrics registry into every worker.
import { createStatsBuffer, type StatsHandles, StatsWriter } from "../telemetry/stats-slab.js";
import { NODE_STATS, nodeSection, WORKER_SECTION, WORKER_STATS, workerSections } from "../telemetry/worker-stats.js";
import type { BatchWindow } from "./batch-window.js";
import type { InboxItem } from "./hosted-node.js";
import type { LoopObserver } from "./loop-observer.js";

export function createLoopStatsBuffer(_plan: Plan, worker: PlanWorker): SharedArrayBuffer {
  return createStatsBuffer(workerSections(worker.nodes.length));
}

export function createLoopStats(plan: Plan, worker: PlanWorker, buffer: SharedArrayBuffer): LoopObserver {
  const writer = new StatsWriter(buffer, workerSections(worker.nodes.length));
  const own = writer.handles(WORKER_SECTION, WORKER_STATS);
  const ofNode = new Map<number, StatsHandles<typeof NODE_STATS>>();
  worker.nodes.forEach((node, position) => {
    const handles = writer.handles(nodeSection(position), NODE_STATS);
    ofNode.set(node, handles);
    // A predecessor may have left its count behind.
    writer.set(handles.openCalls, 0);
  });
  const openCalls = new Map<number, number>();
  const moveOpen = (node: number, delta: number): void => {
    const count = (openCalls.get(node) ?? 0) + delta;
    openCalls.set(node, count);
    writer.set(ofNode.get(node)!.openCalls, count);
  };
  const sum = new BatchSum();
  const noteSteps = stepNotes(plan, worker, writer);
  const nodeOfEdge = Int32Array.from(plan.edges, (edge) => edge.to);
  return {
    nodeOfEdge: (edge) => nodeOfEdge[edge]!,
    learned: noteSteps,
    ran(node, batch, startedUs, endedUs, window) {
      const stats = ofNode.get(node)!;
      sum.take(batch, startedUs, window);
      const seconds = (endedUs - startedUs) / 1_000_000;
      writer.add(stats.framesIn, batch.length);
      writer.add(stats.audioSeconds, sum.sampleCount / GRAPH_RATE_HZ);
      writer.observe(stats.batchSize, sum.callCount);
      writer.observe(stats.batchQueueSeconds, (startedUs - sum.oldestUs) / 1_000_000);
      writer.observe(stats.batchWaitSeconds, (startedUs - sum.firstTakenUs) / 1_000_000);
      writer.observe(stats.processSeconds, seconds);
      if (endedUs > sum.dueUs) writer.add(stats.deadlinesMissed, 1);
      writer.add(own.steps, 1);
      writer.add(own.busySeconds, seconds);
      writer.max(own.stepSeconds, seconds);
      if (window?.steps !== undefined) noteSteps(window.steps);
      return sum.callCount;
    },
    emitted: (node) => writer.add(ofNode.get(node)!.framesOut, 1),
    stale: (node) => writer.add(ofNode.get(node)!.framesStale, 1),
    duplicate: (edge) => writer.add(ofNode.get(nodeOfEdge[edge]!)!.framesDuplicate, 1),
    poison: (node) => writer.add(ofNode.get(node)!.framesPoison, 1),
    lost: (node) => writer.add(ofNode.get(node)!.framesLost, 1),
    opened: (node) => moveOpen(node, 1),
    closed: (node) => moveOpen(node, -1),
    parked(wasRung) {
      writer.add(own.parks, 1);
      if (wasRung) writer.add(own.wakes, 1);
    },
  };
}

/** Passes on what a model knows of its steps. */
function stepNotes(plan: Plan, worker: PlanWorker, writer: StatsWriter): (steps: ModelSteps) => void {
  const own = writer.handles(WORKER_SECTION, WORKER_STATS);
  const rowsMax = plan.models.find((model) => model.name === worker.model)?.batchMax ?? 1;
  let stepCount = 0;
  let overrunCount = 0;
  return (steps) => {
    writer.add(own.modelSteps, steps.observedCount - stepCount);
    writer.add(own.modelOverruns, steps.overrunCount - overrunCount);
    writer.set(own.stepErrorShare, steps.errorShare);
    stepCount = steps.observedCount;
    overrunCount = steps.overrunCount;
    const oneMs = steps.predictMs(1);
    const rowMs = rowsMax > 1 ? (steps.predictMs(rowsMax) - oneMs) / (rowsMax - 1) : oneMs;
    writer.set(own.stepRowSeconds, rowMs / 1000);
    writer.set(own.stepFixedSeconds, Math.max(0, oneMs - rowMs) / 1000);
  };
}

/** What the frames of one batch add up to. Used again for each batch. */
class BatchSum {
  callCount = 0;
  sampleCount = 0;
  oldestUs = 0;
  firstTakenUs = 0;
  /** When the first answer should be there; Infinity without a model. */
  dueUs = 0;
  #stamp = 0;

  take(batch: readonly InboxItem[], startedUs: number, window: BatchWindow | undefined): void {
    this.callCount = 0;
    this.sampleCount = 0;
    this.oldestUs = startedUs;
    this.firstTakenUs = startedUs;
    this.dueUs = Number.POSITIVE_INFINITY;
    this.#stamp++;
    for (const item of batch) {
      if (item.call.batchStamp !== this.#stamp) this.callCount++;
      item.call.batchStamp = this.#stamp;
      this.oldestUs = Math.min(this.oldestUs, item.enqueuedUs);
      this.firstTakenUs = Math.min(this.firstTakenUs, item.dequeuedUs);
      if (window !== undefined) this.dueUs = Math.min(this.dueUs, window.dueUs(item));
      if (item.kind === "audio.in") this.sampleCount += item.count;
    }
  }
}
