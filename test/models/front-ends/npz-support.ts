/** Reads NumPy's archives of arrays: a zip file of `.npy` files. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

const CENTRAL_ENTRY = 0x02014b50;
const DEFLATED = 8;

/** The arrays of float32 in an archive, by their names. Enough of the zip format for what `numpy.savez` writes. */
export function readNpz(path: string): Map<string, Float32Array> {
  const bytes = readFileSync(path);
  const arrays = new Map<string, Float32Array>();
  let at = bytes.readUInt32LE(bytes.length - 22 + 16); // the end record, which has no comment, tells where the list is
  while (bytes.readUInt32LE(at) === CENTRAL_ENTRY) {
    const byteCount = bytes.readUInt32LE(at + 20);
    const nameLength = bytes.readUInt16LE(at + 28);
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString("latin1", at + 46, at + 46 + nameLength);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(start, start + byteCount);
    arrays.set(
      name.replace(/\.npy$/, ""),
      parseNpy(bytes.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(content) : content),
    );
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return arrays;
}

function parseNpy(bytes: Buffer): Float32Array {
  const start = 10 + bytes.readUInt16LE(8);
  assert.match(bytes.toString("latin1", 10, start), /'descr': '<f4', 'fortran_order': False/);
  return new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
}
