/**
 * Synthesised speech to files and streams, chunk by chunk. Synchronous once it is open; what each costs is in
 * docs/AUDIO.md.
 */
import { FlacEncoder } from "./formats/flac-encoder.js";
import { formatUnsupported } from "./formats/format-decoder.js";
import { Mp3Encoder } from "./formats/mp3-encoder.js";
import { OggOpusEncoder } from "./formats/ogg-opus-encoder.js";
import { encodeG711, type G711Law } from "./g711.js";
import { createResampler, RESAMPLER_RATES_HZ } from "./resampler.js";
import { wavHeader } from "./wav.js";

export const SPEECH_FORMATS = ["pcm", "wav", "mulaw", "alaw", "mp3", "opus", "flac"] as const;

/** `opus` is Opus in Ogg; `pcm` is s16le without a header. */
export type SpeechFormat = (typeof SPEECH_FORMATS)[number];

export interface EncoderOptions {
  readonly format: SpeechFormat;
  /** Of the PCM that will be given: one of RESAMPLER_RATES_HZ. It is also the rate of what is written, but see `opus`. */
  readonly rateHz: number;
  /** A WAV header before `pcm` (which makes it `wav`), `mulaw` or `alaw`. Default: only before `wav`. */
  readonly hasWavHeader?: boolean | undefined;
  /** If known: the WAV and FLAC headers give the length. Otherwise it stays open there. */
  readonly sampleCount?: number | undefined;
  /** Of `mp3` (32, 48, 64, 96, 128, 160, 192 …) and `opus` (6 to 510), in kbit/s. Default 64 and 32. */
  readonly bitRateKbps?: number | undefined;
}

export interface AudioEncoder {
  /** For HTTP. */
  readonly contentType: string;
  /** Of the PCM that is given. */
  readonly rateHz: number;
  /** s16 mono. Returns what is complete, in new memory; it may be empty. The first one brings the header. */
  encode(pcm: Int16Array): Uint8Array;
  /** What was held back, and the format's end. Once; the encoder is freed. */
  finish(): Uint8Array;
  /** For an encoder that is given up before its end. Idempotent. */
  free(): void;
}

/** Throws AUDIO_FORMAT_UNSUPPORTED for a format, rate or bit rate that is not there. */
export async function createAudioEncoder(options: EncoderOptions): Promise<AudioEncoder> {
  const { format, rateHz, sampleCount, bitRateKbps } = options;
  if (!RESAMPLER_RATES_HZ.some((known) => known === rateHz)) {
    formatUnsupported(`${format} at ${rateHz} Hz`, RESAMPLER_RATES_HZ.join(", "));
  }
  if (format === "mp3") return Mp3Encoder.create(rateHz, bitRateKbps);
  if (format === "opus") return createOpus(rateHz, bitRateKbps);
  if (format === "flac") return new FlacEncoder(rateHz, sampleCount);
  const hasHeader = options.hasWavHeader ?? format === "wav";
  if (format === "pcm" || format === "wav") {
    return new PlainEncoder("linear16", rateHz, hasHeader ? wavHeader("linear16", rateHz, sampleCount) : undefined);
  }
  if (format === "mulaw" || format === "alaw") {
    return new PlainEncoder(format, rateHz, hasHeader ? wavHeader(format, rateHz, sampleCount) : undefined);
  }
  return formatUnsupported(String(format), SPEECH_FORMATS.join(", "));
}

const CONTENT_TYPES = { linear16: "audio/pcm", mulaw: "audio/basic", alaw: "audio/x-alaw-basic" } as const;

/** Samples one by one, with or without a WAV header. */
class PlainEncoder implements AudioEncoder {
  readonly contentType: string;
  readonly rateHz: number;
  readonly #law: G711Law | undefined;
  #header: Uint8Array | undefined;

  constructor(encoding: "linear16" | G711Law, rateHz: number, header: Uint8Array | undefined) {
    this.contentType = header === undefined ? CONTENT_TYPES[encoding] : "audio/wav";
    this.rateHz = rateHz;
    this.#law = encoding === "linear16" ? undefined : encoding;
    this.#header = header;
  }

  encode(pcm: Int16Array): Uint8Array {
    const header = this.#header;
    this.#header = undefined;
    const headerBytes = header?.length ?? 0;
    const bytes = new Uint8Array(headerBytes + pcm.length * (this.#law === undefined ? 2 : 1));
    if (header !== undefined) bytes.set(header);
    if (this.#law !== undefined) encodeG711(this.#law, pcm, 0, pcm.length, bytes, headerBytes);
    else writeS16(pcm, bytes, headerBytes);
    return bytes;
  }

  finish(): Uint8Array {
    return this.encode(new Int16Array(0));
  }

  free(): void {}
}

function writeS16(pcm: Int16Array, bytes: Uint8Array, offset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let index = 0; index < pcm.length; index++) view.setInt16(offset + 2 * index, pcm[index]!, true);
}

/** Opus knows five rates; others are brought to its 48 kHz. */
function createOpus(rateHz: number, bitRateKbps: number | undefined): AudioEncoder {
  const isNative = OggOpusEncoder.takes(rateHz);
  const resampler = createResampler(rateHz, isNative ? rateHz : 48_000);
  return new OggOpusEncoder(rateHz, resampler, bitRateKbps);
}
