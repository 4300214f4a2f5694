/** PCM without a container: interleaved samples of a declared encoding. */
import { decodeG711 } from "../g711.js";
import { sampleOf } from "../pcm.js";
import {
  CHANNELS_MAX,
  formatUnsupported,
  Int16Channels,
  type LiveFormatDecoder,
  type PcmSink,
} from "./format-decoder.js";

/** Little-endian; the numbers are bits. `uint8` is what WAV files have. */
export type RawEncoding = "linear16" | "linear32" | "mulaw" | "alaw" | "uint8" | "linear24" | "float32" | "float64";

export const RAW_SAMPLE_BYTES: Readonly<Record<RawEncoding, number>> = {
  linear16: 2,
  linear32: 4,
  mulaw: 1,
  alaw: 1,
  uint8: 1,
  linear24: 3,
  float32: 4,
  float64: 8,
};

/** Sample frames that are handed on in one go. */
const PIECE_FRAMES = 8_192;

/** A sample frame that is cut between two calls is put together again; a rest at the end is dropped. */
export class RawDecoder implements LiveFormatDecoder {
  readonly #read: (view: DataView, at: number) => number;
  readonly #rateHz: number;
  readonly #channelCount: number;
  readonly #frameBytes: number;
  readonly #sampleBytes: number;
  readonly #channels = new Int16Channels();
  readonly #cut: Uint8Array;
  #cutBytes = 0;

  constructor(encoding: RawEncoding, rateHz: number, channelCount: number) {
    this.#read = READERS[encoding];
    this.#rateHz = rateHz;
    this.#channelCount = channelCount;
    this.#sampleBytes = RAW_SAMPLE_BYTES[encoding];
    this.#frameBytes = this.#sampleBytes * channelCount;
    this.#cut = new Uint8Array(this.#frameBytes);
  }

  decode(bytes: Uint8Array, sink: PcmSink): void {
    let at = 0;
    if (this.#cutBytes > 0) {
      at = Math.min(bytes.length, this.#frameBytes - this.#cutBytes);
      this.#cut.set(bytes.subarray(0, at), this.#cutBytes);
      this.#cutBytes += at;
      if (this.#cutBytes < this.#frameBytes) return;
      this.#cutBytes = 0;
      this.#emit(this.#cut, 0, 1, sink);
    }
    while (bytes.length - at >= this.#frameBytes) {
      const count = Math.min(PIECE_FRAMES, Math.floor((bytes.length - at) / this.#frameBytes));
      this.#emit(bytes, at, count, sink);
      at += count * this.#frameBytes;
    }
    this.#cutBytes = bytes.length - at;
    this.#cut.set(bytes.subarray(at));
  }

  end(): void {}

  free(): void {}

  #emit(bytes: Uint8Array, from: number, count: number, sink: PcmSink): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const channels = this.#channels.take(this.#channelCount, count);
    for (const [channel, output] of channels.entries()) {
      let at = from + channel * this.#sampleBytes;
      for (let index = 0; index < count; index++) {
        output[index] = this.#read(view, at);
        at += this.#frameBytes;
      }
    }
    sink(channels, count, this.#rateHz);
  }
}

/** For a declared format. Throws AUDIO_FORMAT_UNSUPPORTED for more than {@link CHANNELS_MAX} channels or none. */
export function createRawDecoder(encoding: RawEncoding, rateHz: number, channelCount: number): RawDecoder {
  if (!Number.isInteger(channelCount) || channelCount < 1 || channelCount > CHANNELS_MAX) {
    formatUnsupported(`${encoding} with ${channelCount} channels`, `1 to ${CHANNELS_MAX} channels`);
  }
  return new RawDecoder(encoding, rateHz, channelCount);
}

const MULAW = lawTable("mulaw");
const ALAW = lawTable("alaw");

/** Reads one sample as s16. */
const READERS: Readonly<Record<RawEncoding, (view: DataView, at: number) => number>> = {
  linear16: (view, at) => view.getInt16(at, true),
  linear24: (view, at) => sampleOf(((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608),
  linear32: (view, at) => sampleOf(view.getInt32(at, true) / 2147483648),
  float32: (view, at) => sampleOf(view.getFloat32(at, true)),
  float64: (view, at) => sampleOf(view.getFloat64(at, true)),
  uint8: (view, at) => (view.getUint8(at) - 128) << 8,
  mulaw: (view, at) => MULAW[view.getUint8(at)]!,
  alaw: (view, at) => ALAW[view.getUint8(at)]!,
};

function lawTable(law: "mulaw" | "alaw"): Int16Array {
  const table = new Int16Array(256);
  decodeG711(
    law,
    Uint8Array.from(table, (_, code) => code),
    0,
    256,
    table,
    0,
  );
  return table;
}
