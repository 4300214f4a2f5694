/**
 * Opus packets to PCM, by libopus (BSD) as compiled to WebAssembly by the wasm-audio-decoders project (MIT). Each
 * decoder has a heap of its own, so that no packet can reach another call's state.
 *
 * libopus decodes to 16 kHz by itself; a resampler behind it would only cost.
 */
import { OpusDecoder } from "opus-decoder";
import { decodeFailed, formatUnsupported, Int16Channels, type PcmSink } from "./format-decoder.js";
import { OPUS_RATE_HZ, type OpusHead } from "./opus-head.js";
import { isOpusPacket } from "./opus-packet.js";

/** Three frames of the largest size: what libopus's encoder writes, and what the decoder has room for. */
const PACKET_BYTES_MAX = 3_840;
/** Damaged packets of one stream that are passed over. At it: AUDIO_DECODE_FAILED. */
const DAMAGED_PACKETS_MAX = 100;

export type OpusRateHz = 16_000 | 48_000;

export class OpusPackets {
  readonly #decoder: OpusDecoder<OpusRateHz>;
  readonly #name: string;
  readonly #rateHz: OpusRateHz;
  readonly #channelCount: number;
  readonly #channels = new Int16Channels();
  #head: OpusHead | undefined;
  #skip = 0;
  #damaged = 0;
  complaint: string | undefined;

  private constructor(decoder: OpusDecoder<OpusRateHz>, channelCount: number, name: string, rateHz: OpusRateHz) {
    this.#decoder = decoder;
    this.#channelCount = channelCount;
    this.#name = name;
    this.#rateHz = rateHz;
  }

  /** Compiles on first use. @param head of more than two channels; one or two need none. */
  static async create(name: string, rateHz: OpusRateHz, head?: OpusHead): Promise<OpusPackets> {
    const layout =
      head === undefined || head.channels <= 2
        ? { channels: 2 }
        : {
            channels: head.channels,
            streamCount: head.streamCount,
            coupledStreamCount: head.coupledStreamCount,
            channelMappingTable: [...head.channelMapping],
          };
    const decoder = new OpusDecoder<OpusRateHz>({ sampleRate: rateHz, ...layout });
    await decoder.ready;
    return new OpusPackets(decoder, layout.channels, name, rateHz);
  }

  /**
   * The stream's header: its channels, its gain, what to drop of its beginning. Throws AUDIO_FORMAT_UNSUPPORTED for more
   * channels than the decoder was made for.
   */
  begin(head: OpusHead): void {
    if (head.channels > this.#channelCount) formatUnsupported(`Opus with ${head.channels} channels`, "1 or 2 channels");
    this.#head = head;
    this.#skip = Math.round((head.preSkip * this.#rateHz) / OPUS_RATE_HZ);
  }

  /**
   * One packet. A damaged one is passed over and counted.
   * @param countMax samples after which the stream ends.
   * @returns samples that were handed on.
   */
  decode(packet: Uint8Array, sink: PcmSink, countMax = Number.POSITIVE_INFINITY): number {
    if (packet.length > PACKET_BYTES_MAX || !isOpusPacket(packet)) {
      return this.#damage(`its frames do not fill its ${packet.length} bytes`);
    }
    const { channelData, samplesDecoded, errors } = this.#decoder.decodeFrame(packet);
    if (errors.length > 0) return this.#damage(errors[0]!.message);
    const skipped = Math.min(this.#skip, samplesDecoded);
    this.#skip -= skipped;
    const count = Math.min(samplesDecoded - skipped, countMax);
    if (count <= 0) return 0;
    const wanted = this.#head === undefined ? channelData : channelData.slice(0, this.#head.channels);
    const kept = skipped === 0 ? wanted : wanted.map((values) => values.subarray(skipped));
    sink(this.#channels.from(kept, count, this.#head?.gain), count, this.#rateHz);
    return count;
  }

  free(): void {
    this.#decoder.free();
  }

  #damage(reason: string): number {
    this.complaint ??= `an Opus packet is damaged: ${reason}`;
    this.#damaged += 1;
    if (this.#damaged > DAMAGED_PACKETS_MAX) decodeFailed(this.#name, this.complaint);
    return 0;
  }
}
