/**
 * Recordings to 16 kHz. Stateless and bounded, made for a worker pool: it computes on its thread without a break.
 *
 * Files are decoded piece by piece, so that only the result is held whole.
 */
import { isSyrinxError, reasonOf, SyrinxError } from "../base/errors.js";
import { GRAPH_RATE_HZ, samplesToMs } from "../base/units.js";
import { FlacDecoder } from "./formats/flac.js";
import { decodeFailed, type FormatDecoder, formatUnsupported } from "./formats/format-decoder.js";
import { Mp3Decoder } from "./formats/mp3.js";
import { OggOpusDecoder } from "./formats/ogg-opus.js";
import { VorbisDecoder } from "./formats/ogg-vorbis.js";
import { OPUS_RATE_HZ, readOpusHead } from "./formats/opus-head.js";
import { OpusPackets } from "./formats/opus-packets.js";
import { createRawDecoder, type RawEncoding } from "./formats/raw.js";
import { describeUnsupported, FILE_FORMATS, firstOggPacket, formatOf } from "./formats/sniff.js";
import { WavDecoder } from "./formats/wav-decoder.js";
import { WebmDecoder } from "./formats/webm.js";
import { Gatherer } from "./gather.js";

/** Longest recording, all kept channels together. At it: AUDIO_DECODE_FAILED; small files can hold very much silence. */
export const RECORDING_MS_MAX = 6 * 3_600_000;
/** How long decoding one recording may take. At it: AUDIO_DECODE_TIMEOUT. Looked at between pieces. */
export const DECODE_MS_MAX = 300_000;

/** Encodings that have no header, for which rate and channels must be known. */
export type UploadEncoding = Extract<RawEncoding, "linear16" | "linear32" | "mulaw" | "alaw">;

export interface DecodeOptions {
  /** For messages, usually the file's name. */
  readonly name: string;
  /** Absent: the first bytes tell. Given, and a header is there nevertheless: the header counts. */
  readonly encoding?: UploadEncoding | undefined;
  /** With `encoding`. Default 16000. */
  readonly rateHz?: number | undefined;
  /** With `encoding`: interleaved channels, 1 to 8. Default 1. */
  readonly channels?: number | undefined;
  /** One PCM per channel, of at most 8. Default: their average. */
  readonly split?: boolean | undefined;
  /** One of RESAMPLER_RATES_HZ. Default 16000. */
  readonly toRateHz?: number | undefined;
  /** Default {@link DECODE_MS_MAX}. */
  readonly timeoutMs?: number | undefined;
}

export interface DecodedChannels {
  /** One array, or with `split` one per channel; all of one length. */
  readonly pcm: readonly Int16Array<ArrayBuffer>[];
  readonly sourceRateHz: number;
  /** Of the recording. */
  readonly channels: number;
  readonly durationMs: number;
}

export interface DecodedAudio extends Omit<DecodedChannels, "pcm"> {
  /** Mono, at 16 kHz unless another rate was asked for. */
  readonly pcm: Int16Array;
}

/**
 * Decodes a file to mono; what it is, its first bytes tell ({@link FILE_FORMATS}). A file that was cut off gives what is
 * there. Throws AUDIO_DECODE_FAILED, AUDIO_DECODE_TIMEOUT, AUDIO_FORMAT_UNSUPPORTED.
 * @param name for messages, usually the file's path.
 * @param toRateHz one of RESAMPLER_RATES_HZ
 */
export async function decodeAudio(bytes: Uint8Array, name: string, toRateHz = GRAPH_RATE_HZ): Promise<DecodedAudio> {
  const { pcm, ...rest } = await decodeChannels(bytes, { name, toRateHz });
  return { ...rest, pcm: pcm[0]! };
}

/** As {@link decodeAudio}, for files and for PCM of a declared encoding, mixed or channel by channel. */
export async function decodeChannels(bytes: Uint8Array, options: DecodeOptions): Promise<DecodedChannels> {
  if (bytes.length === 0) decodeFailed(options.name, "it is empty");
  let decoder: FormatDecoder | undefined;
  try {
    decoder = await open(bytes, options);
    return await decodeAll(bytes, decoder, options);
  } catch (error) {
    if (isSyrinxError(error)) throw error;
    // A WebAssembly trap or a range error deep in a decoder: the file did it.
    throw new SyrinxError("AUDIO_DECODE_FAILED", { path: options.name, reason: reasonOf(error) }, error);
  } finally {
    decoder?.free();
  }
}

/** Bytes that are given to a decoder in one go. */
const PIECE_BYTES = 65_536;

async function decodeAll(bytes: Uint8Array, decoder: FormatDecoder, options: DecodeOptions): Promise<DecodedChannels> {
  const { name, toRateHz = GRAPH_RATE_HZ, split = false, timeoutMs = DECODE_MS_MAX } = options;
  const gatherer = new Gatherer(name, toRateHz, split);
  const startedMs = performance.now();
  const checkTime = (): void => {
    if (performance.now() - startedMs > timeoutMs) throw new SyrinxError("AUDIO_DECODE_TIMEOUT", { name, timeoutMs });
  };
  const sink = (channels: readonly Int16Array[], count: number, rateHz: number): void => {
    gatherer.take(channels, count, rateHz);
    const kept = split ? channels.length : 1;
    if (kept * samplesToMs(gatherer.sourceCount, rateHz) > RECORDING_MS_MAX) {
      decodeFailed(name, `it is longer than ${RECORDING_MS_MAX / 3_600_000} hours, its channels together`);
    }
    checkTime();
  };
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    await decoder.decode(bytes.subarray(at, at + PIECE_BYTES), sink);
    checkTime();
  }
  await decoder.end(sink);
  // Damage is no failure as long as something could be decoded.
  if (gatherer.sourceCount === 0) decodeFailed(name, decoder.complaint ?? "it has no samples");
  gatherer.flush();
  return {
    pcm: gatherer.views().map((pcm) => pcm.slice()),
    sourceRateHz: gatherer.sourceRateHz,
    channels: gatherer.sourceChannels,
    durationMs: samplesToMs(gatherer.sourceCount, gatherer.sourceRateHz),
  };
}

async function open(bytes: Uint8Array, options: DecodeOptions): Promise<FormatDecoder> {
  const { name, encoding, toRateHz = GRAPH_RATE_HZ } = options;
  const format = formatOf(bytes);
  if (encoding !== undefined && (format === undefined || format === "mp3")) {
    // Two bytes are enough to look like MP3, so a declared encoding counts more.
    return createRawDecoder(encoding, options.rateHz ?? GRAPH_RATE_HZ, options.channels ?? 1);
  }
  const opusRateHz = toRateHz <= GRAPH_RATE_HZ ? GRAPH_RATE_HZ : OPUS_RATE_HZ;
  if (format === "wav") return new WavDecoder(name);
  if (format === "flac") return FlacDecoder.create();
  if (format === "mp3") return Mp3Decoder.create();
  if (format === "ogg-vorbis") return VorbisDecoder.create(firstOggPacket(bytes), name);
  if (format === "webm") return new WebmDecoder(await OpusPackets.create(name, opusRateHz), name);
  if (format === "ogg-opus") {
    const head = readOpusHead(firstOggPacket(bytes), name);
    return new OggOpusDecoder(await OpusPackets.create(name, opusRateHz, head), opusRateHz, name);
  }
  return formatUnsupported(`${describeUnsupported(bytes)} (${name})`, FILE_FORMATS);
}
