/** Opus in WebM and Matroska, as browsers record it. The first audio track is taken; video is passed over. */
import { EbmlReader, type ElementReceiver, readInteger } from "./ebml.js";
import { decodeFailed, formatUnsupported, type LiveFormatDecoder, type PcmSink } from "./format-decoder.js";
import { framesOf, trackOf } from "./matroska-block.js";
import { isOpusHead, readOpusHead } from "./opus-head.js";
import type { OpusPackets } from "./opus-packets.js";

const TRACK_ENTRY = 0xae;
const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const CODEC_ID = 0x86;
const CODEC_PRIVATE = 0x63a2;
const CONTENT_ENCODINGS = 0x6d80;
const CLUSTER = 0x1f43b675;
const SIMPLE_BLOCK = 0xa3;
const BLOCK = 0xa1;

const OF_TRACK = new Set([TRACK_NUMBER, TRACK_TYPE, CODEC_ID, CODEC_PRIVATE, CONTENT_ENCODINGS]);
const TYPE_AUDIO = 2;

interface Track {
  number: number;
  type: number;
  codec: string;
  private: Uint8Array | undefined;
  isEncoded: boolean;
}

export class WebmDecoder implements LiveFormatDecoder, ElementReceiver {
  readonly #packets: OpusPackets;
  readonly #name: string;
  readonly #reader: EbmlReader;
  /** The entry that is being read; its fields come in any order. */
  #entry: Track | undefined;
  #chosen: Track | undefined;
  #sink: PcmSink | undefined;

  constructor(packets: OpusPackets, name: string) {
    this.#packets = packets;
    this.#name = name;
    this.#reader = new EbmlReader(name);
  }

  get complaint(): string | undefined {
    return this.#packets.complaint;
  }

  decode(bytes: Uint8Array, sink: PcmSink): void {
    this.#sink = sink;
    this.#reader.push(bytes, this);
  }

  end(): void {
    if (this.#chosen === undefined) decodeFailed(this.#name, "it has no audio track");
  }

  free(): void {
    this.#packets.free();
  }

  wants(id: number, peek: Uint8Array): boolean {
    if (id === SIMPLE_BLOCK || id === BLOCK) return this.#chosen !== undefined && trackOf(peek) === this.#chosen.number;
    return OF_TRACK.has(id) && this.#entry !== undefined;
  }

  element(id: number, body: Uint8Array): void {
    if (id === TRACK_ENTRY || id === CLUSTER) this.#endEntry();
    if (id === TRACK_ENTRY) this.#entry = { number: 0, type: 0, codec: "", private: undefined, isEncoded: false };
    const entry = this.#entry;
    if (entry !== undefined && OF_TRACK.has(id)) this.#field(entry, id, body);
    if (id !== SIMPLE_BLOCK && id !== BLOCK) return;
    for (const frame of framesOf(body)) this.#packets.decode(frame, this.#sink!);
  }

  #field(entry: Track, id: number, body: Uint8Array): void {
    if (id === TRACK_NUMBER) entry.number = readInteger(body, 0, body.length);
    if (id === TRACK_TYPE) entry.type = readInteger(body, 0, body.length);
    if (id === CODEC_ID) entry.codec = Buffer.from(body).toString("latin1").replace(/\0.*$/, "");
    if (id === CODEC_PRIVATE) entry.private = body.slice();
    if (id === CONTENT_ENCODINGS) entry.isEncoded = true;
  }

  #endEntry(): void {
    const entry = this.#entry;
    this.#entry = undefined;
    if (entry === undefined || entry.type !== TYPE_AUDIO || this.#chosen !== undefined) return;
    if (entry.codec !== "A_OPUS" || entry.isEncoded) {
      const how = entry.isEncoded ? ", compressed or encrypted once more" : "";
      formatUnsupported(`Matroska with ${entry.codec.slice(0, 32)}${how}`, "WebM and Matroska with Opus");
    }
    if (entry.private === undefined || !isOpusHead(entry.private)) decodeFailed(this.#name, "it has no Opus header");
    this.#packets.begin(readOpusHead(entry.private, this.#name));
    this.#chosen = entry;
  }
}
