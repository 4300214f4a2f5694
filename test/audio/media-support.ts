/** What the tests of decoders and encoders share: fixtures, cuts, likeness. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { Prng } from "../../src/base/prng.js";

export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(packageRoot(), "test/fixtures", name)));
}

/** In pieces of 1 to `longest` bytes. */
export function cut(bytes: Uint8Array, prng: Prng, longest: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const count = prng.integer(1, longest + 1);
    pieces.push(bytes.subarray(at, at + count));
    at += count;
  }
  return pieces;
}

export function joinPcm(parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Correlation of `left` with `right` from `lag` on; 1 is the same but for loudness. */
export function likeness(left: Int16Array, right: Int16Array, lag: number): number {
  let product = 0;
  let leftPower = 0;
  let rightPower = 0;
  for (const [index, sample] of left.entries()) {
    const other = right[index + lag] ?? 0;
    product += sample * other;
    leftPower += sample ** 2;
    rightPower += other ** 2;
  }
  return product / Math.sqrt(leftPower * rightPower);
}

/** The lag up to `most` at which they are most alike. */
export function bestLag(left: Int16Array, right: Int16Array, most: number): { lag: number; alike: number } {
  let best = { lag: 0, alike: -1 };
  for (let lag = 0; lag <= most; lag++) {
    const alike = likeness(left, right, lag);
    if (alike > best.alike) best = { lag, alike };
  }
  return best;
}

/** "no error", or the code and message of what was thrown; what has no code as it is, to fail a match. */
export async function outcomeOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return "no error";
  } catch (error) {
    return isSyrinxError(error) ? `${error.code}: ${error.message}` : `${error}`;
  }
}

/** Bytes changed, and the end cut off. */
export function damaged(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let change = prng.integer(0, 20); change > 0; change--)
    copy[prng.integer(0, copy.length)] = prng.integer(0, 256);
  return copy.subarray(0, prng.integer(1, copy.length + 1));
}
