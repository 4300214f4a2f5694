/** Where models can run here: what the configuration's `device` means, and what `syrinx devices` reports. */
import { availableParallelism, cpus } from "node:os";
import { reasonOf, SyrinxError } from "../base/errors.js";
import { env, InferenceSession, listSupportedBackends, Tensor } from "./ort.js";

export const DEVICE_KINDS = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type DeviceKind = (typeof DEVICE_KINDS)[number];

/** A device as configured, understood. */
export interface ChosenDevice {
  readonly kind: DeviceKind;
  /** Among several of its kind: `cuda:1` has 1. */
  readonly index: number;
  /** Why this one, for the log. */
  readonly reason: string;
}

export interface DeviceReport {
  /** As it is written in the configuration. */
  readonly name: DeviceKind;
  /** ONNX Runtime's execution provider. */
  readonly provider: string;
  readonly available: boolean;
  /** What was found if available, what is missing if not. */
  readonly reason: string;
  readonly runtimeVersion: string;
  /** f32 matrix products as measured, on one thread of a CPU; undefined if not available. */
  readonly gigaflops?: number;
}

const PROVIDERS: Readonly<Record<DeviceKind, string>> = {
  cpu: "CPUExecutionProvider",
  cuda: "CUDAExecutionProvider",
  webgpu: "WebGpuExecutionProvider",
  coreml: "CoreMLExecutionProvider",
  dml: "DmlExecutionProvider",
};

/**
 * Reads a configuration's device. `auto` is the CPU: the small models gain nothing from a copy to an accelerator and
 * back, and a provider that is present may still fail; asking for it by name is what tries it.
 * Throws DEVICE_UNAVAILABLE for an unknown name and for a provider that this build of ONNX Runtime does not have.
 */
export function chooseDevice(device: string): ChosenDevice {
  if (device === "auto") return { kind: "cpu", index: 0, reason: "auto means cpu; name another device to use it" };
  const parts = /^(\w+?)(?::(\d+))?$/.exec(device);
  const kind = DEVICE_KINDS.find((known) => known === parts?.[1]);
  if (kind === undefined || (parts?.[2] !== undefined && kind !== "cuda")) {
    const reason = `no such device; known are auto, ${DEVICE_KINDS.join(", ")} and cuda:<number>`;
    throw new SyrinxError("DEVICE_UNAVAILABLE", { device, reason });
  }
  if (!listSupportedBackends().some(({ name }) => name === kind)) {
    throw new SyrinxError("DEVICE_UNAVAILABLE", { device, reason: notBuiltIn(kind) });
  }
  return { kind, index: Number(parts?.[2] ?? 0), reason: "as configured" };
}

/** What ONNX Runtime wants to hear for a device. */
export function executionProviders({ kind, index }: ChosenDevice): InferenceSession.ExecutionProviderConfig[] {
  return [kind === "cuda" ? { name: "cuda", deviceId: index } : kind];
}

/** Tries every kind of device with a small matrix product. Takes up to some seconds where there is an accelerator. */
export async function listDevices(kinds: readonly DeviceKind[] = DEVICE_KINDS): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const name of kinds) reports.push(await report(name));
  return reports;
}

async function report(name: DeviceKind): Promise<DeviceReport> {
  const about = { name, provider: PROVIDERS[name], runtimeVersion: env.versions.node ?? env.versions.common };
  if (!listSupportedBackends().some((backend) => backend.name === name)) {
    return { ...about, available: false, reason: notBuiltIn(name) };
  }
  try {
    const gigaflops = await measureProduct(name);
    return { ...about, available: true, reason: name === "cpu" ? cpuDescription() : "ran a matrix product", gigaflops };
  } catch (error) {
    return { ...about, available: false, reason: shortReason(error) };
  }
}

function notBuiltIn(kind: DeviceKind): string {
  return `onnxruntime-node for ${process.platform} ${process.arch} has no ${PROVIDERS[kind]}`;
}

function cpuDescription(): string {
  return `${cpus()[0]?.model.trim() || process.arch}, ${availableParallelism()} cores`;
}

/** ONNX Runtime's messages carry source positions and stack traces; the first line's end says what is wrong. */
export function shortReason(error: unknown): string {
  const line = reasonOf(error).split("\n")[0]!.trim();
  return line.length > 300 ? `…${line.slice(-299)}` : line;
}

/** c = a · b for any f32 matrices: a whole model file in 105 bytes. */
const PRODUCT_MODEL =
  "CAg6XwoRCgFhCgFiEgFjIgZNYXRNdWwSBXByb2JlWhUKAWESEAoOCAESCgoDEgFtCgMSAWtaFQoBYhIQCg4IARIKCgMSAWsKAxIBbmIVCgFjEhAK" +
  "DggBEgoKAxIBbQoDEgFuQgQKABAN";
const PRODUCT_SIZE = 384;
const PRODUCT_RUNS = 5;

async function measureProduct(kind: DeviceKind): Promise<number> {
  const session = await InferenceSession.create(Buffer.from(PRODUCT_MODEL, "base64"), {
    executionProviders: executionProviders({ kind, index: 0, reason: "" }),
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const dims = [PRODUCT_SIZE, PRODUCT_SIZE];
    const ones = () => new Tensor("float32", new Float32Array(PRODUCT_SIZE ** 2).fill(1), dims);
    const feeds = { a: ones(), b: ones() };
    const product = (await session.run(feeds)).c?.data[0];
    if (product !== PRODUCT_SIZE) throw new Error(`a matrix product gave ${String(product)}, not ${PRODUCT_SIZE}`);
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < PRODUCT_RUNS; run += 1) {
      const start = performance.now();
      await session.run(feeds);
      fastestMs = Math.min(fastestMs, performance.now() - start);
    }
    return (2 * PRODUCT_SIZE ** 3) / (fastestMs * 1e6);
  } finally {
    await session.release();
  }
}
