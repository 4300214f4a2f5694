/**
 * WAV headers: reads what is met in the wild, writes 16-bit PCM, µ-law and A-law.
 *
 * Ours, because of what the readers on npm do: wavefile 11 turns the whole file into arrays before it gives a sample
 * (seven times as long, four times the memory), @audio/decode-wav 1.5 finds no samples behind a chunk of odd length.
 * Reference: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, chunk padding) and
 * "Multiple Channel Audio Data and WAVE Files" (the extensible format).
 */
import { decodeFailed, formatUnsupported } from "./formats/format-decoder.js";
import type { RawEncoding } from "./formats/raw.js";

export interface WavFormat {
  readonly rateHz: number;
  readonly channels: number;
  readonly encoding: RawEncoding;
}

/** Channels of a file that are averaged to one. At it: AUDIO_FORMAT_UNSUPPORTED. */
export const WAV_CHANNELS_MAX = 32;

export function isWav(bytes: Uint8Array): boolean {
  return (isTag(bytes, 0, "RIFF") || isTag(bytes, 0, "RF64")) && isTag(bytes, 8, "WAVE");
}

/**
 * What the body of a `fmt ` chunk says. Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED.
 * @param name for the message.
 */
export function readWavFormat(body: Uint8Array, name: string): WavFormat {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body.length < FORMAT_BYTES) decodeFailed(name, "its format chunk is too short");
  let tag = view.getUint16(0, true);
  if (tag === FORMAT_EXTENSIBLE) {
    if (body.length < EXTENSIBLE_BYTES) decodeFailed(name, "its extensible format chunk is too short");
    tag = view.getUint16(24, true);
  }
  const channels = view.getUint16(2, true);
  const rateHz = view.getUint32(4, true);
  const bitsPerSample = view.getUint16(14, true);
  if (channels === 0 || rateHz === 0) {
    decodeFailed(name, `its format chunk says ${channels} channels at ${rateHz} Hz`);
  }
  const encoding = ENCODINGS[`${tag}/${bitsPerSample}`];
  if (encoding === undefined || channels > WAV_CHANNELS_MAX) {
    formatUnsupported(`WAV with format tag ${tag}, ${bitsPerSample} bits and ${channels} channels`, SUPPORTED);
  }
  return { rateHz, channels, encoding };
}

/** Bytes of a format chunk that are looked at. */
export const EXTENSIBLE_BYTES = 26;
const FORMAT_BYTES = 16;
const FORMAT_PCM = 1;
const FORMAT_ALAW = 6;
const FORMAT_MULAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;
const SUPPORTED = "PCM of 8, 16, 24 or 32 bits, float of 32 or 64 bits, A-law, µ-law";

/** By format tag and bits. */
const ENCODINGS: Readonly<Record<string, RawEncoding>> = {
  "1/8": "uint8",
  "1/16": "linear16",
  "1/24": "linear24",
  "1/32": "linear32",
  "3/32": "float32",
  "3/64": "float64",
  "6/8": "alaw",
  "7/8": "mulaw",
};

const HEADER_BYTES = 44;
/** What a stream's header says of a length that nobody knows yet. */
const OPEN_LENGTH = 0xffffffff;

/**
 * A mono header of 44 bytes.
 * @param sampleCount samples that follow; without it, or beyond 4 GiB, the length stays open (0xFFFFFFFF), as other
 * programs write streams.
 */
export function wavHeader(
  encoding: "linear16" | "mulaw" | "alaw",
  rateHz: number,
  sampleCount?: number,
): Uint8Array<ArrayBuffer> {
  const sampleBytes = encoding === "linear16" ? 2 : 1;
  const dataBytes = (sampleCount ?? OPEN_LENGTH) * sampleBytes;
  const isOpen = dataBytes + HEADER_BYTES > OPEN_LENGTH;
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  writeTag(bytes, 0, "RIFF");
  view.setUint32(4, isOpen ? OPEN_LENGTH : dataBytes + HEADER_BYTES - 8, true);
  writeTag(bytes, 8, "WAVE");
  writeTag(bytes, 12, "fmt ");
  view.setUint32(16, FORMAT_BYTES, true);
  view.setUint16(20, { linear16: FORMAT_PCM, mulaw: FORMAT_MULAW, alaw: FORMAT_ALAW }[encoding], true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * sampleBytes, true);
  view.setUint16(32, sampleBytes, true);
  view.setUint16(34, 8 * sampleBytes, true);
  writeTag(bytes, 36, "data");
  view.setUint32(40, isOpen ? OPEN_LENGTH : dataBytes, true);
  return bytes;
}

/** A complete mono 16-bit WAV file. */
export function encodeWav(pcm: Int16Array, rateHz: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + pcm.length * 2);
  bytes.set(wavHeader("linear16", rateHz, pcm.length));
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < pcm.length; index++) view.setInt16(HEADER_BYTES + 2 * index, pcm[index]!, true);
  return bytes;
}

export function isTag(bytes: Uint8Array, offset: number, tag: string): boolean {
  for (let index = 0; index < tag.length; index++) {
    if (bytes[offset + index] !== tag.charCodeAt(index)) return false;
  }
  return true;
}

function writeTag(bytes: Uint8Array, offset: number, tag: string): void {
  for (let index = 0; index < tag.length; index++) bytes[offset + index] = tag.charCodeAt(index);
}
