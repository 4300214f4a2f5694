/** Opening families and finding recordings, for the tests of models. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createClock } from "../../src/base/clock.js";
import { packageRoot } from "../../src/base/package-root.js";
import { seeded } from "../../src/base/prng.js";
import type { FamilyContext, FamilyDefinition, ModelOf, ModelTask } from "../../src/models/family.js";

export const BATCH_MAX = 8;

export function familyContext(batchMax = BATCH_MAX): FamilyContext {
  return { clock: createClock(), baseFolder: packageRoot(), device: "cpu", batchMax, log: () => {} };
}

/** Opens a model as the runtime does: options go through the family's schema. */
export function openFamily<Task extends ModelTask, Options>(
  family: FamilyDefinition<Task, Options>,
  options: Record<string, unknown> = {},
  context = familyContext(),
): Promise<ModelOf<Task>> {
  return family.open(family.options.parse(options), context);
}

/** A file of the folder that developers may keep beside the package; undefined if it is not there. */
export function sharedFile(...parts: string[]): string | undefined {
  const path = join(packageRoot(), "..", "shared", ...parts);
  return existsSync(path) ? path : undefined;
}

/** Samples of a 16-bit PCM mono WAV file. */
export function readWav(path: string): Int16Array {
  const bytes = readFileSync(path);
  const data = bytes.indexOf("data", 12, "latin1");
  const start = data + 8;
  const byteCount = Math.min(bytes.readUInt32LE(data + 4), bytes.length - start) & ~1;
  return new Int16Array(new Uint8Array(bytes.subarray(start, start + byteCount)).buffer);
}

export function toFloats(pcm: Int16Array): Float32Array {
  return Float32Array.from(pcm, (sample) => sample / 32768);
}

/** Buzzing syllables of random pitch and length with pauses: not speech, but it moves every part of a network. */
export function babble(seed: number, sampleCount: number, peak = 12_000): Int16Array {
  const prng = seeded(seed);
  const pcm = new Int16Array(sampleCount);
  for (let at = prng.integer(0, 2000); at < sampleCount; ) {
    const length = prng.integer(1500, 5000);
    const period = prng.integer(60, 160);
    const colour = prng.integer(2, 12);
    for (let i = 0; i < length && at + i < sampleCount; i += 1) {
      const envelope = Math.sin((Math.PI * i) / length);
      const buzz = Math.exp((-(i % period) * colour) / period) * Math.cos((i % period) / colour);
      pcm[at + i] = Math.round(peak * envelope * (0.9 * buzz + 0.1 * (2 * prng.next() - 1)));
    }
    at += length + prng.integer(0, 4000);
  }
  return pcm;
}
