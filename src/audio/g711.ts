/**
 * Telephone companding, ITU-T G.711 (11/88): µ-law and A-law, 8 bits a sample.
 *
 * Ours, as one table each way: the library on npm, alawmulaw, makes a new array per call. The laws: sign, three bits of
 * segment, four bits of position in it; µ-law is biased by 33 (of 14 bits) and sent inverted, A-law's lowest segment is
 * linear and its even bits are sent inverted.
 */

export type G711Law = "mulaw" | "alaw";

/** Decodes `count` bytes to s16. */
export function decodeG711(
  law: G711Law,
  input: Uint8Array,
  inputOffset: number,
  count: number,
  output: Int16Array,
  outputOffset: number,
): void {
  const table = TABLES[law].decode;
  for (let index = 0; index < count; index++) output[outputOffset + index] = table[input[inputOffset + index]!]!;
}

/** Encodes `count` s16 samples, each to the nearest code of its sign that the law has. */
export function encodeG711(
  law: G711Law,
  input: Int16Array,
  inputOffset: number,
  count: number,
  output: Uint8Array,
  outputOffset: number,
): void {
  const table = TABLES[law].encode;
  for (let index = 0; index < count; index++) {
    output[outputOffset + index] = table[input[inputOffset + index]! + 32768]!;
  }
}

/** The code of digital silence. */
export const G711_SILENCE: Readonly<Record<G711Law, number>> = { mulaw: 0xff, alaw: 0xd5 };

interface LawTables {
  /** i16[256] */
  readonly decode: Int16Array;
  /** u8[65536] by sample + 32768 */
  readonly encode: Uint8Array;
}

const TABLES: Readonly<Record<G711Law, LawTables>> = { mulaw: tablesOf(mulawValue), alaw: tablesOf(alawValue) };

function mulawValue(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 1) + 33) << ((bits >> 4) & 7)) - 33;
  return (bits & 0x80 ? -magnitude : magnitude) * 4;
}

function alawValue(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = ((bits & 0x0f) << 1) + 1;
  const magnitude = segment === 0 ? step : (step + 32) << (segment - 1);
  return (bits & 0x80 ? magnitude : -magnitude) * 8;
}

function tablesOf(valueOfCode: (code: number) => number): LawTables {
  const decode = new Int16Array(256).map((_, code) => valueOfCode(code));
  const encode = new Uint8Array(65536);
  // In the order of their values; of two codes for zero the positive one, which is the code of silence.
  const codes = Array.from({ length: 256 }, (_, code) => code)
    .filter((code) => !(decode[code] === 0 && code === 0x7f))
    .sort((left, right) => decode[left]! - decode[right]!);
  let at = 0;
  for (let sample = -32768; sample <= 32767; sample++) {
    while (at + 1 < codes.length && nearer(sample, decode[codes[at + 1]!]!, decode[codes[at]!]!)) at++;
    encode[sample + 32768] = codes[at]!;
  }
  return { decode, encode };
}

function nearer(sample: number, candidate: number, current: number): boolean {
  return Math.abs(candidate - sample) <= Math.abs(current - sample);
}
