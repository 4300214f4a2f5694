/**
 * The entries that an exporter wrote into a model file (`metadata_props`), which ONNX Runtime for Node does not show.
 * They are read from the file itself, past the graph without loading it: a file is a protocol buffer message whose
 * field 14 repeats { 1: key, 2: value }. Wire format: protobuf.dev/programming-guides/encoding; fields: ONNX's onnx.proto.
 */
import { type FileHandle, open } from "node:fs/promises";
import { SyrinxError } from "../base/errors.js";

/** Bytes of one entry. At it: the file is refused. */
export const METADATA_ENTRY_BYTES_MAX = 4 * 1024 * 1024;
/** Entries of one file. At it: the file is refused. */
export const METADATA_ENTRIES_MAX = 4096;

const METADATA_FIELD = 14;
/** A key and a length, each of at most 10 bytes. */
const HEAD_BYTES_MAX = 20;
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readOnnxMetadata(path: string): Promise<ReadonlyMap<string, string>> {
  const file = await open(path).catch((error: unknown) => {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  });
  try {
    const entries = await readEntries(file);
    if (entries !== undefined) return entries;
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it is no ONNX file, or was cut off" });
  } finally {
    await file.close();
  }
}

/** A positive whole number among the entries; undefined if there is none. */
export function metadataCount(metadata: ReadonlyMap<string, string>, key: string): number | undefined {
  const value = Number(metadata.get(key));
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

async function readEntries(file: FileHandle): Promise<Map<string, string> | undefined> {
  const { size } = await file.stat();
  const entries = new Map<string, string>();
  const head = Buffer.alloc(HEAD_BYTES_MAX);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES_MAX, at);
    const field = fieldAt(head.subarray(0, bytesRead), 0);
    if (field === undefined || at + field.end > size) return undefined;
    if (field.number === METADATA_FIELD && field.wire === WIRE.bytes) {
      const byteCount = field.end - field.start;
      if (byteCount > METADATA_ENTRY_BYTES_MAX || entries.size === METADATA_ENTRIES_MAX) return undefined;
      const { buffer } = await file.read(Buffer.alloc(byteCount), 0, byteCount, at + field.start);
      const entry = parseEntry(buffer);
      if (entry === undefined) return undefined;
      entries.set(entry.key, entry.value);
    }
    at += field.end;
  }
  return entries;
}

function parseEntry(bytes: Buffer): { key: string; value: string } | undefined {
  const entry = { key: "", value: "" };
  for (let at = 0; at < bytes.length; ) {
    const field = fieldAt(bytes, at);
    if (field === undefined || field.end > bytes.length) return undefined;
    const text = bytes.toString("utf8", field.start, field.end);
    if (field.number === 1) entry.key = text;
    if (field.number === 2) entry.value = text;
    at = field.end;
  }
  return entry;
}

interface Field {
  readonly number: number;
  readonly wire: number;
  /** Where its content begins and ends; a varint's content is empty. */
  readonly start: number;
  readonly end: number;
}

function fieldAt(bytes: Uint8Array, at: number): Field | undefined {
  const key = varintAt(bytes, at);
  if (key === undefined) return undefined;
  const number = Math.floor(key.value / 8);
  const wire = key.value % 8;
  if (number === 0) return undefined;
  if (wire === WIRE.fixed64) return { number, wire, start: key.end, end: key.end + 8 };
  if (wire === WIRE.fixed32) return { number, wire, start: key.end, end: key.end + 4 };
  const value = varintAt(bytes, key.end);
  if (value === undefined || (wire !== WIRE.varint && wire !== WIRE.bytes)) return undefined;
  return { number, wire, start: value.end, end: wire === WIRE.varint ? value.end : value.end + value.value };
}

/** Exact below 2^53; a larger length is refused by whoever compares it with the file's size. */
function varintAt(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}
