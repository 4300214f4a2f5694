/** The framing of an Opus packet: RFC 6716, section 3. */

/** Of one frame. */
const FRAME_BYTES_MAX = 1_275;
const PACKET_MS_MAX = 120;

/**
 * Whether the packet's frames fill it as the rules R1 to R7 say. libopus refuses the others; asking first keeps its
 * complaints off the standard error.
 */
export function isOpusPacket(packet: Uint8Array): boolean {
  if (packet.length === 0) return false;
  const code = packet[0]! & 3;
  const bodyBytes = packet.length - 1;
  if (code === 0) return bodyBytes <= FRAME_BYTES_MAX;
  if (code === 1) return bodyBytes % 2 === 0 && bodyBytes / 2 <= FRAME_BYTES_MAX;
  if (code === 2) return fits(packet, 1, 2, packet.length);
  return isPacketOfMany(packet);
}

/** A count byte, perhaps padding, then frames of equal or of given sizes. */
function isPacketOfMany(packet: Uint8Array): boolean {
  if (packet.length < 2) return false;
  const flags = packet[1]!;
  const count = flags & 0x3f;
  if (count === 0 || count * frameMs(packet[0]!) > PACKET_MS_MAX) return false;
  let at = 2;
  let end = packet.length;
  if ((flags & 0x40) !== 0) {
    let step = 255;
    while (step === 255 && at < end) {
      step = packet[at++]!;
      end -= step === 255 ? 254 : step;
    }
    if (step === 255) return false;
  }
  if (at > end) return false;
  if ((flags & 0x80) !== 0) return fits(packet, at, count, end);
  return (end - at) % count === 0 && (end - at) / count <= FRAME_BYTES_MAX;
}

/** Whether the sizes of all frames but the last, which come first, leave a size for the last. */
function fits(packet: Uint8Array, from: number, count: number, end: number): boolean {
  let at = from;
  let bytes = 0;
  for (let frame = 1; frame < count; frame++) {
    if (at >= end) return false;
    const first = packet[at++]!;
    // From 252 on a second byte counts four.
    if (first >= 252 && at >= end) return false;
    const size = first < 252 ? first : first + 4 * packet[at++]!;
    bytes += size;
  }
  const last = end - at - bytes;
  return last >= 0 && last <= FRAME_BYTES_MAX;
}

/** By the configuration in the first five bits: SILK, hybrid, CELT. */
function frameMs(toc: number): number {
  const config = toc >> 3;
  if (config < 12) return [10, 20, 40, 60][config & 3]!;
  if (config < 16) return [10, 20][config & 1]!;
  return [2.5, 5, 10, 20][config & 3]!;
}
