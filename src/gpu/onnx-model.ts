/** One model file in one ONNX Runtime session, on the thread that opened it. */
import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { assert } from "../base/assert.js";
import { SyrinxError } from "../base/errors.js";
import type { OnnxTensors } from "./batch-buffers.js";
import { deviceName, parseDevice } from "./devices.js";
import type { DeclaredTensor } from "./expect-tensors.js";
import type { InferenceSession } from "./ort.js";
import { type Placement, place } from "./placement.js";
import { DEFAULT_SESSION, type SessionSettings } from "./session-settings.js";
import type { TrialShapeOf } from "./trial.js";

/** Larger files are described by size alone: hashing them would delay the start. */
export const HASHED_BYTES_MAX = 64 * 1024 * 1024;

export interface OpenOptions {
  readonly path: string;
  /** As configured: `auto`, `cpu`, `cuda:0`, … */
  readonly device: string;
  readonly session?: SessionSettings | undefined;
  /** How to try the model on an accelerator before it is used there. */
  readonly trial?: TrialShapeOf;
  log(level: "debug" | "info" | "warn", message: string, fields?: Record<string, unknown>): void;
}

/**
 * Loads a model file where it belongs (see `place`). Blocks this thread while ONNX Runtime optimises the graph and while
 * the model is tried.
 * Throws DEVICE_UNAVAILABLE, DEVICE_PRECISION, DEVICE_WRONG_ANSWERS, MODEL_FILE_MISSING, MODEL_FILE_INVALID.
 */
export async function openOnnxModel({ path, device, session, trial, log }: OpenOptions): Promise<OnnxModel> {
  if (device !== "auto") parseDevice(device);
  const byteCount = await modelBytes(path);
  const startMs = performance.now();
  const placed = await place({ path, device, settings: session ?? DEFAULT_SESSION, ...(trial && { trial }) });
  const model = new OnnxModel(placed, path, await describe(path, byteCount));
  const loadMs = Math.round(performance.now() - startMs);
  log("info", "model loaded", { path, device: model.device, why: model.deviceReason, loadMs });
  return model;
}

export class OnnxModel {
  readonly path: string;
  /** Where it runs: `cpu`, `cuda:0`, … */
  readonly device: string;
  readonly deviceReason: string;
  /** File name, size, beginning of its sha256. */
  readonly description: string;
  readonly inputs: readonly DeclaredTensor[];
  readonly outputs: readonly DeclaredTensor[];
  readonly #session: InferenceSession;
  #isRunning = false;
  #isReleased = false;

  constructor({ session, device, reason }: Placement, path: string, description: string) {
    this.#session = session;
    this.path = path;
    this.device = deviceName(device);
    this.deviceReason = reason;
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
