/** A live stream that says itself what it is. */
import { GRAPH_RATE_HZ } from "../../base/units.js";
import { decodeFailed, formatUnsupported, type LiveFormatDecoder, type PcmSink } from "./format-decoder.js";
import { OggOpusDecoder } from "./ogg-opus.js";
import { OpusPackets } from "./opus-packets.js";
import { describeUnsupported, formatOf, SNIFF_BYTES } from "./sniff.js";
import { WavDecoder } from "./wav-decoder.js";
import { WebmDecoder } from "./webm.js";

/**
 * Of those that {@link formatOf} knows. FLAC's and Vorbis's decoders on npm do not answer at once, and MP3's searches
 * damaged bytes for as long as it likes, which is for a thread that can be given up.
 */
const LIVE_FORMATS = "WAV, Ogg with Opus, WebM with Opus";

/**
 * Holds the first {@link SNIFF_BYTES} back until they have come. The Opus decoder is made before it is known that it will
 * be needed, as that cannot be done at once; untouched, it is some kilobytes.
 */
export class LiveContainer implements LiveFormatDecoder {
  readonly #name: string;
  readonly #packets: OpusPackets;
  #head: Uint8Array | undefined = new Uint8Array(0);
  #decoder: LiveFormatDecoder | undefined;

  private constructor(name: string, packets: OpusPackets) {
    this.#name = name;
    this.#packets = packets;
  }

  static async create(name: string): Promise<LiveContainer> {
    return new LiveContainer(name, await OpusPackets.create(name, GRAPH_RATE_HZ));
  }

  get complaint(): string | undefined {
    return this.#decoder?.complaint;
  }

  decode(bytes: Uint8Array, sink: PcmSink): void {
    if (this.#decoder !== undefined) {
      this.#decoder.decode(bytes, sink);
      return;
    }
    const head = Buffer.concat([this.#head ?? bytes.subarray(0, 0), bytes]);
    this.#head = head;
    if (head.length >= SNIFF_BYTES) this.#begin(head, sink);
  }

  end(sink: PcmSink): void {
    if (this.#decoder === undefined) this.#begin(this.#head ?? new Uint8Array(0), sink);
    this.#decoder?.end(sink);
  }

  free(): void {
    this.#packets.free();
  }

  #begin(head: Uint8Array, sink: PcmSink): void {
    this.#head = undefined;
    if (head.length === 0) decodeFailed(this.#name, "it is empty");
    this.#decoder = this.#choose(head);
    this.#decoder.decode(head, sink);
  }

  #choose(head: Uint8Array): LiveFormatDecoder {
    const format = formatOf(head);
    if (format === "wav") return new WavDecoder(this.#name);
    if (format === "webm") return new WebmDecoder(this.#packets, this.#name);
    if (format === "ogg-opus") return new OggOpusDecoder(this.#packets, GRAPH_RATE_HZ, this.#name);
    return formatUnsupported(format ?? describeUnsupported(head), LIVE_FORMATS);
  }
}
