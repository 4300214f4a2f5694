/**
 * FLAC: RFC 9639. Mono of 16 bits, fixed predictors, Rice codes; about what `flac -2` makes of speech.
 *
 * Ours, because of the encoders on npm libflacjs has a WebAssembly build that does not load in Node 18 and later and an
 * asm.js build that takes ten times as long, at 8.5 MB; others come with a media toolkit of 12 MB.
 */
import type { AudioEncoder } from "../encode.js";
import { BitWriter } from "./bit-writer.js";

/** 43 ms at 24 kHz. RFC 9639, section 9.1.1: 0b1010 is this size, 0b0111 one given in 16 bits. */
const BLOCK_SAMPLES = 1_024;
const BLOCK_CODE = 0b1010;
const OTHER_BLOCK_CODE = 0b0111;
/** In each frame, so that a listener can begin in the middle: RFC 9639, section 9.1.2. Others follow in 16 bits. */
const RATE_CODES: Readonly<Record<number, number>> = {
  8000: 0b0100,
  16000: 0b0101,
  22050: 0b0110,
  24000: 0b0111,
  32000: 0b1000,
  44100: 0b1001,
  48000: 0b1010,
};
const OTHER_RATE_CODE = 0b1101;
/** One channel; 0b100 is 16 bits. */
const MONO_16_BITS = 0b0000_1000;
const BITS = 16;
const VERBATIM = 0b000001;
const FIXED = 0b001000;
const ORDER_MAX = 4;
/** 2³ partitions of a whole block; a shorter one has one. */
const PARTITION_ORDER = 3;
const RICE_MAX = 14;
/** Frame header, checksums, subframe header. */
const OVERHEAD_BYTES = 32;

export class FlacEncoder implements AudioEncoder {
  readonly contentType = "audio/flac";
  readonly rateHz: number;
  #header: Uint8Array | undefined;
  readonly #block = new Int32Array(BLOCK_SAMPLES);
  #filled = 0;
  #frameIndex = 0;
  readonly #residuals = Array.from({ length: ORDER_MAX + 1 }, () => new Int32Array(BLOCK_SAMPLES));
  readonly #writer = new BitWriter(2 * BLOCK_SAMPLES + OVERHEAD_BYTES);
  #frames: Uint8Array[] = [];

  /** @param sampleCount for the header; absent, it stays open. */
  constructor(rateHz: number, sampleCount = 0) {
    this.rateHz = rateHz;
    this.#header = streamHeader(rateHz, sampleCount);
  }

  encode(pcm: Int16Array): Uint8Array {
    let at = 0;
    while (at < pcm.length) {
      const part = pcm.subarray(at, at + BLOCK_SAMPLES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BLOCK_SAMPLES) this.#endBlock();
    }
    return this.#take();
  }

  finish(): Uint8Array {
    if (this.#filled > 0) this.#endBlock();
    return this.#take();
  }

  free(): void {}

  #take(): Uint8Array {
    const bytes = Buffer.concat(this.#header === undefined ? this.#frames : [this.#header, ...this.#frames]);
    this.#header = undefined;
    this.#frames = [];
    return bytes;
  }

  #endBlock(): void {
    const writer = this.#writer;
    writer.clear();
    this.#writeHeader(writer);
    this.#writeSubframe(writer);
    writer.align();
    const crc = crc16(writer.bytes, writer.byteCount);
    writer.write(crc, 16);
    this.#frames.push(writer.bytes.slice(0, writer.byteCount));
    this.#filled = 0;
    this.#frameIndex += 1;
  }

  #writeHeader(writer: BitWriter): void {
    const isWhole = this.#filled === BLOCK_SAMPLES;
    writer.write(0xfff8, 16);
    writer.write(isWhole ? BLOCK_CODE : OTHER_BLOCK_CODE, 4);
    const rateCode = RATE_CODES[this.rateHz] ?? OTHER_RATE_CODE;
    writer.write(rateCode, 4);
    writer.write(MONO_16_BITS, 8);
    writeFrameIndex(writer, this.#frameIndex);
    if (!isWhole) writer.write(this.#filled - 1, 16);
    if (rateCode === OTHER_RATE_CODE) writer.write(this.rateHz, 16);
    writer.write(crc8(writer.bytes, writer.byteCount), 8);
  }

  #writeSubframe(writer: BitWriter): void {
    const order = this.#bestOrder();
    const residual = this.#residuals[order]!;
    const partitions = this.#filled === BLOCK_SAMPLES ? 1 << PARTITION_ORDER : 1;
    const each = this.#filled / partitions;
    const riceOf = (partition: number): Rice =>
      bestRice(residual, partition === 0 ? order : partition * each, (partition + 1) * each);
    const rices = Array.from({ length: partitions }, (_, partition) => riceOf(partition));
    const bits = rices.reduce((sum, rice) => sum + 4 + rice.bits, 6 + order * BITS);
    if (bits >= this.#filled * BITS) {
      writer.write(VERBATIM << 1, 8);
      for (let index = 0; index < this.#filled; index++) writer.write(this.#block[index]!, BITS);
      return;
    }
    writer.write((FIXED | order) << 1, 8);
    for (let index = 0; index < order; index++) writer.write(this.#block[index]!, BITS);
    // Rice codes with parameters of 4 bits; how many partitions.
    writer.write(0, 2);
    writer.write(partitions === 1 ? 0 : PARTITION_ORDER, 4);
    for (const { parameter, from, to } of rices) {
      writer.write(parameter, 4);
      for (let index = from; index < to; index++) writeRice(writer, zigzag(residual[index]!), parameter);
    }
  }

  /** Computes the residual of each order, RFC 9639, section 9.2.5, as differences of the one before. */
  #bestOrder(): number {
    const count = this.#filled;
    const orders = Math.min(ORDER_MAX, count - 1);
    this.#residuals[0]!.set(this.#block.subarray(0, count));
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let order = 0; order <= orders; order++) {
      const residual = this.#residuals[order]!;
      const before = this.#residuals[order - 1];
      let sum = 0;
      for (let index = order; index < count; index++) {
        if (before !== undefined) residual[index] = before[index]! - before[index - 1]!;
        sum += Math.abs(residual[index]!);
      }
      if (sum >= least) continue;
      least = sum;
      best = order;
    }
    return best;
  }
}

