/**
 * Recordings to 16 kHz mono. Stateless and bounded, made for a worker pool: it computes on its thread without a break.
 *
 * FLAC and MP3 are decoded by libFLAC (BSD) and libmpg123 (LGPL), as compiled to WebAssembly by the wasm-audio-decoders
 * project (MIT). They are fed piece by piece, so that only the 16 kHz result is held whole.
 */
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import { MPEGDecoder } from "mpg123-decoder";
import { isSyrinxError, reasonOf, SyrinxError } from "../base/errors.js";
import { GRAPH_RATE_HZ, samplesToMs } from "../base/units.js";
import { sampleOf } from "./pcm.js";
import { createFileResampler, type Resampler } from "./resampler.js";
import { isWav, readWavFrames, readWavHeader } from "./wav.js";

/** Longest recording. At it: AUDIO_DECODE_FAILED; small files can hold very much silence. */
export const RECORDING_MS_MAX = 6 * 3_600_000;

export interface DecodedAudio {
  /** Mono, at 16 kHz unless another rate was asked for. */
  readonly pcm: Int16Array;
  readonly sourceRateHz: number;
  readonly channels: number;
  readonly durationMs: number;
}

/**
 * Decodes a WAV, FLAC or MP3 file; what it is, its first bytes tell. A file that was cut off gives what is there.
 * Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED.
 * @param name for messages, usually the file's path.
 * @param toRateHz one of RESAMPLER_RATES_HZ
 */
export async function decodeAudio(bytes: Uint8Array, name: string, toRateHz = GRAPH_RATE_HZ): Promise<DecodedAudio> {
  const wanted = { name, toRateHz };
  if (bytes.length === 0) fail(name, "it is empty");
  try {
    if (isWav(bytes)) return decodeWav(bytes, wanted);
    const tagBytes = id3Bytes(bytes);
    if (begins(bytes, "fLaC", tagBytes)) return await decodeFlac(bytes.subarray(tagBytes), wanted);
    if (isMpegFrame(bytes, tagBytes) || tagBytes > 0) return await decodeMp3(bytes, tagBytes, wanted);
  } catch (error) {
    if (isSyrinxError(error)) throw error;
    throw new SyrinxError("AUDIO_DECODE_FAILED", { path: name, reason: reasonOf(error) }, error);
  }
  const format = `${formatOf(bytes)} (${name})`;
  throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format, supported: "WAV, FLAC, MP3" });
}

/** Frames or bytes that are decoded in one go. */
const PIECE_FRAMES = 16_384;
const PIECE_BYTES = 65_536;

function decodeWav(bytes: Uint8Array, wanted: Wanted): DecodedAudio {
  const header = readWavHeader(bytes, wanted.name);
  const recording = new Recording(wanted, header.rateHz, header.channels);
  const piece = new Int16Array(PIECE_FRAMES);
  for (let frame = 0; frame < header.frameCount; frame += PIECE_FRAMES) {
    const count = Math.min(PIECE_FRAMES, header.frameCount - frame);
    readWavFrames(bytes, header, frame, count, piece);
    recording.add(piece, count);
  }
  return recording.finish();
}

/** The FLAC decoder makes 1.0 of the integer 32767; WAV's and MP3's 1.0 is 32768. */
const FLAC_FULL_SCALE = 32767;

async function decodeFlac(bytes: Uint8Array, wanted: Wanted): Promise<DecodedAudio> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  try {
    const recording = new Deferred(wanted, FLAC_FULL_SCALE);
    for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
      recording.add(await decoder.decode(bytes.subarray(offset, offset + PIECE_BYTES)));
    }
    recording.add(await decoder.flush());
    return recording.finish();
  } finally {
    decoder.free();
  }
}

async function decodeMp3(bytes: Uint8Array, tagBytes: number, wanted: Wanted): Promise<DecodedAudio> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    // mpg123 is asked for stereo; what the file has is in the last byte of its first frame's header.
    const isMono = (bytes[tagBytes + 3] ?? 0) >> 6 === 3;
    const recording = new Deferred(wanted, 32768, isMono ? 1 : undefined);
    for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
      recording.add(decoder.decode(bytes.subarray(offset, offset + PIECE_BYTES)));
    }
    return recording.finish();
  } finally {
    decoder.free();
  }
}

interface Wanted {
  /** Of the file, for messages. */
  readonly name: string;
  readonly toRateHz: number;
}

/** Mono samples at a file's rate in, at the wanted rate out, growing as needed. */
class Recording {
  readonly #name: string;
  readonly #resampler: Resampler;
  readonly #channels: number;
  #pcm = new Int16Array(GRAPH_RATE_HZ * 16);
  #count = 0;
  #sourceCount = 0;

  constructor({ name, toRateHz }: Wanted, rateHz: number, channels: number) {
    this.#name = name;
    this.#resampler = createFileResampler(rateHz, toRateHz);
    this.#channels = channels;
  }

