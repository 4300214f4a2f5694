/**
 * Protocol buffers' wire format (protobuf.dev/programming-guides/encoding), read from a file by position. What nobody
 * asks for is stepped over without being read, so that a model's description costs the same with 1 MB of weights as with
 * 1 GB. The libraries for protocol buffers want the whole message in memory; that is why this is not one of them.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Read at a time. Most of what is asked for lies together: names, types, dimensions. */
const WINDOW_BYTES = 64 * 1024;
/** Messages within messages. At it: the file is refused. A graph within a loop within a branch is at 12. */
const NESTING_MAX = 64;
/** Bytes of one text. At it: the file is refused. Vocabularies have been seen in metadata with half a megabyte. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;
/** Seven groups of 7 bits are exact in a number. */
const EXACT_GROUPS = 7;

const VARINT = 0;
const FIXED64 = 1;
const PART = 2;
const FIXED32 = 5;

/** The bytes do not follow the wire format. */
export class WireFault extends Error {}

/** By field number: gets a number's value, or the position where a part (message, text, packed list) ends. */
export type FieldReaders = Readonly<Record<number, (value: number, isPart: boolean) => void>>;

export class WireReader implements Disposable {
  readonly byteCount: number;
  readonly #file: number;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #windowStart = 0;
  #windowBytes = 0;
  #position = 0;
  #nesting = 0;

  /** Throws what `fs.openSync` throws. */
  constructor(path: string) {
    this.#file = openSync(path, "r");
    this.byteCount = fstatSync(this.#file).size;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  /** Reads one message up to `end`, field by field; fields without a reader are stepped over. Throws WireFault. */
  message(end: number, readers: FieldReaders): void {
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX) throw this.#fault("messages are nested too deep");
    while (this.#position < end) this.#field(end, readers);
    if (this.#position !== end) throw this.#fault("a field is longer than its message");
    this.#nesting -= 1;
  }

  /** The rest up to `end` as UTF-8. Throws WireFault. */
  text(end: number): string {
    const byteCount = end - this.#position;
    if (byteCount < 0 || byteCount > TEXT_BYTES_MAX) throw this.#fault(`a text has ${byteCount} bytes`);
    const bytes = Buffer.alloc(byteCount);
    this.#readAt(this.#position, bytes);
    this.#position = end;
    return bytes.toString("utf8");
  }

  /** A list of numbers packed into one part. Throws WireFault. */
  packed(end: number): number[] {
    const numbers: number[] = [];
    while (this.#position < end) numbers.push(this.#varint());
    return numbers;
  }

  #field(end: number, readers: FieldReaders): void {
    const key = this.#varint();
    const read = readers[Math.floor(key / 8)];
    const kind = key % 8;
    if (kind === VARINT) {
      const value = this.#varint();
      read?.(value, false);
    } else if (kind === PART) {
      const byteCount = this.#varint();
      const partEnd = this.#position + byteCount;
      if (byteCount < 0 || partEnd > end) throw this.#fault(`a part of ${byteCount} bytes does not fit`);
      read?.(partEnd, true);
      this.#position = partEnd;
    } else if (kind === FIXED64 || kind === FIXED32) {
      this.#position += kind === FIXED64 ? 8 : 4;
    } else {
      throw this.#fault(`wire type ${kind} is not known`);
    }
  }

  /** Negative numbers take ten bytes, in two's complement. */
  #varint(): number {
    let exact = 0;
    let scale = 1;
    for (let group = 0; group < EXACT_GROUPS; group += 1) {
      const byte = this.#byte();
      exact += (byte & 0x7f) * scale;
      if (byte < 0x80) return exact;
      scale *= 128;
    }
    let wide = BigInt(exact);
    for (let shift = BigInt(7 * EXACT_GROUPS); shift < 70n; shift += 7n) {
      const byte = this.#byte();
      wide |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, wide));
    }
    throw this.#fault("a number has more than ten bytes");
  }

  #byte(): number {
    const offset = this.#position - this.#windowStart;
    if (offset < 0 || offset >= this.#windowBytes) this.#moveWindow();
    const byte = this.#window[this.#position - this.#windowStart]!;
    this.#position += 1;
    return byte;
  }

  #moveWindow(): void {
    this.#windowStart = this.#position;
    this.#windowBytes = readSync(this.#file, this.#window, 0, WINDOW_BYTES, this.#position);
    if (this.#windowBytes === 0) throw this.#fault("the file ends within a field");
  }

  #readAt(position: number, target: Buffer): void {
    let done = 0;
    while (done < target.length) {
      const count = readSync(this.#file, target, done, target.length - done, position + done);
      if (count === 0) throw this.#fault("the file ends within a text");
      done += count;
    }
  }

  #fault(what: string): WireFault {
    return new WireFault(`${what} (byte ${this.#position} of ${this.byteCount})`);
  }
}
