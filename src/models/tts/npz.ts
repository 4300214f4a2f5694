/** NumPy's archives: a zip of `.npy` files, each a header and little-endian numbers (numpy.lib.format, version 1 to 3). */
import { unzipSync } from "fflate";

export interface NpyArray {
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

/** Larger archives are none of voices. At it: the file is refused. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;

/** Arrays of f32 or f64 by their names. Throws an Error with what is wrong. */
export function readNpz(bytes: Uint8Array): Map<string, NpyArray> {
  const files = unzipSync(bytes, {
    filter: ({ name, originalSize }) => {
      if (originalSize > UNPACKED_BYTES_MAX) throw new RangeError(`${name} has ${originalSize} bytes`);
      return name.endsWith(".npy");
    },
  });
  return new Map(Object.entries(files).map(([name, file]) => [name.replace(/\.npy$/, ""), readNpy(file)]));
}

const MAGIC = "\x93NUMPY";

export function readNpy(bytes: Uint8Array): NpyArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.toString("latin1", 0, MAGIC.length) !== MAGIC) throw new TypeError("it is no .npy file");
  const isLong = file.readUInt8(6) > 1;
  const headerStart = isLong ? 12 : 10;
  const dataStart = headerStart + (isLong ? file.readUInt32LE(8) : file.readUInt16LE(8));
  const header = file.toString("latin1", headerStart, dataStart);
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const byteCount = type === "<f4" ? 4 : type === "<f8" ? 8 : undefined;
  if (byteCount === undefined) throw new TypeError(`expected numbers of type <f4 or <f8, found ${type}`);
  if (/'fortran_order':\s*True/.test(header)) throw new TypeError("its columns come before its rows");
  const dims = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").flatMap((dim) => {
    return dim.trim() === "" ? [] : [Number(dim)];
  });
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (file.length < dataStart + count * byteCount) throw new RangeError(`it ends before its ${count} numbers do`);
  const values = Float32Array.from({ length: count }, (_, at) => {
    return byteCount === 4 ? file.readFloatLE(dataStart + 4 * at) : file.readDoubleLE(dataStart + 8 * at);
  });
  return { dims, values };
}
