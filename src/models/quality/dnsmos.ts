/**
 * DNSMOS P.835: how people would rate a recording of speech, from 1 to 5, for its speech, its background and overall. No
 * family: nothing in a graph needs it. It is a measuring tool, for tests and for checking a model's output.
 *
 * The file is `sig_bak_ovr.onnx` of github.com/microsoft/DNS-Challenge (DNSMOS/DNSMOS): input f32 [batch, 144160], 9.01 s
 * at 16 kHz, output f32 [batch, 3]. Windows, polynomials and the repeating of short recordings are those of its
 * dnsmos_local.py.
 */
import { assert } from "../../base/assert.js";
import { GRAPH_RATE_HZ } from "../../base/units.js";
import { BatchBuffers } from "../../gpu/batch-buffers.js";
import { expectTensors } from "../../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../../gpu/onnx-model.js";
import type { FamilyContext } from "../family.js";

export const DNSMOS_WINDOW_SAMPLES = 144_160;
const HOP_SAMPLES = GRAPH_RATE_HZ;
const INPUT = "input_1";

/** Mean ratings, about 1 (bad) to 5 (excellent). */
export interface QualityScores {
  /** How little the speech itself is damaged. */
  readonly signal: number;
  /** How little the background disturbs. */
  readonly background: number;
  readonly overall: number;
}

type Polynomial = readonly [square: number, linear: number, constant: number];

/** From the network's scale to that of the listeners, in the order of its outputs. */
const SIGNAL: Polynomial = [-0.08397278, 1.22083953, 0.0052439];
const BACKGROUND: Polynomial = [-0.13166888, 1.60915514, -0.39604546];
const OVERALL: Polynomial = [-0.06766283, 1.11546468, 0.04602535];

/**
 * Loads the scorer. Throws DEVICE_UNAVAILABLE, MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH.
 * @param path the file, absolute or relative to the process's folder
 */
export async function openDnsmos(
  path: string,
  context: Pick<FamilyContext, "device" | "session" | "log">,
): Promise<Dnsmos> {
  const { device, session, log } = context;
  const trial = { dims: { [INPUT]: [1, DNSMOS_WINDOW_SAMPLES] } };
  const model = await openOnnxModel({ path, device, session, trial, log });
  // The output's name has a colon in the published file, and none in conversions of it.
  const output = model.outputs[0]?.name ?? "Identity:0";
  expectTensors(model, "dnsmos", {
    inputs: [{ name: INPUT, type: "float32", dims: [null, DNSMOS_WINDOW_SAMPLES] }],
    outputs: [{ name: output, type: "float32", dims: [null, 3] }],
  });
  return new Dnsmos(model, output);
}

export class Dnsmos {
  readonly #model: OnnxModel;
  readonly #output: string;
  readonly #feeds = new BatchBuffers(1, [{ name: INPUT, rowDims: [DNSMOS_WINDOW_SAMPLES] }]);
  readonly #fetches: BatchBuffers;

  constructor(model: OnnxModel, output: string) {
    this.#model = model;
    this.#output = output;
    this.#fetches = new BatchBuffers(1, [{ name: output, rowDims: [3] }]);
  }

  /**
   * Rates a recording: the mean over windows of 9.01 s, one for each second that begins one. A shorter recording is
   * repeated. Blocks this thread for about a second of a core for each window.
   * @param pcm at least one sample at 16 kHz in [-1, 1]
   */
  async score(pcm: Float32Array): Promise<QualityScores> {
    assert(pcm.length > 0, "a recording that is rated has samples");
    const whole = repeated(pcm);
    const starts = windowStarts(whole.length);
    const sums = [0, 0, 0];
    for (const start of starts) {
      this.#feeds.memory(INPUT).set(whole.subarray(start, start + DNSMOS_WINDOW_SAMPLES));
      await this.#model.run(this.#feeds.tensors(1), this.#fetches.tensors(1));
      const raw = this.#fetches.memory(this.#output);
      for (const [i, polynomial] of [SIGNAL, BACKGROUND, OVERALL].entries()) {
        sums[i] = sums[i]! + valueAt(polynomial, raw[i]!) / starts.length;
      }
    }
    return { signal: sums[0]!, background: sums[1]!, overall: sums[2]! };
  }

  release(): Promise<void> {
    return this.#model.release();
  }
}

/** Doubled until it fills a window. */
function repeated(pcm: Float32Array): Float32Array {
  let whole = pcm;
  while (whole.length < DNSMOS_WINDOW_SAMPLES) {
    const twice = new Float32Array(2 * whole.length);
    twice.set(whole);
    twice.set(whole, whole.length);
    whole = twice;
  }
  return whole;
}

/** Whole seconds at which a whole window begins; of a recording's length, its reference counts whole seconds. */
function windowStarts(sampleCount: number): number[] {
  const count = Math.max(
    1,
    Math.floor(Math.floor(sampleCount / HOP_SAMPLES) - DNSMOS_WINDOW_SAMPLES / HOP_SAMPLES) + 1,
  );
  return Array.from({ length: count }, (_, i) => i * HOP_SAMPLES);
}

function valueAt([square, linear, constant]: Polynomial, x: number): number {
  return (square * x + linear) * x + constant;
}
