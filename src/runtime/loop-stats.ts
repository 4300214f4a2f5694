/** The loop's observer over shared-memory counters: a few plain stores per batch, on the worker's thread. */

import { GRAPH_RATE_HZ } from "../base/units.js";
import type { Plan, PlanWorker } from "../config/plan.js";
// Not by `telemetry/index.js`: that would load the metrics registry into every worker.
import { createStatsBuffer, type StatsHandles, StatsWriter } from "../telemetry/stats-slab.js";
import { NODE_STATS, nodeSection, WORKER_SECTION, WORKER_STATS, workerSections } from "../telemetry/worker-stats.js";
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
  let batchStamp = 0;
  const nodeOfEdge = Int32Array.from(plan.edges, (edge) => edge.to);
  return {
    nodeOfEdge: (edge) => nodeOfEdge[edge]!,
    ran(node, batch, startedUs, endedUs) {
      const stats = ofNode.get(node)!;
      let oldestUs = startedUs;
      let sampleCount = 0;
      let callCount = 0;
      batchStamp++;
      for (const item of batch as readonly InboxItem[]) {
        if (item.call.batchStamp !== batchStamp) callCount++;
        item.call.batchStamp = batchStamp;
        if (item.enqueuedUs < oldestUs) oldestUs = item.enqueuedUs;
        if (item.kind === "audio.in") sampleCount += item.count;
      }
      const seconds = (endedUs - startedUs) / 1_000_000;
      writer.add(stats.framesIn, batch.length);
      writer.add(stats.audioSeconds, sampleCount / GRAPH_RATE_HZ);
      writer.observe(stats.batchSize, callCount);
      writer.observe(stats.batchQueueSeconds, (startedUs - oldestUs) / 1_000_000);
      writer.observe(stats.processSeconds, seconds);
      writer.add(own.steps, 1);
      writer.add(own.busySeconds, seconds);
      writer.max(own.stepSeconds, seconds);
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
