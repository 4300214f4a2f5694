/** A worker that counts 1000 frames into a slab and then dies of a fault. */
import { workerData } from "node:worker_threads";
import { StatsWriter } from "../../src/telemetry/stats-slab.js";
import { NODE_STATS, nodeSection, workerSections } from "../../src/telemetry/worker-stats.js";

const writer = new StatsWriter(workerData as SharedArrayBuffer, workerSections(1));
const node = writer.handles(nodeSection(0), NODE_STATS);
for (let frame = 0; frame < 1000; frame += 1) {
  writer.add(node.framesIn, 1);
  writer.observe(node.batchSize, 1 + (frame % 4));
}
throw new Error("the fault of this test");
