/** FLAC of pure silence, as small as the format lets it be (RFC 9639): 8 s in each frame of 15 bytes or so. */

const BLOCK_SAMPLES = 65_535;
export const BOMB_RATE_HZ = 8_000;

function crc(bytes: Uint8Array, bits: 8 | 16, polynomial: number): number {
  const top = 1 << (bits - 1);
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (bits - 8);
    for (let bit = 0; bit < 8; bit++)
      value = ((value & top) === 0 ? value << 1 : (value << 1) ^ polynomial) & (2 * top - 1);
  }
  return value;
}

/** A frame's number as UTF-8 would write it. */
function coded(number: number): number[] {
  return [...Buffer.from(String.fromCodePoint(number))];
}

function frame(number: number): Uint8Array {
  const size = BLOCK_SAMPLES - 1;
  // Block size in 16 bits, 8 kHz; one channel of 16 bits.
  const head = [0xff, 0xf8, 0b0111_0100, 0b0000_1000, ...coded(number), size >> 8, size & 0xff];
  const whole = [...head, crc(Uint8Array.from(head), 8, 0x07), 0, 0, 0];
  const sum = crc(Uint8Array.from(whole), 16, 0x8005);
  return Uint8Array.from([...whole, sum >> 8, sum & 0xff]);
}

/** @param frameCount of 8.19 s each; below 55296 */
export function flacBomb(frameCount: number): Uint8Array {
  const info = Buffer.alloc(34);
  info.writeUInt16BE(BLOCK_SAMPLES, 0);
  info.writeUInt16BE(BLOCK_SAMPLES, 2);
  // Rate in 20 bits, one channel, 16 bits; the number of samples stays open.
  info.writeUInt32BE(((BOMB_RATE_HZ << 12) | (0 << 9) | (15 << 4)) >>> 0, 10);
  const header = Buffer.concat([Buffer.from("fLaC"), Buffer.from([0x80, 0, 0, 34]), info]);
  return Buffer.concat([header, ...Array.from({ length: frameCount }, (_, number) => frame(number))]);
}
