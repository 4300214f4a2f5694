/** Opus in Ogg: RFC 7845. */
import { decodeFailed, type LiveFormatDecoder, type PcmSink } from "./format-decoder.js";
import { type OggPacket, OggReader } from "./ogg-pages.js";
import { isOpusHead, OPUS_RATE_HZ, type OpusHead, readOpusHead } from "./opus-head.js";
import type { OpusPackets, OpusRateHz } from "./opus-packets.js";

export class OggOpusDecoder implements LiveFormatDecoder {
  readonly #name: string;
  readonly #rateHz: OpusRateHz;
  readonly #packets: OpusPackets;
  readonly #reader: OggReader;
  #head: OpusHead | undefined;
  #headersLeft = 0;
  #count = 0;

  constructor(packets: OpusPackets, rateHz: OpusRateHz, name: string) {
    this.#packets = packets;
    this.#rateHz = rateHz;
    this.#name = name;
    this.#reader = new OggReader(name, isOpusHead);
  }

  get complaint(): string | undefined {
    return this.#packets.complaint;
  }

  decode(bytes: Uint8Array, sink: PcmSink): void {
    this.#reader.push(bytes, (packet) => this.#packet(packet, sink));
  }

  end(sink: PcmSink): void {
    this.#reader.end((packet) => this.#packet(packet, sink));
    if (this.#head === undefined) decodeFailed(this.#name, "it has no Opus stream");
  }

  free(): void {
    this.#packets.free();
  }

  #packet({ data, granule, isLast, isFirst }: OggPacket, sink: PcmSink): void {
    if (isFirst && isOpusHead(data)) {
      this.#begin(data);
      return;
    }
    // The packet after the header has comments.
    if (this.#headersLeft > 0) {
      this.#headersLeft -= 1;
      return;
    }
    // The last page's position may cut the end off.
    const endsAt = isLast && granule >= 0 ? this.#samplesAt(granule) - this.#count : Number.POSITIVE_INFINITY;
    this.#count += this.#packets.decode(data, sink, endsAt);
  }

  #begin(packet: Uint8Array): void {
    const head = readOpusHead(packet, this.#name);
    if (this.#head !== undefined && this.#head.channels !== head.channels) {
      decodeFailed(this.#name, "its number of channels changes");
    }
    this.#head = head;
    this.#packets.begin(head);
    this.#headersLeft = 1;
    this.#count = 0;
  }

  #samplesAt(granule: number): number {
    return Math.max(0, Math.round(((granule - (this.#head?.preSkip ?? 0)) * this.#rateHz) / OPUS_RATE_HZ));
  }
}
