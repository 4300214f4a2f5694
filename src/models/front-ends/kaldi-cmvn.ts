/**
 * Kaldi's statistics for cepstral mean and variance normalisation: a matrix [2, dims + 1] whose first row is the sum of
 * each feature and the number of frames, the second the sum of squares. Binary (`\0B`, `FM ` or `DM `, rows, columns) or
 * text (`[ … ]`), with or without an archive's key in front: Kaldi's matrix/kaldi-matrix.cc.
 */
import { readFile } from "node:fs/promises";
import { SyrinxError } from "../../base/errors.js";

const VARIANCE_MIN = 1e-20;

export class Cmvn {
  readonly dims: number;
  readonly #mean: Float64Array;
  readonly #scale: Float64Array;

  /** @param stats [2, dims + 1], row-major. */
  constructor(stats: readonly number[] | Float64Array) {
    this.dims = stats.length / 2 - 1;
    const count = stats[this.dims]!;
    this.#mean = Float64Array.from({ length: this.dims }, (_, i) => stats[i]! / count);
    this.#scale = this.#mean.map((mean, i) => {
      const variance = stats[this.dims + 1 + i]! / count - mean * mean;
      return 1 / Math.sqrt(Math.max(variance, VARIANCE_MIN));
    });
  }

  /** Brings the first `rows` rows of f32[rows × dims] to mean 0 and variance 1, in place. */
  apply(features: Float32Array, rows: number): void {
    for (let row = 0, at = 0; row < rows; row += 1) {
      for (let i = 0; i < this.dims; i += 1, at += 1) {
        features[at] = (features[at]! - this.#mean[i]!) * this.#scale[i]!;
      }
    }
  }
}

/** Reads statistics of `dims` features. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readKaldiCmvn(path: string, dims: number): Promise<Cmvn> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it cannot be read" }, error);
  });
  const invalid = (reason: string) => new SyrinxError("MODEL_FILE_INVALID", { path, reason });
  const stats = parseStats(bytes);
  if (stats === undefined) throw invalid("it is no matrix as Kaldi writes it");
  if (stats.length !== 2 * (dims + 1)) {
    throw invalid(`expected statistics of ${dims} features, 2 × ${dims + 1} numbers, found ${stats.length} numbers`);
  }
  if (!stats.every(Number.isFinite) || stats[dims]! < 1) throw invalid("its statistics count no frames");
  return new Cmvn(stats);
}

/** Where an archive's key may end at the latest. */
const KEY_BYTES_MAX = 256;

function parseStats(bytes: Buffer): number[] | undefined {
  const binary = bytes.subarray(0, KEY_BYTES_MAX).indexOf("\0B", 0, "latin1");
  if (binary >= 0) return parseBinary(bytes.subarray(binary + 2));
  const text = /^[^[]{0,256}\[([^[\]]*)\]/.exec(bytes.toString("latin1"))?.[1];
  return text?.trim().split(/\s+/).map(Number);
}

/** Behind the type: byte 4, rows as int32, byte 4, columns as int32; then the values, all little-endian. */
function parseBinary(bytes: Buffer): number[] | undefined {
  const type = bytes.toString("latin1", 0, 3);
  const byteCount = { "DM ": 8, "FM ": 4 }[type];
  if (byteCount === undefined || bytes.length < 13 || bytes[3] !== 4 || bytes[8] !== 4) return undefined;
  const length = bytes.readInt32LE(4) * bytes.readInt32LE(9);
  if (bytes.readInt32LE(4) !== 2 || length < 0 || bytes.length < 13 + length * byteCount) return undefined;
  return Array.from({ length }, (_, i) => {
    const at = 13 + i * byteCount;
    return byteCount === 8 ? bytes.readDoubleLE(at) : bytes.readFloatLE(at);
  });
}
