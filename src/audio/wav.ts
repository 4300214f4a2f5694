/**
 * WAV files: reads what is met in the wild, writes 16-bit PCM.
 *
 * Ours, because of what the readers on npm do: wavefile 11 turns the whole file into arrays before it gives a sample
 * (seven times as long, four times the memory), @audio/decode-wav 1.5 finds no samples behind a chunk of odd length.
 * Reference: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, chunk padding) and
 * "Multiple Channel Audio Data and WAVE Files" (the extensible format).
 */
import { SyrinxError } from "../base/errors.js";
import { decodeG711, type G711Law } from "./g711.js";
import { sampleOf } from "./pcm.js";

type Encoding = "int" | "float" | G711Law;

export interface WavHeader {
  readonly rateHz: number;
  readonly channels: number;
  readonly encoding: Encoding;
  readonly bitsPerSample: number;
  /** Where the samples begin in the file, and how many whole sample frames (one sample per channel) are there. */
  readonly dataOffset: number;
  readonly frameCount: number;
}

/** At it: AUDIO_FORMAT_UNSUPPORTED. */
export const WAV_CHANNELS_MAX = 32;

export function isWav(bytes: Uint8Array): boolean {
  return (isTag(bytes, 0, "RIFF") || isTag(bytes, 0, "RF64")) && isTag(bytes, 8, "WAVE");
}

/**
 * Finds the samples of a WAV file. A data chunk that claims more than there is (a cut-off download, a stream that was
 * written with an open size) has the samples that are there.
 * Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED.
 * @param name for the message.
 */
export function readWavHeader(bytes: Uint8Array, name: string): WavHeader {
  if (!isWav(bytes)) fail(name, "it does not begin as a WAV file does");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  let offset = 12;
  while (offset + 8 <= bytes.length) {
    const byteCount = view.getUint32(offset + 4, true);
    const body = offset + 8;
    if (isTag(bytes, offset, "fmt ")) format = readFormat(view, body, byteCount, name);
    if (isTag(bytes, offset, "data")) {
      if (format === undefined) fail(name, "its samples come before their format");
      const available = Math.min(byteCount, bytes.length - body);
      const { frameBytes, ...rest } = format;
      return { ...rest, dataOffset: body, frameCount: Math.floor(available / frameBytes) };
    }
    // Chunks of odd length are padded.
    offset = body + byteCount + (byteCount & 1);
  }
  return fail(name, format === undefined ? "it ends before its format" : "it has no samples");
}

/** Decodes `count` sample frames from `frame` on, averages their channels and writes `count` s16 samples. */
export function readWavFrames(
  bytes: Uint8Array,
  header: WavHeader,
  frame: number,
  count: number,
  output: Int16Array,
): void {
  const { channels, dataOffset, bitsPerSample } = header;
  const sampleBytes = bitsPerSample / 8;
  const read = readerOf(header, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes);
  let at = dataOffset + frame * channels * sampleBytes;
  for (let index = 0; index < count; index++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      sum += read(at);
      at += sampleBytes;
    }
    output[index] = sampleOf(sum / channels);
  }
}

/** A complete mono 16-bit WAV file. */
export function encodeWav(pcm: Int16Array, rateHz: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + pcm.length * 2);
  const view = new DataView(bytes.buffer);
  const dataBytes = pcm.length * 2;
  writeTag(bytes, 0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  writeTag(bytes, 8, "WAVE");
  writeTag(bytes, 12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, FORMAT_PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  writeTag(bytes, 36, "data");
  view.setUint32(40, dataBytes, true);
  for (let index = 0; index < pcm.length; index++) view.setInt16(HEADER_BYTES + 2 * index, pcm[index]!, true);
  return bytes;
}

const HEADER_BYTES = 44;
const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_ALAW = 6;
const FORMAT_MULAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;
const SUPPORTED = "PCM of 8, 16, 24 or 32 bits, float of 32 or 64 bits, A-law, µ-law";

interface Format extends Pick<WavHeader, "rateHz" | "channels" | "encoding" | "bitsPerSample"> {
  readonly frameBytes: number;
}

function readFormat(view: DataView, body: number, byteCount: number, name: string): Format {
  if (byteCount < 16 || body + 16 > view.byteLength) fail(name, "its format chunk is too short");
  let tag = view.getUint16(body, true);
  if (tag === FORMAT_EXTENSIBLE) {
    if (byteCount < 26 || body + 26 > view.byteLength) fail(name, "its extensible format chunk is too short");
    tag = view.getUint16(body + 24, true);
  }
  const channels = view.getUint16(body + 2, true);
  const rateHz = view.getUint32(body + 4, true);
  const bitsPerSample = view.getUint16(body + 14, true);
  if (channels === 0 || rateHz === 0) fail(name, `its format chunk says ${channels} channels at ${rateHz} Hz`);
  const encoding = encodingOf(tag, bitsPerSample);
  if (encoding === undefined || channels > WAV_CHANNELS_MAX) {
    const format = `WAV with format tag ${tag}, ${bitsPerSample} bits and ${channels} channels`;
    throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format, supported: SUPPORTED });
  }
  return { rateHz, channels, encoding, bitsPerSample, frameBytes: (bitsPerSample / 8) * channels };
}

function encodingOf(tag: number, bitsPerSample: number): Encoding | undefined {
  if (tag === FORMAT_PCM && [8, 16, 24, 32].includes(bitsPerSample)) return "int";
  if (tag === FORMAT_FLOAT && [32, 64].includes(bitsPerSample)) return "float";
  if (tag === FORMAT_MULAW && bitsPerSample === 8) return "mulaw";
  return tag === FORMAT_ALAW && bitsPerSample === 8 ? "alaw" : undefined;
}

/** Reads the sample at a byte offset, in [-1, 1]. */
function readerOf(header: WavHeader, view: DataView, bytes: Uint8Array): (at: number) => number {
  const { encoding, bitsPerSample } = header;
  if (encoding === "float") {
    return bitsPerSample === 64 ? (at) => view.getFloat64(at, true) : (at) => view.getFloat32(at, true);
  }
  if (encoding !== "int") {
    const sample = new Int16Array(1);
    return (at) => {
      decodeG711(encoding, bytes, at, 1, sample, 0);
      return sample[0]! / 32768;
    };
  }
  // 8 bits are unsigned in WAV, all others signed.
  if (bitsPerSample === 8) return (at) => (view.getUint8(at) - 128) / 128;
  if (bitsPerSample === 16) return (at) => view.getInt16(at, true) / 32768;
  if (bitsPerSample === 32) return (at) => view.getInt32(at, true) / 2147483648;
  return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608;
}

function fail(path: string, reason: string): never {
  throw new SyrinxError("AUDIO_DECODE_FAILED", { path, reason });
}

function isTag(bytes: Uint8Array, offset: number, tag: string): boolean {
  for (let index = 0; index < tag.length; index++) {
    if (bytes[offset + index] !== tag.charCodeAt(index)) return false;
  }
  return true;
}

function writeTag(bytes: Uint8Array, offset: number, tag: string): void {
  for (let index = 0; index < tag.length; index++) bytes[offset + index] = tag.charCodeAt(index);
}