  get rateHz(): number {
    return this.#resampler.fromRateHz;
  }

  add(pcm: Int16Array, count: number): void {
    this.#reserve(count);
    this.#count += this.#resampler.process(pcm, 0, count, this.#pcm.subarray(this.#count));
    this.#sourceCount += count;
    if (samplesToMs(this.#sourceCount, this.rateHz) > RECORDING_MS_MAX) {
      fail(this.#name, `it is longer than ${RECORDING_MS_MAX / 3_600_000} hours`);
    }
  }

  finish(): DecodedAudio {
    if (this.#sourceCount === 0) fail(this.#name, "it has no samples");
    this.#reserve(0);
    this.#count += this.#resampler.flush(this.#pcm.subarray(this.#count));
    return {
      pcm: this.#pcm.slice(0, this.#count),
      sourceRateHz: this.rateHz,
      channels: this.#channels,
      durationMs: samplesToMs(this.#sourceCount, this.rateHz),
    };
  }

  #reserve(sourceCount: number): void {
    const needed = this.#count + this.#resampler.outputBound(sourceCount);
    if (needed <= this.#pcm.length) return;
    const larger = new Int16Array(Math.max(needed, 2 * this.#pcm.length));
    larger.set(this.#pcm.subarray(0, this.#count));
    this.#pcm = larger;
  }
}

interface DecodedPiece {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly errors: readonly { readonly message: string }[];
}

/** A recording whose rate and channels are known with the first decoded samples. */
class Deferred {
  readonly #wanted: Wanted;
  readonly #fullScale: number;
  readonly #channels: number | undefined;
  #recording: Recording | undefined;
  #mixed = new Int16Array(0);
  #complaint: string | undefined;

  constructor(wanted: Wanted, fullScale: number, channels?: number) {
    this.#wanted = wanted;
    this.#fullScale = fullScale;
    this.#channels = channels;
  }

  add(piece: DecodedPiece): void {
    this.#complaint ??= piece.errors[0]?.message;
    const count = piece.samplesDecoded;
    if (count === 0) return;
    this.#recording ??= new Recording(this.#wanted, piece.sampleRate, this.#channels ?? piece.channelData.length);
    if (piece.sampleRate !== this.#recording.rateHz) fail(this.#wanted.name, "its sample rate changes");
    if (this.#mixed.length < count) this.#mixed = new Int16Array(count);
    mixDown(piece.channelData, count, this.#fullScale / 32768, this.#mixed);
    this.#recording.add(this.#mixed, count);
  }

  /** Damage is no failure as long as something could be decoded. */
  finish(): DecodedAudio {
    return (
      this.#recording?.finish() ?? fail(this.#wanted.name, this.#complaint ?? "it has no frames that can be decoded")
    );
  }
}

function mixDown(channelData: readonly Float32Array[], count: number, gain: number, output: Int16Array): void {
  const channels = channelData.length;
  const share = gain / channels;
  for (let index = 0; index < count; index++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += channelData[channel]![index]!;
    output[index] = sampleOf(sum * share);
  }
}

function fail(path: string, reason: string): never {
  throw new SyrinxError("AUDIO_DECODE_FAILED", { path, reason });
}

function begins(bytes: Uint8Array, magic: string, offset = 0): boolean {
  return Buffer.from(bytes.subarray(offset, offset + magic.length)).toString("latin1") === magic;
}

/** Bytes of the ID3v2 tag that the file begins with, or 0. */
function id3Bytes(bytes: Uint8Array): number {
  if (!begins(bytes, "ID3") || bytes.length < 10) return 0;
  // Four times seven bits.
  return 10 + ((bytes[6]! << 21) | (bytes[7]! << 14) | (bytes[8]! << 7) | bytes[9]!);
}

/** Eleven set bits, then a version, a layer, a bit rate and a sample rate that exist. */
function isMpegFrame(bytes: Uint8Array, offset: number): boolean {
  const [first = 0, second = 0, third = 0] = bytes.subarray(offset, offset + 3);
  const isSynchronous = first === 0xff && (second & 0xe0) === 0xe0;
  return (
    isSynchronous && (second & 0x18) !== 0x08 && (second & 0x06) !== 0 && third >> 4 !== 15 && (third & 0x0c) !== 12
  );
}

function formatOf(bytes: Uint8Array): string {
  if (begins(bytes, "OggS")) return "Ogg (Opus or Vorbis)";
  if (begins(bytes, "\x1aE\xdf\xa3")) return "WebM or Matroska";
  if (begins(bytes, "ftyp", 4)) return "MP4 or M4A";
  if (begins(bytes, "FORM")) return "AIFF";
  return begins(bytes, "RIFX") ? "big-endian WAV" : "of an unknown kind";
}
