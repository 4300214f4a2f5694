/** Writes frames into links: the one place where frames and rings meet on the producer's side. Any thread. */
import { assert } from "../base/assert.js";
import { LIMITS } from "../base/limits.js";
import { encodeMeta, FLAG_META, type FrameKind, type MetaOf, OUT_PREFIX_BYTES, padding } from "../frames/index.js";
import type { Envelope, OutLink } from "./out-link.js";

/** s16 PCM somewhere in memory. `words` is the same memory as 32-bit words, or empty if there is no such view. */
export interface PcmSource {
  readonly samples: Int16Array;
  readonly words: Int32Array;
  readonly offset: number;
  readonly count: number;
}

/** A source that its owner points at one frame after the other. */
export type MutablePcm = { -readonly [Field in keyof PcmSource]: PcmSource[Field] };

/** Below this, copying word by word is faster than `set`, whose `subarray` is garbage. */
const WORD_COPY_SAMPLES_MAX = 2048;

function copyPcm(source: PcmSource, targetSamples: Int16Array, targetWords: Int32Array, byteOffset: number): void {
  const { offset, count, words } = source;
  if (words.length > 0 && (offset & 1) === 0 && (count & 1) === 0 && count <= WORD_COPY_SAMPLES_MAX) {
    let from = offset >> 1;
    let to = byteOffset >> 2;
    for (const end = from + (count >> 1); from < end; from++, to++) targetWords[to] = words[from]!;
    return;
  }
  targetSamples.set(source.samples.subarray(offset, offset + count), byteOffset >> 1);
}

/** Any frame without PCM. Returns false if it was lost (see `OutLink.write`). Allocates the JSON. */
export function writeMetaFrame<K extends FrameKind>(
  link: OutLink,
  envelope: Envelope,
  kind: K,
  meta: MetaOf<K>,
): boolean {
  const payload = encodeMeta(kind, meta);
  assert(payload.length <= LIMITS.framePayloadBytes, `a ${kind} frame of ${payload.length} bytes is over the limit`);
  return link.write(envelope, payload);
}

/**
 * An audio frame, with `meta` in front of its samples if given. Allocates nothing without meta.
 * @param mayDrop false: waits or holds back when the ring is full, and allocates then
 * @returns false if it was dropped or lost
 */
export function writeAudioFrame(
  link: OutLink,
  envelope: Envelope,
  source: PcmSource,
  context: { readonly contextId: number; readonly rateHz: number } | undefined,
  meta: Uint8Array | undefined,
  mayDrop: boolean,
): boolean {
  const prefixBytes = context === undefined ? 0 : OUT_PREFIX_BYTES;
  const metaBytes = meta === undefined ? 0 : 4 + meta.length + padding(meta.length);
  const byteCount = prefixBytes + metaBytes + source.count * 2;
  assert(byteCount <= LIMITS.framePayloadBytes, `an audio frame of ${source.count} samples is over the limit`);
  envelope.flags = meta === undefined ? envelope.flags & ~FLAG_META : envelope.flags | FLAG_META;
  const offset = mayDrop ? link.claimMedia(byteCount) : link.claimWaiting(byteCount);
  if (offset >= 0) {
    const { data } = link;
    fillAudio(data.i32, data.u8, data.i16, offset, source, context, meta);
    link.commit(byteCount, envelope);
    return true;
  }
  if (mayDrop) {
    link.data.countDropped();
    return false;
  }
  const copy = new Uint8Array(byteCount + padding(byteCount));
  fillAudio(new Int32Array(copy.buffer), copy, new Int16Array(copy.buffer), 0, source, context, meta);
  return link.write(envelope, copy.subarray(0, byteCount));
}

function fillAudio(
  i32: Int32Array,
  u8: Uint8Array,
  i16: Int16Array,
  offset: number,
  source: PcmSource,
  context: { readonly contextId: number; readonly rateHz: number } | undefined,
  meta: Uint8Array | undefined,
): void {
  let at = offset;
  if (context !== undefined) {
    i32[at >> 2] = context.contextId;
    i32[(at >> 2) + 1] = context.rateHz;
    at += OUT_PREFIX_BYTES;
  }
  if (meta !== undefined) {
    i32[at >> 2] = meta.length;
    u8.set(meta, at + 4);
    at += 4 + meta.length + padding(meta.length);
  }
  copyPcm(source, i16, i32, at);
}
