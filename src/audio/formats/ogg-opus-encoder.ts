/** Opus in Ogg (RFC 7845) by libopus (BSD), as compiled to WebAssembly by @evan/opus (MIT). */
import { Encoder } from "@evan/opus/wasm/index.mjs";
import type { AudioEncoder } from "../encode.js";
import type { Resampler } from "../resampler.js";
import { formatUnsupported } from "./format-decoder.js";
import { OggWriter } from "./ogg-pages.js";
import { OPUS_RATE_HZ } from "./opus-head.js";

const RATES_HZ = [8_000, 12_000, 16_000, 24_000, 48_000];
const DEFAULT_KBPS = 32;
const KBPS_MIN = 6;
const KBPS_MAX = 510;
const FRAME_MS = 20;
/** Of 10: half the time of 10, and for speech no difference that one hears. */
const COMPLEXITY = 5;
/** Packets of a page: 200 ms, so that a listener hears the beginning soon and headers stay below a tenth. */
const PAGE_PACKETS = 10;

/** opus_defines.h. */
const SET_BITRATE = 4002;
const SET_COMPLEXITY = 4010;
const GET_LOOKAHEAD = 4027;

export class OggOpusEncoder implements AudioEncoder {
  readonly contentType = "audio/ogg";
  readonly rateHz: number;
  readonly #encoder: Encoder;
  readonly #resampler: Resampler;
  /** Samples at 48 kHz for one of the encoder's rate. */
  readonly #scale: number;
  readonly #frame: Int16Array;
  #filled = 0;
  readonly #writer = new OggWriter(SERIAL);
  #packets: Uint8Array[] = [];
  readonly #preSkip: number;
  /** Samples at the encoder's rate that were given, and that are in packets. */
  #given = 0;
  #packed = 0;
  #pages: Uint8Array[] = [];
  #isFreed = false;

  static takes(rateHz: number): boolean {
    return RATES_HZ.includes(rateHz);
  }

  /**
   * @param resampler to one of Opus's rates.
   * Throws AUDIO_FORMAT_UNSUPPORTED for a bit rate that Opus has not.
   */
  constructor(rateHz: number, resampler: Resampler, bitRateKbps: number = DEFAULT_KBPS) {
    if (!(bitRateKbps >= KBPS_MIN && bitRateKbps <= KBPS_MAX)) {
      formatUnsupported(`opus of ${bitRateKbps} kbit/s`, `${KBPS_MIN} to ${KBPS_MAX} kbit/s`);
    }
    this.rateHz = rateHz;
    this.#resampler = resampler;
    const encoderRateHz = resampler.toRateHz;
    this.#encoder = new Encoder({ channels: 1, sample_rate: encoderRateHz, application: "audio" });
    this.#encoder.ctl(SET_BITRATE, Math.round(bitRateKbps * 1000));
    this.#encoder.ctl(SET_COMPLEXITY, COMPLEXITY);
    this.#scale = OPUS_RATE_HZ / encoderRateHz;
    this.#preSkip = this.#encoder.ctl(GET_LOOKAHEAD);
    this.#frame = new Int16Array((encoderRateHz * FRAME_MS) / 1000);
    this.#pages.push(
      this.#writer.page({ packets: [this.#head()], granule: 0, isFirst: true }),
      this.#writer.page({ packets: [tags()], granule: 0 }),
    );
  }

  encode(pcm: Int16Array): Uint8Array {
    const resampled = new Int16Array(this.#resampler.outputBound(pcm.length));
    const count = this.#resampler.process(pcm, 0, pcm.length, resampled);
    this.#given += count;
    this.#pack(resampled.subarray(0, count));
    return this.#takePages();
  }

  finish(): Uint8Array {
    const rest = new Int16Array(this.#resampler.outputBound(0));
    const count = this.#resampler.flush(rest);
    this.#given += count;
    this.#pack(rest.subarray(0, count));
    // What the encoder looks ahead comes out with silence behind it; the last page's position cuts the silence off.
    while (this.#packed < this.#given + this.#preSkip || this.#packets.length === 0) {
      this.#pack(new Int16Array(this.#frame.length - this.#filled), true);
    }
    this.#endPage(true);
    this.free();
    return this.#takePages();
  }

  free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#encoder.drop();
  }

  #pack(pcm: Int16Array, isEnding = false): void {
    let at = 0;
    while (at < pcm.length) {
      const part = pcm.subarray(at, at + this.#frame.length - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#frame.length) return;
      // The page is ended only when more follows, so that the last page is never an empty one.
      if (this.#packets.length >= PAGE_PACKETS && !isEnding) this.#endPage(false);
      this.#packets.push(this.#encoder.encode(this.#frame));
      this.#packed += this.#frame.length;
      this.#filled = 0;
    }
  }

  #endPage(isLast: boolean): void {
    const end = isLast ? this.#given + this.#preSkip : this.#packed;
    this.#pages.push(this.#writer.page({ packets: this.#packets, granule: Math.round(end * this.#scale), isLast }));
    this.#packets = [];
  }

  #takePages(): Uint8Array {
    const bytes = Buffer.concat(this.#pages);
    this.#pages = [];
    return bytes;
  }

  #head(): Uint8Array {
    const head = Buffer.alloc(19);
    head.write("OpusHead", "latin1");
    head[8] = 1;
    head[9] = 1;
    head.writeUInt16LE(Math.round(this.#preSkip * this.#scale), 10);
    head.writeUInt32LE(this.rateHz, 12);
    return head;
  }
}

/** A file has one stream, so any number does. */
const SERIAL = 1;

function tags(): Uint8Array {
  const vendor = "Syrinx";
  const packet = Buffer.alloc(8 + 4 + vendor.length + 4);
  packet.write("OpusTags", "latin1");
  packet.writeUInt32LE(vendor.length, 8);
  packet.write(vendor, 12, "latin1");
  return packet;
}
