/**
 * The elements of WebM and Matroska as they come in: RFC 8794 (EBML) and RFC 9559 (Matroska). Ours, because the
 * demuxers on npm read files, not streams that come message by message and must be answered at once.
 */
import { ByteQueue } from "./byte-queue.js";
import { decodeFailed } from "./format-decoder.js";

/** Elements that hold others and are looked into. They are entered, never left: each element's id says where it belongs. */
const ENTERED = new Set([0x18538067, 0x1f43b675, 0x1654ae6b, 0xae, 0xe1, 0xa0]);

/** Longest element that is handed on. Longer ones are passed over, as all that nobody asked for. */
const ELEMENT_BYTES_MAX = 262_144;
/** An id of 4 bytes and a size of 8. */
const HEAD_BYTES_MAX = 12;

export interface ElementReceiver {
  /** Whether the body is wanted. @param peek the first bytes of the body, up to 8 */
  wants(id: number, peek: Uint8Array): boolean;
  /** An element began that holds others, or one whose body was wanted has come whole. */
  element(id: number, body: Uint8Array): void;
}

const NOTHING = new Uint8Array(0);
const PEEK_BYTES = 8;

export class EbmlReader {
  readonly #queue = new ByteQueue();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** Throws AUDIO_DECODE_FAILED at what is no element. */
  push(bytes: Uint8Array, receiver: ElementReceiver): void {
    this.#queue.push(bytes);
    while (this.#element(receiver));
  }

  /** False if more bytes are needed. */
  #element(receiver: ElementReceiver): boolean {
    const view = this.#queue.view;
    const idBytes = lengthOf(view[0] ?? 0);
    const sizeBytes = lengthOf(view[idBytes] ?? 0);
    if (view.length > 0 && idBytes > 4) decodeFailed(this.#name, "its Matroska elements are damaged");
    const headBytes = idBytes + sizeBytes;
    if (view.length < Math.min(headBytes, HEAD_BYTES_MAX)) return false;
    if (view.length < headBytes) return false;
    if (sizeBytes > 8) decodeFailed(this.#name, "its Matroska elements are damaged");
    const id = readInteger(view, 0, idBytes);
    const size = readSize(view, idBytes, sizeBytes);
    if (ENTERED.has(id)) {
      this.#queue.drop(headBytes);
      receiver.element(id, NOTHING);
      return true;
    }
    if (size === undefined) decodeFailed(this.#name, "its Matroska elements are damaged");
    const peeked = Math.min(size, PEEK_BYTES);
    if (view.length < headBytes + peeked) return false;
    if (size > ELEMENT_BYTES_MAX || !receiver.wants(id, view.subarray(headBytes, headBytes + peeked))) {
      this.#queue.drop(headBytes + size);
      return true;
    }
    if (view.length < headBytes + size) return false;
    receiver.element(id, view.subarray(headBytes, headBytes + size));
    this.#queue.drop(headBytes + size);
    return true;
  }
}

/** Bytes of the integer that begins with this one: 1 more than its leading zeros. */
function lengthOf(first: number): number {
  return Math.clz32(first) - 23;
}

export function readInteger(bytes: Uint8Array, from: number, byteCount: number): number {
  let value = 0;
  for (let index = from; index < from + byteCount; index++) value = value * 256 + bytes[index]!;
  return value;
}

/** A size without its length marker; `undefined` is "unknown": all ones. */
function readSize(bytes: Uint8Array, from: number, byteCount: number): number | undefined {
  const value = readInteger(bytes, from, byteCount) - 2 ** (7 * byteCount);
  return value === 2 ** (7 * byteCount) - 1 ? undefined : value;
}

/** A variable-length integer at `from` and how long it is. */
export function readVint(bytes: Uint8Array, from: number): { readonly value: number; readonly byteCount: number } {
  const byteCount = lengthOf(bytes[from] ?? 0);
  if (byteCount > 8 || from + byteCount > bytes.length) return { value: -1, byteCount: 1 };
  return { value: readInteger(bytes, from, byteCount) - 2 ** (7 * byteCount), byteCount };
}
