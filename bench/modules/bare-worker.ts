/** A worker thread with nothing on it, or with one model: the floor of the `recovery` bench. */
import { parentPort, workerData } from "node:worker_threads";
import { createClock } from "../../src/base/clock.js";
import { packageRoot } from "../../src/base/package-root.js";

const { model } = workerData as { readonly model: string };
if (model !== "") {
  const { loadFamily } = await import("../../src/models/registry.js");
  const family = (await loadFamily(model))!;
  const context = { clock: createClock(), baseFolder: packageRoot(), device: "cpu", batchMax: 32, log: () => {} };
  await family.open(family.options.parse({}), context);
}
parentPort!.postMessage("ready");
