/** What bytes are, by how they begin. Names and content types are not asked: they are often wrong. */
import { isTag, isWav } from "../wav.js";
import { isOpusHead } from "./opus-head.js";

export type FileFormat = "wav" | "flac" | "mp3" | "ogg-opus" | "ogg-vorbis" | "webm";

export const FILE_FORMATS = "WAV, FLAC, MP3, Ogg with Opus or Vorbis, WebM and Matroska with Opus";

/** Bytes after which {@link formatOf} has seen all it looks at, ID3 tags and Ogg apart. */
export const SNIFF_BYTES = 64;

/** Of a file's beginning; `undefined` for what is not supported. */
export function formatOf(bytes: Uint8Array): FileFormat | undefined {
  if (isWav(bytes)) return "wav";
  if (isTag(bytes, 0, "OggS")) return oggFormatOf(bytes);
  if (isTag(bytes, 0, "\x1aE\xdf\xa3")) return "webm";
  const tagBytes = id3Bytes(bytes);
  if (isTag(bytes, tagBytes, "fLaC")) return "flac";
  return isMpegFrame(bytes, tagBytes) || tagBytes > 0 ? "mp3" : undefined;
}

/** For messages: what a file is that is not supported. */
export function describeUnsupported(bytes: Uint8Array): string {
  if (isTag(bytes, 0, "OggS")) return "Ogg without Opus or Vorbis";
  if (isTag(bytes, 4, "ftyp")) return "MP4 or M4A (AAC: there is no decoder for it under a free licence on npm)";
  if (isAdts(bytes)) return "AAC";
  if (isTag(bytes, 0, "FORM")) return "AIFF";
  if (isTag(bytes, 0, "#!AMR")) return "AMR";
  return isTag(bytes, 0, "RIFX") ? "big-endian WAV" : "of an unknown kind";
}

/** Bytes of the ID3v2 tag that the file begins with, or 0. */
export function id3Bytes(bytes: Uint8Array): number {
  if (!isTag(bytes, 0, "ID3") || bytes.length < 10) return 0;
  // Four times seven bits.
  return 10 + ((bytes[6]! << 21) | (bytes[7]! << 14) | (bytes[8]! << 7) | bytes[9]!);
}

/** The first packet of an Ogg file that begins with `bytes`. */
export function firstOggPacket(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(27 + (bytes[26] ?? 0));
}

function oggFormatOf(bytes: Uint8Array): FileFormat | undefined {
  const packet = firstOggPacket(bytes);
  if (isOpusHead(packet)) return "ogg-opus";
  return isTag(packet, 0, "\x01vorbis") ? "ogg-vorbis" : undefined;
}

/** Eleven set bits, then a version, a layer, a bit rate and a sample rate that exist. */
function isMpegFrame(bytes: Uint8Array, offset: number): boolean {
  const [first = 0, second = 0, third = 0] = bytes.subarray(offset, offset + 3);
  const isSynchronous = first === 0xff && (second & 0xe0) === 0xe0;
  return (
    isSynchronous && (second & 0x18) !== 0x08 && (second & 0x06) !== 0 && third >> 4 !== 15 && (third & 0x0c) !== 12
  );
}

/** As an MPEG frame, with the layer that MPEG audio has not. */
function isAdts(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xf6) === 0xf0;
}
