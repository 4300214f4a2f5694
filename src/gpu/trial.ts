/**
 * Whether a device gives the answers that the CPU gives, and how long it takes. A provider may compute wrong numbers
 * without an error (see `executionProviders`), and a user would hear of it from callers; so a model on anything but the
 * CPU is tried against it before it is used.
 */
import { seeded } from "../base/prng.js";
import type { OnnxTensors } from "./batch-buffers.js";
import { type InferenceSession, Tensor } from "./ort.js";

/** How to feed a model for a trial. */
export interface TrialShape {
  /** Dimensions of each input that is fed with noise; `null` is the number that the file declares. */
  readonly dims: Readonly<Record<string, readonly (number | null)[]>>;
  /** Inputs that are no noise: sample rates, lengths, tokens. */
  readonly values?: OnnxTensors;
}

/** The same for a family whose files differ: by the names of the file's inputs. */
export type TrialShapeOf = TrialShape | ((inputs: ReadonlySet<string>) => TrialShape);

export interface Trial {
  /** The greatest difference of any output, as a share of that output's largest number. */
  readonly difference: number;
  /** The output it was found in. */
  readonly output: string;
  readonly cpuMs: number;
  readonly deviceMs: number;
}

/**
 * Products on tensor cores (TF32, fp16) keep 10 bits, so a network's numbers differ by some thousandths of the largest.
 * The wrong answers that have been seen were off by 0.014 and more in some output.
 */
export const TRIAL_DIFFERENCE_MAX = 0.01;
/** An output whose numbers are all smaller is compared as if this were its largest. */
const SMALLEST_SCALE = 1e-3;
const NOISE_PEAK = 0.1;
const TIMED_RUNS = 5;

/** Seeded noise for every input; undefined if an input's shape or type is not known well enough. */
export function trialFeeds(inputs: InferenceSession["inputMetadata"], shapeOf: TrialShapeOf): OnnxTensors | undefined {
  const shape = typeof shapeOf === "function" ? shapeOf(new Set(inputs.map(({ name }) => name))) : shapeOf;
  const feeds: OnnxTensors = {};
  const prng = seeded(1);
  for (const input of inputs) {
    const given = shape.values?.[input.name];
    if (given !== undefined) {
      if (!input.isTensor || input.type !== given.type) return undefined;
      feeds[input.name] = given;
      continue;
    }
    if (!input.isTensor || input.type !== "float32") return undefined;
    const dims = (shape.dims[input.name] ?? input.shape).map((dim, axis) => dim ?? input.shape[axis]);
    if (!dims.every((dim) => typeof dim === "number")) return undefined;
    const noise = new Float32Array(dims.reduce((total, dim) => total * dim, 1));
    for (let i = 0; i < noise.length; i += 1) noise[i] = NOISE_PEAK * (2 * prng.next() - 1);
    feeds[input.name] = new Tensor("float32", noise, dims);
  }
  return feeds;
}

/** Runs both sessions on the same noise. Blocks this thread for some runs of each. */
export async function runTrial(cpu: InferenceSession, device: InferenceSession, feeds: OnnxTensors): Promise<Trial> {
  const expected = await cpu.run(feeds);
  const found = await device.run(feeds);
  const worst = Object.keys(expected)
    .map((output) => ({ output, difference: differenceOf(expected[output]!, found[output]!) }))
    .reduce((a, b) => (b.difference > a.difference ? b : a));
  return { ...worst, cpuMs: await fastestMs(cpu, feeds), deviceMs: await fastestMs(device, feeds) };
}

/** A share of the largest expected number; infinite where something is not a number. 0 for what is not f32. */
function differenceOf(expected: Tensor, found: Tensor): number {
  const [a, b] = [expected.data, found.data];
  if (!(a instanceof Float32Array && b instanceof Float32Array)) return 0;
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = SMALLEST_SCALE;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) {
    largest = Math.max(largest, Math.abs(a[i]!));
    const off = Math.abs(a[i]! - b[i]!);
    // Not a number fails every comparison.
    if (!(off <= difference)) difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
  }
  return difference / largest;
}

async function fastestMs(session: InferenceSession, feeds: OnnxTensors): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < TIMED_RUNS; run += 1) {
    const start = performance.now();
    await session.run(feeds);
    fastest = Math.min(fastest, performance.now() - start);
  }
  return fastest;
}
