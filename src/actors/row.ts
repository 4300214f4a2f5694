/** Saved state that is not PCM or floats: JSON with its length in front, in a call's row. */
import type { StateRow } from "./define.js";

const LENGTH_BYTES = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Row bytes for JSON of at most `charsMax` UTF-16 units; UTF-8 needs at most three bytes for each. */
export function jsonRowBytes(charsMax: number): number {
  return LENGTH_BYTES + 3 * charsMax;
}

/** @returns false, and leaves the row as it was, if the JSON does not fit. */
export function writeJson(row: StateRow, value: unknown): boolean {
  const bytes = encoder.encode(JSON.stringify(value));
  if (LENGTH_BYTES + bytes.length > row.u8.length) return false;
  row.u8.set(bytes, LENGTH_BYTES);
  row.i32[0] = bytes.length;
  return true;
}

/** What {@link writeJson} wrote last; `undefined` if nothing was. The caller knows its shape: it wrote it. */
export function readJson<T>(row: StateRow): T | undefined {
  const byteCount = row.i32[0]!;
  if (byteCount === 0) return undefined;
  // A copy: TextDecoder refuses shared memory.
  return JSON.parse(decoder.decode(row.u8.slice(LENGTH_BYTES, LENGTH_BYTES + byteCount))) as T;
}
