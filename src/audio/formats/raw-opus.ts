/** Opus without a container, as telephony sends it: each message is one packet. */
import { decodeFailed, type LiveFormatDecoder, type PcmSink } from "./format-decoder.js";
import type { OpusPackets } from "./opus-packets.js";

export class RawOpusDecoder implements LiveFormatDecoder {
  readonly #packets: OpusPackets;
  readonly #name: string;

  constructor(packets: OpusPackets, channels: number, name: string) {
    this.#packets = packets;
    this.#name = name;
    packets.begin({
      channels,
      preSkip: 0,
      gain: 1,
      streamCount: 1,
      coupledStreamCount: channels - 1,
      channelMapping: [0, 1],
    });
  }

  /** Throws AUDIO_DECODE_FAILED at a damaged packet: without a container nothing says that it was Opus at all. */
  decode(bytes: Uint8Array, sink: PcmSink): void {
    if (bytes.length === 0) return;
    this.#packets.decode(bytes, sink);
    if (this.#packets.complaint !== undefined) decodeFailed(this.#name, this.#packets.complaint);
  }

  end(): void {}

  free(): void {
    this.#packets.free();
  }
}
