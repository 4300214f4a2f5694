/** Vorbis in Ogg by libvorbis (BSD), as compiled to WebAssembly by the wasm-audio-decoders project (MIT). Not live. */
import { OggVorbisDecoder } from "@wasm-audio-decoders/ogg-vorbis";
import {
  CHANNELS_MAX,
  decodeFailed,
  type FormatDecoder,
  formatUnsupported,
  Int16Channels,
  type PcmSink,
} from "./format-decoder.js";

/** Bytes that are decoded in one go. So few, because a packet of two bytes may have 4096 samples of each channel. */
const PIECE_BYTES = 1_024;
/** Where the identification header says how many channels there are. */
const CHANNELS_AT = 11;

export class VorbisDecoder implements FormatDecoder {
  readonly #decoder: OggVorbisDecoder;
  readonly #channels = new Int16Channels();
  complaint: string | undefined;

  private constructor(decoder: OggVorbisDecoder) {
    this.#decoder = decoder;
  }

  /**
   * @param firstPacket the identification header.
   * Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED for more than {@link CHANNELS_MAX} channels.
   */
  static async create(firstPacket: Uint8Array, name: string): Promise<VorbisDecoder> {
    const channels = firstPacket[CHANNELS_AT] ?? 0;
    if (channels === 0) decodeFailed(name, "its Vorbis header says 0 channels");
    if (channels > CHANNELS_MAX) formatUnsupported(`Vorbis with ${channels} channels`, `1 to ${CHANNELS_MAX} channels`);
    const decoder = new OggVorbisDecoder();
    await decoder.ready;
    return new VorbisDecoder(decoder);
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

  #take(piece: Awaited<ReturnType<OggVorbisDecoder["decode"]>>, sink: PcmSink): void {
    const { channelData, samplesDecoded, sampleRate, errors } = piece;
    this.complaint ??= errors[0]?.message;
    if (samplesDecoded > 0) sink(this.#channels.from(channelData, samplesDecoded), samplesDecoded, sampleRate);
  }
}
