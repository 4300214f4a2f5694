/** Kaldi's files, for tests. */

/** A matrix of two rows as Kaldi writes it in binary. */
export function binaryMatrix(type: "DM " | "FM ", values: readonly number[]): Buffer {
  const head = Buffer.alloc(15);
  head.write(`\0B${type}`, "latin1");
  head[5] = 4;
  head.writeInt32LE(2, 6);
  head[10] = 4;
  head.writeInt32LE(values.length / 2, 11);
  const typed = type === "DM " ? Float64Array.from(values) : Float32Array.from(values);
  return Buffer.concat([head, Buffer.from(typed.buffer)]);
}
