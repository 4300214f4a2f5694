/**
 * What `syrinx plan` found out: how many calls of each graph this machine serves within a promise. One small JSON file, in
 * the cache under a key of all that the figure depends on, or wherever the configuration says.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { cacheFolder } from "../../base/cache-folder.js";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { packageVersion } from "../../base/package-root.js";
import { sloSchema } from "../../config/admission-schema.js";
import type { Plan } from "../../config/plan.js";

const VERSION = 1;

const quantiles = z.strictObject({
  count: z.int().min(0),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
});
export type Quantiles = z.infer<typeof quantiles>;

/** How one number of calls went. */
const rung = z.strictObject({
  calls: z.int().min(1),
  seconds: z.number().min(0),
  verdict: z.enum(["kept", "broken", "void"]),
  /** Share of answers that came too late, and the interval in which the true share lies nine times out of ten. */
  lateShare: z.number(),
  lateShareRange: z.tuple([z.number(), z.number()]),
  final: quantiles.optional(),
  ttfa: quantiles.optional(),
  lag: quantiles.optional(),
  /** How late the generator itself was. */
  generatorLateP99Ms: z.number(),
  faults: z.int().min(0),
});
export type Rung = z.infer<typeof rung>;

const graph = z.strictObject({
  /** What the server admits: the most calls that kept the promise, times the safety factor. */
  capacity: z.int().min(0),
  /** The most calls that kept the promise, and the fewest that did not; absent if all that were tried kept it. */
  keptCalls: z.int().min(0),
  brokenCalls: z.int().min(1).optional(),
  /** What ended the search. */
  limitedBy: z.enum(["promise", "generator", "time", "slots"]),
  rungs: z.array(rung).max(64),
});
export type GraphCapacity = z.infer<typeof graph>;

const capacityFile = z.strictObject({
  version: z.literal(VERSION),
  /** Of {@link capacityKey}: whether this file is about this machine and these models. */
  key: z.string(),
  /** The same for people. */
  about: z.string(),
  safetyFactor: z.number(),
  slo: sloSchema,
  graphs: z.record(z.string(), graph),
});
export type CapacityFile = z.infer<typeof capacityFile>;

/** The machine and the versions, for people. */
export function machineOf(): string {
  const model = cpus()[0]?.model.trim() || process.arch;
  const node = process.versions.node.split(".")[0]!;
  return `${model}, ${availableParallelism()} cores, ${process.platform}, Syrinx ${packageVersion()}, Node ${node}`;
}

/** Digest of all that a capacity depends on: models, graphs and workers, the machine, versions. Not the network side. */
export function capacityKey({ models, nodes, edges, workers }: Plan): string {
  const text = JSON.stringify([machineOf(), models, nodes, edges, workers]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Where the plan for this configuration and machine lies if nothing else is said. */
export function capacityPath(plan: Plan, folder: string = cacheFolder()): string {
  return join(folder, "capacity", `${capacityKey(plan)}.json`);
}

/**
 * The file that the configuration names, or that the cache has, if any. Blocks for one small file. Throws
 * CAPACITY_FILE_INVALID if one is there, or should be, and cannot be read.
 */
export function readCapacity(plan: Plan, folder?: string): CapacityFile | undefined {
  const named = plan.server.admission?.file;
  const path = named ?? capacityPath(plan, folder);
  if (named === undefined && !existsSync(path)) return undefined;
  try {
    return capacityFile.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    const reason = reasonOf(error).replaceAll(/\s+/g, " ").slice(0, 200);
    throw new SyrinxError("CAPACITY_FILE_INVALID", { path, reason }, error);
  }
}

/** Writes the file, all at once or not at all. Blocks. Throws what the file system throws. */
export function writeCapacity(path: string, file: Omit<CapacityFile, "version">): void {
  const temporary = `${path}.${process.pid}.tmp`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(temporary, `${JSON.stringify({ version: VERSION, ...file }, null, 2)}\n`);
  renameSync(temporary, path);
}
