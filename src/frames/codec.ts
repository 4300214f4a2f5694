/**
 * Frames to bytes and back. Knows the record's `word` and payload, but neither rings nor atomics: it writes into memory
 * that somebody claimed and reads memory that somebody holds. Runs on every thread; encoding audio allocates nothing.
 *
 * ```
 * word      kind tag (8 bits) | flags (8 bits) | edge index (16 bits)
 * timestamp sample position of the frame (see kinds.ts)
 * aux       when the frame was written, microseconds of the process clock, low 32 bits
 *
 * audio.in   payload                             [flag META: length i32 | meta JSON | 0 to 3 zeros] s16 PCM …
 * audio.out  payload   contextId i32 | rateHz i32 [flag META: likewise]                            s16 PCM …
 * others     payload   meta JSON, UTF-8
 * ```
 */
import { FRAME_KINDS, type FrameKind, KIND_BY_TAG, type MetaOf } from "./kinds.js";

export const FLAG_META = 1;
/** Media was dropped in front of this frame. */
export const FLAG_GAP = 2;

export const OUT_PREFIX_BYTES = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function packWord(tag: number, flags: number, edge: number): number {
  return tag | (flags << 8) | (edge << 16);
}
export function tagOfWord(word: number): number {
  return word & 0xff;
}
export function flagsOfWord(word: number): number {
  return (word >>> 8) & 0xff;
}
export function edgeOfWord(word: number): number {
  return word >>> 16;
}
export function kindOfWord(word: number): FrameKind {
  const kind = KIND_BY_TAG[word & 0xff];
  if (kind === undefined) throw new Error(`no frame kind has tag ${word & 0xff}`);
  return kind;
}

/** The JSON bytes of a meta object. Allocates: for kinds of a few per second per call. */
export function encodeMeta<K extends FrameKind>(_kind: K, meta: MetaOf<K>): Uint8Array {
  return encoder.encode(JSON.stringify(meta));
}

/** `subarray` of `bytes` to plain data. The writer is our own code, so the schema is checked in tests, not here. */
export function decodeMeta<K extends FrameKind>(_kind: K, bytes: Uint8Array): MetaOf<K> {
  // TextDecoder refuses views of shared memory; the copy is as small as the meta.
  return JSON.parse(decoder.decode(bytes.slice())) as MetaOf<K>;
}

/** Whether the record is audio, from its word alone. */
export function isPcmTag(word: number): boolean {
  return FRAME_KINDS[KIND_BY_TAG[word & 0xff]!].payload === "pcm";
}

export function isInterruptible(tag: number): boolean {
  return FRAME_KINDS[KIND_BY_TAG[tag]!].interruptible;
}
