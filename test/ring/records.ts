/** Records whose every byte follows from their sequence number, so that a torn, stale or shifted one shows itself. */
import type { RingReader, RingWriter } from "../../src/ring/index.js";

const MIX = 0x9e3779b1;

function payloadWord(sequence: number, index: number): number {
  return Math.imul(sequence ^ 0x5bd1e995, MIX) + Math.imul(index, 0x85ebca6b);
}

export function wordOf(sequence: number): number {
  return Math.imul(sequence, 31) ^ 0x1234;
}

/** Beyond int32, with a fraction: only a double carries it. */
export function timestampOf(sequence: number): number {
  return sequence * 20_000.25 + 2 ** 40;
}

/** Fills a claimed payload. Any byte count: whole words first, then single bytes. */
export function fillPayload(writer: RingWriter, offset: number, byteCount: number, sequence: number): void {
  const wordCount = byteCount >> 2;
  for (let index = 0; index < wordCount; index++) writer.i32[(offset >> 2) + index] = payloadWord(sequence, index);
  for (let at = wordCount << 2; at < byteCount; at++) writer.u8[offset + at] = payloadWord(sequence, at);
}

export function commitRecord(writer: RingWriter, byteCount: number, sequence: number): void {
  writer.commit(
    byteCount,
    wordOf(sequence),
    sequence & 0xff,
    sequence >> 8,
    sequence,
    ~sequence,
    timestampOf(sequence),
  );
}

/** Claims, fills and commits; false when the ring is full. */
export function writeRecord(writer: RingWriter, byteCount: number, sequence: number): boolean {
  const offset = writer.claim(byteCount);
  if (offset < 0) return false;
  fillPayload(writer, offset, byteCount, sequence);
  commitRecord(writer, byteCount, sequence);
  return true;
}

/** What is wrong with the reader's present record, or undefined. */
export function faultIn(reader: RingReader, byteCount: number, sequence: number): string | undefined {
  if (reader.sequence !== sequence) return `sequence ${reader.sequence} where ${sequence} belongs`;
  if (reader.byteCount !== byteCount) return `record ${sequence}: ${reader.byteCount} bytes of ${byteCount}`;
  if (reader.offset % 32 !== 0) return `record ${sequence}: payload at ${reader.offset}`;
  const header =
    reader.word === wordOf(sequence) &&
    reader.slot === (sequence & 0xff) &&
    reader.generation === sequence >> 8 &&
    reader.aux === ~sequence &&
    reader.timestamp === timestampOf(sequence);
  if (!header) return `record ${sequence}: header of another record`;
  const wordCount = byteCount >> 2;
  for (let index = 0; index < wordCount; index++) {
    if (reader.i32[(reader.offset >> 2) + index] !== (payloadWord(sequence, index) | 0)) {
      return `record ${sequence}: payload word ${index} of another record`;
    }
  }
  for (let at = wordCount << 2; at < byteCount; at++) {
    if (reader.u8[reader.offset + at] !== (payloadWord(sequence, at) & 0xff)) {
      return `record ${sequence}: payload byte ${at} of another record`;
    }
  }
  return undefined;
}
