/** One model file in one ONNX Runtime session, on the thread that opened it. */
import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { assert } from "../base/assert.js";
import { SyrinxError } from "../base/errors.js";
import type { OnnxTensors } from "./batch-buffers.js";
import { type ChosenDevice, chooseDevice, executionProviders, shortReason } from "./devices.js";
import type { DeclaredTensor } from "./expect-tensors.js";
import { InferenceSession } from "./ort.js";

/** Larger files are described by size alone: hashing them would delay the start. */
export const HASHED_BYTES_MAX = 64 * 1024 * 1024;

export interface OpenOptions {
  readonly path: string;
  /** As configured: `auto`, `cpu`, `cuda:0`, … */
  readonly device: string;
  log(level: "debug" | "info" | "warn", message: string, fields?: Record<string, unknown>): void;
}

/**
 * Loads a model file. Blocks this thread while ONNX Runtime optimises the graph.
 * Throws DEVICE_UNAVAILABLE, MODEL_FILE_MISSING, MODEL_FILE_INVALID.
 */
export async function openOnnxModel({ path, device, log }: OpenOptions): Promise<OnnxModel> {
  const chosen = chooseDevice(device);
  const byteCount = await modelBytes(path);
  const startMs = performance.now();
  const session = await createSession(path, chosen, device);
  const model = new OnnxModel(session, path, chosen, await describe(path, byteCount));
  const fields = { path, device: model.device, why: chosen.reason, loadMs: Math.round(performance.now() - startMs) };
  log("info", "model loaded", fields);
  return model;
}

export class OnnxModel {
  readonly path: string;
  /** Where it runs: `cpu`, `cuda`, … */
  readonly device: string;
  readonly deviceReason: string;
  /** File name, size, beginning of its sha256. */
  readonly description: string;
  readonly inputs: readonly DeclaredTensor[];
  readonly outputs: readonly DeclaredTensor[];
  readonly #session: InferenceSession;
  #isRunning = false;
  #isReleased = false;

  constructor(session: InferenceSession, path: string, device: ChosenDevice, description: string) {
    this.#session = session;
    this.path = path;
    this.device = device.kind;
    this.deviceReason = device.reason;
    this.description = description;
    this.inputs = session.inputMetadata.map(declared);
    this.outputs = session.outputMetadata.map(declared);
  }

  /**
   * Runs the model; the thread is blocked while it computes. One run at a time.
   * @param fetches preallocated outputs, written in place, or the names of those that are wanted; without them ONNX
   * Runtime allocates all.
   */
  async run(feeds: OnnxTensors, fetches?: OnnxTensors | readonly string[]): Promise<OnnxTensors> {
    assert(!this.#isReleased, "a released model does not run");
    assert(!this.#isRunning, "one run of a model at a time");
    this.#isRunning = true;
    try {
      const outputs = fetches === undefined ? this.#session.run(feeds) : this.#session.run(feeds, fetches);
      return (await outputs) as OnnxTensors;
    } finally {
      this.#isRunning = false;
    }
  }

  /** Frees the native memory. A second call does nothing. */
  async release(): Promise<void> {
    assert(!this.#isRunning, "a model is released between runs");
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.#session.release();
  }
}

function declared(value: InferenceSession.ValueMetadata): DeclaredTensor {
  if (value.isTensor) return { name: value.name, type: value.type, dims: value.shape };
  return { name: value.name, type: "no tensor", dims: [] };
}

function sessionOptions(device: ChosenDevice): InferenceSession.SessionOptions {
  return {
    executionProviders: executionProviders(device),
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  };
}

async function createSession(path: string, chosen: ChosenDevice, device: string): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(path, sessionOptions(chosen));
  } catch (error) {
    // A failure is the device's if the CPU can load the same file.
    if (chosen.kind !== "cpu" && (await loadsOnCpu(path))) {
      throw new SyrinxError("DEVICE_UNAVAILABLE", { device, reason: shortReason(error) }, error);
    }
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: shortReason(error) }, error);
  }
}

async function loadsOnCpu(path: string): Promise<boolean> {
  try {
    const session = await InferenceSession.create(path, sessionOptions({ kind: "cpu", index: 0, reason: "" }));
    await session.release();
    return true;
  } catch {
    return false;
  }
}

/** The size, after what can be said about a file without ONNX Runtime, whose messages would not help. */
async function modelBytes(path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  });
  const invalid = (reason: string) => new SyrinxError("MODEL_FILE_INVALID", { path, reason });
  if (!found.isFile()) throw invalid("it is not a file");
  if (found.size === 0) throw invalid("it is empty");
  if ((await firstBytes(path, 20)).startsWith("version https://git-")) {
    throw invalid("it is a pointer of Git LFS, not the file itself");
  }
  return found.size;
}

async function firstBytes(path: string, byteCount: number): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(byteCount), 0, byteCount, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function describe(path: string, byteCount: number): Promise<string> {
  const size = `${basename(path)}, ${(byteCount / 1e6).toFixed(2)} MB`;
  if (byteCount > HASHED_BYTES_MAX) return size;
  const digest = createHash("sha256").update(await readFile(path));
  return `${size}, sha256 ${digest.digest("hex").slice(0, 12)}`;
}