interface Rice {
  readonly parameter: number;
  readonly bits: number;
  readonly from: number;
  readonly to: number;
}

/** The parameter near the mean that takes the fewest bits. */
function bestRice(residual: Int32Array, from: number, to: number): Rice {
  let sum = 0;
  for (let index = from; index < to; index++) sum += zigzag(residual[index]!);
  const guess = Math.max(0, Math.floor(Math.log2((sum + 1) / Math.max(1, to - from))));
  let best: Rice | undefined;
  for (let parameter = Math.max(0, guess - 1); parameter <= Math.min(RICE_MAX, guess + 1); parameter++) {
    let bits = (to - from) * (parameter + 1);
    for (let index = from; index < to; index++) bits += zigzag(residual[index]!) >>> parameter;
    if (best === undefined || bits < best.bits) best = { parameter, bits, from, to };
  }
  return best ?? { parameter: RICE_MAX, bits: Number.POSITIVE_INFINITY, from, to };
}

/** 0, -1, 1, -2 … as 0, 1, 2, 3 … */
function zigzag(value: number): number {
  return (value << 1) ^ (value >> 31);
}

function writeRice(writer: BitWriter, value: number, parameter: number): void {
  writer.writeUnary(value >>> parameter);
  if (parameter > 0) writer.write(value, parameter);
}

/** As UTF-8 goes on beyond Unicode: RFC 9639, section 9.1.5. */
function writeFrameIndex(writer: BitWriter, index: number): void {
  if (index < 0x80) {
    writer.write(index, 8);
    return;
  }
  let following = 1;
  while (index >= 2 ** (5 * following + 6)) following += 1;
  const lead = 0xff & (0xff00 >> (following + 1));
  writer.write(lead | Math.floor(index / 2 ** (6 * following)), 8);
  for (let left = following - 1; left >= 0; left--) writer.write(0x80 | ((index >>> (6 * left)) & 0x3f), 8);
}

/** "fLaC" and STREAMINFO: RFC 9639, section 8.2. Frame sizes and MD5 are left unknown, as a stream's are. */
function streamHeader(rateHz: number, sampleCount: number): Uint8Array {
  const header = Buffer.alloc(42);
  header.write("fLaC", "latin1");
  // The last metadata block, of type 0, with 34 bytes.
  header.writeUInt32BE(0x80000022, 4);
  header.writeUInt16BE(BLOCK_SAMPLES, 8);
  header.writeUInt16BE(BLOCK_SAMPLES, 10);
  // 20 bits of rate, 3 of channels less one, 5 of bits less one, 36 of samples.
  header.writeUIntBE(rateHz * 16 + ((BITS - 1) >> 4), 18, 3);
  header.writeUIntBE(((BITS - 1) & 0x0f) * 2 ** 36 + sampleCount, 21, 5);
  return header;
}

const CRC8 = crcTable(8, 0x07);
const CRC16 = crcTable(16, 0x8005);

function crcTable(bits: number, polynomial: number): Uint16Array {
  const top = 1 << (bits - 1);
  return new Uint16Array(256).map((_, index) => {
    let value = index << (bits - 8);
    for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value & top ? polynomial : 0);
    return value & ((1 << bits) - 1);
  });
}

function crc8(bytes: Uint8Array, count: number): number {
  let crc = 0;
  for (let index = 0; index < count; index++) crc = CRC8[crc ^ bytes[index]!]!;
  return crc;
}

function crc16(bytes: Uint8Array, count: number): number {
  let crc = 0;
  for (let index = 0; index < count; index++) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ bytes[index]!]!;
  return crc;
}
