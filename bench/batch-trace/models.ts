/** The models that the batching bench runs. */
import { createClock } from "../../src/base/clock.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { SttModel, VadModel } from "../../src/models/family.js";
import { starterCtcFamily } from "../../src/models/starter-ctc/index.js";
import { starterVadFamily } from "../../src/models/starter-vad.js";

export const BATCHED_TASKS = ["vad", "stt"] as const;
export type BatchedTask = (typeof BATCHED_TASKS)[number];

const context = (batchMax: number) => ({
  clock: createClock(),
  baseFolder: packageRoot(),
  device: "cpu",
  batchMax,
  log: () => {},
});

export function openVad(batchMax: number): Promise<VadModel> {
  return starterVadFamily.open(starterVadFamily.options.parse({}), context(batchMax));
}

export function openStt(batchMax: number): Promise<SttModel> {
  return starterCtcFamily.open(starterCtcFamily.options.parse({}), context(batchMax));
}
