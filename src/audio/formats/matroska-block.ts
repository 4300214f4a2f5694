/** The frames of a Matroska block: RFC 9559, section 10. */
import { readVint } from "./ebml.js";

/** Number, a relative time of 2 bytes, flags. */
const LACING_MASK = 0x06;
const XIPH = 0x02;
const FIXED = 0x04;

export function trackOf(block: Uint8Array): number {
  return readVint(block, 0).value;
}

/** Frames of a block without or with lacing; none if its sizes make no sense. */
export function framesOf(block: Uint8Array): Uint8Array[] {
  const flagsAt = readVint(block, 0).byteCount + 2;
  const lacing = (block[flagsAt] ?? 0) & LACING_MASK;
  const bodyAt = flagsAt + 1;
  if (lacing === 0) return [block.subarray(bodyAt)];
  const count = (block[bodyAt] ?? 0) + 1;
  const laced = block.subarray(bodyAt + 1);
  if (lacing === FIXED) {
    const each = Math.floor(laced.length / count);
    return Array.from({ length: count }, (_, index) => laced.subarray(index * each, (index + 1) * each));
  }
  return lacing === XIPH ? cut(laced, xiphSizes(laced, count)) : cut(laced, ebmlSizes(laced, count));
}

interface Sizes {
  /** Of all frames but the last. */
  readonly sizes: readonly number[];
  readonly bodyAt: number;
}

function xiphSizes(laced: Uint8Array, count: number): Sizes {
  const sizes: number[] = [];
  let at = 0;
  while (sizes.length < count - 1 && at < laced.length) {
    let size = 0;
    while (laced[at] === 255) size += laced[at++]!;
    sizes.push(size + (laced[at++] ?? 0));
  }
  return { sizes, bodyAt: at };
}

/** The first size as it is, the others as differences, offset so that they are never negative. */
function ebmlSizes(laced: Uint8Array, count: number): Sizes {
  const sizes: number[] = [];
  let at = 0;
  while (sizes.length < count - 1) {
    const { value, byteCount } = readVint(laced, at);
    at += byteCount;
    const before = sizes.at(-1);
    sizes.push(before === undefined ? value : before + value - (2 ** (7 * byteCount - 1) - 1));
  }
  return { sizes, bodyAt: at };
}

function cut(laced: Uint8Array, { sizes, bodyAt }: Sizes): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let at = bodyAt;
  for (const size of sizes) {
    if (size < 0 || at + size > laced.length) return [];
    frames.push(laced.subarray(at, at + size));
    at += size;
  }
  frames.push(laced.subarray(at));
  return frames;
}
