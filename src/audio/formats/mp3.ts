/** MP3 by libmpg123 (LGPL), as compiled to WebAssembly by the wasm-audio-decoders project (MIT). Not for live streams. */
import { MPEGDecoder } from "mpg123-decoder";
import { type FormatDecoder, Int16Channels, type PcmSink } from "./format-decoder.js";
import { id3Bytes } from "./sniff.js";

/** Bytes that are decoded in one go. */
const PIECE_BYTES = 65_536;
const ID3_HEAD_BYTES = 10;

export class Mp3Decoder implements FormatDecoder {
  readonly #decoder: MPEGDecoder;
  readonly #channels = new Int16Channels();
  /** The first bytes, until it is known where the first frame begins. */
  #head: Uint8Array | undefined = new Uint8Array(0);
  #tagBytesLeft = 0;
  #isMono: boolean | undefined;
  complaint: string | undefined;

  private constructor(decoder: MPEGDecoder) {
    this.#decoder = decoder;
  }

  static async create(): Promise<Mp3Decoder> {
    const decoder = new MPEGDecoder();
    await decoder.ready;
    return new Mp3Decoder(decoder);
  }

  decode(bytes: Uint8Array, sink: PcmSink): void {
    const frames = this.#behindTag(bytes);
    for (let at = 0; at < frames.length; at += PIECE_BYTES) this.#piece(frames.subarray(at, at + PIECE_BYTES), sink);
  }

  end(): void {}

  free(): void {
    this.#decoder.free();
  }

  #piece(bytes: Uint8Array, sink: PcmSink): void {
    const { channelData, samplesDecoded, sampleRate, errors } = this.#decoder.decode(bytes);
    this.complaint ??= errors[0]?.message;
    if (samplesDecoded === 0) return;
    // mpg123 gives stereo; what the stream has its first frame's header says.
    const kept = this.#isMono === true ? channelData.slice(0, 1) : channelData;
    sink(this.#channels.from(kept, samplesDecoded), samplesDecoded, sampleRate);
  }

  /** What of `bytes` lies behind the ID3v2 tag. */
  #behindTag(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    if (this.#head !== undefined) {
      rest = Buffer.concat([this.#head, bytes]);
      if (rest.length < ID3_HEAD_BYTES) {
        this.#head = rest;
        return rest.subarray(0, 0);
      }
      this.#head = undefined;
      this.#tagBytesLeft = id3Bytes(rest);
    }
    const skipped = Math.min(this.#tagBytesLeft, rest.length);
    this.#tagBytesLeft -= skipped;
    const frames = rest.subarray(skipped);
    if (this.#isMono === undefined && frames.length > 3) this.#isMono = frames[3]! >> 6 === 3;
    return frames;
  }
}
