/** FLAC by libFLAC (BSD), as compiled to WebAssembly by the wasm-audio-decoders project (MIT). Not for live streams. */
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import { type FormatDecoder, Int16Channels, type PcmSink } from "./format-decoder.js";

/** The decoder makes 1.0 of the integer 32767; everyone else's 1.0 is 32768. */
const GAIN = 32767 / 32768;
/** Bytes that are decoded in one go. So few, because a frame of silence has a dozen bytes and up to 65535 samples. */
const PIECE_BYTES = 1_024;

export class FlacDecoder implements FormatDecoder {
  readonly #decoder: FLACDecoder;
  readonly #channels = new Int16Channels();
  complaint: string | undefined;

  private constructor(decoder: FLACDecoder) {
    this.#decoder = decoder;
  }

  static async create(): Promise<FlacDecoder> {
    const decoder = new FLACDecoder();
    await decoder.ready;
    return new FlacDecoder(decoder);
  }

  async decode(bytes: Uint8Array, sink: PcmSink): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      this.#take(await this.#decoder.decode(bytes.subarray(at, at + PIECE_BYTES)), sink);
    }
  }

  async end(sink: PcmSink): Promise<void> {
    this.#take(await this.#decoder.flush(), sink);
  }

  free(): void {
    this.#decoder.free();
  }

  #take(piece: Awaited<ReturnType<FLACDecoder["decode"]>>, sink: PcmSink): void {
    const { channelData, samplesDecoded, sampleRate, errors } = piece;
    this.complaint ??= errors[0]?.message;
    if (samplesDecoded > 0) sink(this.#channels.from(channelData, samplesDecoded, GAIN), samplesDecoded, sampleRate);
  }
}
