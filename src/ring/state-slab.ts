/**
 * Small recurrent state (some kilobytes per call) in shared memory, one row per call slot, so that it outlives the
 * worker that computes with it: the successor resumes warm.
 *
 * A row belongs to one worker at a time, the one that the call is pinned to; all accesses are plain. The worker copies
 * a batch's new state into the rows just before it acknowledges the batch. A successor is created after the worker's
 * thread has ended, and so sees all its stores. State and acknowledgement are two stores, not one: a thread that dies
 * exactly in between has the batch given again on top of the newer state.
 */
import { assert } from "../base/assert.js";

/** Rows start on cache lines, so that two workers with neighbouring calls do not share one. */
export const SLAB_ROW_ALIGNMENT_BYTES = 64;

/** Views of one row, each over the same `rowBytes` bytes (rounded down to whole elements). */
export interface SlabRow {
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

/** Zero-filled. Memory is only touched, hence only resident, for rows that are used. */
export function createSlabBuffer(rowCount: number, rowBytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(rowCount * strideBytes(rowBytes));
}

export class StateSlab {
  readonly rowCount: number;
  readonly rowBytes: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #rows: (SlabRow | undefined)[];

  /** @param rowBytes as given to {@link createSlabBuffer} */
  constructor(buffer: SharedArrayBuffer, rowBytes: number) {
    const stride = strideBytes(rowBytes);
    assert(buffer.byteLength % stride === 0, "a slab's buffer holds whole rows");
    this.#buffer = buffer;
    this.rowBytes = rowBytes;
    this.rowCount = buffer.byteLength / stride;
    this.#rows = new Array<SlabRow | undefined>(this.rowCount).fill(undefined);
  }

  /** The same object at each call: views are made at a row's first use and kept. */
  row(index: number): SlabRow {
    const known = this.#rows[index];
    if (known !== undefined) return known;
    assert(index >= 0 && index < this.rowCount && Number.isInteger(index), "a slab's row exists");
    const start = index * strideBytes(this.rowBytes);
    const made: SlabRow = {
      u8: new Uint8Array(this.#buffer, start, this.rowBytes),
      i16: new Int16Array(this.#buffer, start, this.rowBytes >> 1),
      i32: new Int32Array(this.#buffer, start, this.rowBytes >> 2),
      f32: new Float32Array(this.#buffer, start, this.rowBytes >> 2),
      f64: new Float64Array(this.#buffer, start, this.rowBytes >> 3),
    };
    this.#rows[index] = made;
    return made;
  }

  /** Zeroes a row; for a slot that a new call takes over. */
  clear(index: number): void {
    this.row(index).u8.fill(0);
  }
}

function strideBytes(rowBytes: number): number {
  assert(rowBytes > 0 && Number.isInteger(rowBytes), "a slab's row has at least one byte");
  return Math.ceil(rowBytes / SLAB_ROW_ALIGNMENT_BYTES) * SLAB_ROW_ALIGNMENT_BYTES;
}
