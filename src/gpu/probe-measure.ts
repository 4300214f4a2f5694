/** What one kind of device can do on this machine, found by running small models on it. */
import { join } from "node:path";
import { CPU, type Device, type DeviceKind, executionProviders } from "./devices.js";
import { float16Bits, float16Tensor } from "./float16.js";
import { InferenceSession, Tensor } from "./ort.js";
import { createSession } from "./session.js";
import { DEFAULT_SESSION } from "./session-settings.js";
import { int8Product, productChain } from "./tiny-models.js";
import { runTrial, trialFeeds } from "./trial.js";

export interface ProbeResult {
  readonly works: boolean;
  /** What is missing, if it does not work. */
  readonly reason?: string;
  /** Measured matrix products in f32, copies to the device and back not counted; on one thread of a CPU. */
  readonly gigaflops?: number;
  /** The same in fp16; undefined if the device does not compute it. */
  readonly gigaflopsFp16?: number;
  /** True if the device's own provider computes the product that dynamic int8 quantisation makes. */
  readonly int8?: boolean;
  readonly step?: ProbeStep;
}

/** One step of the starter detector (models/starter/vad.onnx), copies included. */
export interface ProbeStep {
  readonly rows: number;
  readonly ms: number;
  /** Of its answers, from the CPU's: a share of an output's largest number. */
  readonly difference: number;
}

const STEP_ROWS = 32;
const WINDOW_SAMPLES = 320;
const SIZE_FIRST = 256;
const SIZE_MAX = 4096;
/** A measurement this long is no longer ruled by the start of a kernel. */
const LONG_ENOUGH_MS = 20;
const SHORT_CHAIN = 2;
const LONG_CHAIN = 10;
const RUNS = 4;

/** Runs on this thread, for up to some seconds on a software driver. Throws what ONNX Runtime throws. */
export async function probeHere(kind: DeviceKind, packageFolder: string): Promise<ProbeResult> {
  const gigaflops = await measureProducts(kind, "float32");
  const gigaflopsFp16 = await measureProducts(kind, "float16").catch(() => undefined);
  const int8 = await computesInt8(kind);
  const step = await measureStep({ kind, index: 0 }, join(packageFolder, "models", "starter", "vad.onnx"));
  return { works: true, gigaflops, ...(gigaflopsFp16 && { gigaflopsFp16 }), int8, step };
}

/** Larger and larger matrices until the time can be measured. */
async function measureProducts(kind: DeviceKind, type: "float32" | "float16"): Promise<number> {
  const short = await openTiny(kind, productChain(type, SHORT_CHAIN));
  const long = await openTiny(kind, productChain(type, LONG_CHAIN));
  try {
    for (let size = SIZE_FIRST; ; size *= 2) {
      const feeds = productFeeds(type, size);
      const ms = (await productMs(long, feeds)) - (await productMs(short, feeds));
      if (ms >= LONG_ENOUGH_MS || size === SIZE_MAX) {
        return ((LONG_CHAIN - SHORT_CHAIN) * 2 * size ** 3) / (Math.max(ms, Number.EPSILON) * 1e6);
      }
    }
  } finally {
    await short.release();
    await long.release();
  }
}

/** All ones times 1/size: every product is all ones again, exactly, so the answer is known. */
function productFeeds(type: "float32" | "float16", size: number): Record<string, Tensor> {
  const dims = [size, size];
  const matrix = (value: number): Tensor =>
    type === "float32"
      ? new Tensor("float32", new Float32Array(size * size).fill(value), dims)
      : float16Tensor(new Uint16Array(size * size).fill(halfPowerOfTwo(value)), dims);
  return { x: matrix(1), w: matrix(1 / size) };
}

/** IEEE 754 binary16 of a power of two from 2⁻¹⁴ to 1: the exponent, biased by 15, above 10 bits of zeros. */
function halfPowerOfTwo(value: number): number {
  return (15 + Math.log2(value)) << 10;
}

async function productMs(session: InferenceSession, feeds: Record<string, Tensor>): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const start = performance.now();
    const { y } = await session.run(feeds);
    if (run > 0) fastest = Math.min(fastest, performance.now() - start);
    const [found, one] = [firstOf(y!), firstOf(feeds.x!)];
    if (found !== one) throw new Error(`a matrix product gave ${String(found)}, not ${String(one)}`);
  }
  return fastest;
}

/** The first number; of fp16, its bits. */
function firstOf(tensor: Tensor): unknown {
  return tensor.type === "float16" ? float16Bits(tensor)[0] : tensor.data[0];
}

async function computesInt8(kind: DeviceKind): Promise<boolean> {
  try {
    const session = await openTiny(kind, int8Product(), kind !== "cpu");
    const feeds = {
      x: new Tensor("float32", Float32Array.of(1, 0, 0, 1), [2, 2]),
      w: new Tensor("int8", Int8Array.of(1, 2, 3, 4), [2, 2]),
    };
    const { y } = await session.run(feeds);
    await session.release();
    // The unit matrix is quantised to 255 steps from 0 to 1.
    return [255, 510, 765, 1020].every((wanted, i) => y?.data[i] === wanted);
  } catch {
    return false;
  }
}

async function measureStep(device: Device, path: string): Promise<ProbeStep> {
  const session = await createSession(path, device, DEFAULT_SESSION);
  const cpu = await createSession(path, CPU, DEFAULT_SESSION);
  try {
    const feeds = trialFeeds(session.inputMetadata, {
      dims: { pcm: [STEP_ROWS, WINDOW_SAMPLES], state: [STEP_ROWS, null] },
    });
    if (feeds === undefined) throw new Error(`${path} has other inputs than it was made with`);
    const { deviceMs, difference } = await runTrial(cpu, session, feeds);
    return { rows: STEP_ROWS, ms: deviceMs, difference };
  } finally {
    await cpu.release();
    await session.release();
  }
}

/** @param alone refuse to leave any node to the CPU */
function openTiny(kind: DeviceKind, model: Buffer, alone = false): Promise<InferenceSession> {
  return InferenceSession.create(model, {
    executionProviders: executionProviders({ kind, index: 0 }),
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(alone && { extra: { session: { disable_cpu_ep_fallback: "1" } } }),
  });
}
