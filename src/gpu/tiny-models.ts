/**
 * Models of a few nodes, written as ONNX files in memory: what a device can do is found by running them. The field
 * numbers are those of onnx.proto (github.com/onnx/onnx).
 */

/** TensorProto.DataType. */
export const ONNX_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, float16: 10 } as const;
export type TinyType = keyof typeof ONNX_TYPES;

export interface TinyNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface TinyTensor {
  readonly name: string;
  readonly type: TinyType;
  readonly dims: readonly (number | string)[];
}

export interface TinyModel {
  readonly inputs: readonly TinyTensor[];
  readonly outputs: readonly TinyTensor[];
  readonly nodes: readonly TinyNode[];
}

const IR_VERSION = 8;
const OPSET = 13;
const PART = 2;

/** A field that holds a number, in protocol buffers' wire format. */
export function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** A field that holds a text, bytes or a message. */
export function partField(field: number, ...content: (Buffer | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  return Buffer.concat([varint(field * 8 + PART), varint(bytes.length), bytes]);
}

/** The whole file. */
export function writeTinyModel({ inputs, outputs, nodes }: TinyModel): Buffer {
  const graph = [
    ...nodes.map((node) => partField(1, nodeFields(node))),
    partField(2, "tiny"),
    ...inputs.map((tensor) => partField(11, tensorFields(tensor))),
    ...outputs.map((tensor) => partField(12, tensorFields(tensor))),
  ];
  return Buffer.concat([
    numberField(1, IR_VERSION),
    partField(7, ...graph),
    partField(8, partField(1, ""), numberField(2, OPSET)),
  ]);
}

/** `y = x · w · w · …`: a chain of products of square matrices, so that two lengths tell the time of one product. */
export function productChain(type: "float32" | "float16", products: number): Buffer {
  const matrix = (name: string): TinyTensor => ({ name, type, dims: ["n", "n"] });
  const nodes = Array.from({ length: products }, (_, i) => ({
    type: "MatMul",
    inputs: [i === 0 ? "x" : `p${i}`, "w"],
    outputs: [i === products - 1 ? "y" : `p${i + 1}`],
  }));
  return writeTinyModel({ inputs: [matrix("x"), matrix("w")], outputs: [matrix("y")], nodes });
}

/** What dynamic quantisation makes of a product: `x` is quantised as it comes, the product runs in int8. */
export function int8Product(): Buffer {
  return writeTinyModel({
    inputs: [
      { name: "x", type: "float32", dims: ["n", "n"] },
      { name: "w", type: "int8", dims: ["n", "n"] },
    ],
    outputs: [{ name: "y", type: "int32", dims: ["n", "n"] }],
    nodes: [
      { type: "DynamicQuantizeLinear", inputs: ["x"], outputs: ["q", "scale", "zero"] },
      { type: "MatMulInteger", inputs: ["q", "w", "zero"], outputs: ["y"] },
    ],
  });
}

function nodeFields({ type, inputs, outputs }: TinyNode): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => partField(1, name)),
    ...outputs.map((name) => partField(2, name)),
    partField(4, type),
  ]);
}

function tensorFields({ name, type, dims }: TinyTensor): Buffer {
  const shape = dims.map((dim) => partField(1, typeof dim === "number" ? numberField(1, dim) : partField(2, dim)));
  const tensor = partField(1, numberField(1, ONNX_TYPES[type]), partField(2, ...shape));
  return Buffer.concat([partField(1, name), partField(2, tensor)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
