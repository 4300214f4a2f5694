/** The header packet of Opus in Ogg and Matroska: RFC 7845, section 5.1. */
import { isTag } from "../wav.js";
import { CHANNELS_MAX, decodeFailed, formatUnsupported } from "./format-decoder.js";

/** Opus counts in samples of this rate, whatever rate it is decoded to. */
export const OPUS_RATE_HZ = 48_000;

export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz that are dropped from the front. */
  readonly preSkip: number;
  /** Linear; 1 is unchanged. */
  readonly gain: number;
  readonly streamCount: number;
  readonly coupledStreamCount: number;
  readonly channelMapping: readonly number[];
}

const HEAD_BYTES = 19;

export function isOpusHead(packet: Uint8Array): boolean {
  return isTag(packet, 0, "OpusHead");
}

/** Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED. */
export function readOpusHead(packet: Uint8Array, name: string): OpusHead {
  if (!isOpusHead(packet) || packet.length < HEAD_BYTES) decodeFailed(name, "its Opus header is too short");
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const channels = packet[9]!;
  const family = packet[18]!;
  if (packet[8]! >> 4 !== 0 || channels === 0) decodeFailed(name, "its Opus header is nonsense");
  if (channels > CHANNELS_MAX || (family === 0 && channels > 2)) {
    formatUnsupported(`Opus with ${channels} channels of mapping family ${family}`, `1 to ${CHANNELS_MAX} channels`);
  }
  const shared = {
    channels,
    preSkip: view.getUint16(10, true),
    // Q7.8 decibels.
    gain: 10 ** (view.getInt16(16, true) / 256 / 20),
  };
  if (family === 0) {
    return {
      ...shared,
      streamCount: 1,
      coupledStreamCount: channels - 1,
      channelMapping: channels === 2 ? [0, 1] : [0],
    };
  }
  if (packet.length < HEAD_BYTES + 2 + channels) decodeFailed(name, "its Opus header is too short");
  const streamCount = packet[19]!;
  const coupledStreamCount = packet[20]!;
  const channelMapping = [...packet.subarray(21, 21 + channels)];
  const decodedCount = streamCount + coupledStreamCount;
  const isSound =
    streamCount > 0 &&
    streamCount <= channels &&
    coupledStreamCount <= streamCount &&
    channelMapping.every((index) => index < decodedCount || index === 255);
  if (!isSound) decodeFailed(name, "its Opus header is nonsense");
  return { ...shared, streamCount, coupledStreamCount, channelMapping };
}
