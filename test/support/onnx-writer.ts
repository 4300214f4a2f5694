/**
 * Writes small ONNX model files, so that tests need no weights: graphs with the names, shapes and state tensors of real
 * models and semantics that can be asserted.
 *
 *   const graph = new GraphWriter();
 *   const x = graph.input("x", "float32", ["batch", 512]);
 *   const w = graph.constant("w", new Float32Array(512 * 3), [512, 3]);
 *   graph.output("y", graph.node("MatMul", [x, w]), "float32", ["batch", 3]);
 *   graph.metadata({ vocab_size: "3" });
 *   writeModel(path, graph);
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import {
  type AttributeMessage,
  encodeModel,
  type GraphMessage,
  type NodeMessage,
  type TensorMessage,
  type ValueInfoMessage,
} from "./onnx-schema.js";

/** The numbers of ONNX's TensorProto.DataType. */
const ELEMENT_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const;
export type DType = keyof typeof ELEMENT_TYPES;

/** The name of a tensor in the graph; empty for an optional input that is left out. */
export type Value = string;

/** A number is fixed, a name may vary. */
export type Dims = readonly (number | string)[];

export type Values = readonly number[] | Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

/** What a plain number cannot say: see `float`, `floats`, `tensor`. */
interface Marked {
  readonly marked: Omit<AttributeMessage, "name">;
}

/** A number or an array of numbers is `int` or `ints`; `float`, `floats` and `tensor` mark the others. */
export type Attribute = number | readonly number[] | string | Marked | GraphWriter;

export const float = (f: number): Marked => ({ marked: { type: 1, f } });
export const floats = (values: readonly number[]): Marked => ({ marked: { type: 6, floats: values } });

/** A tensor as an attribute, such as the value of ConstantOfShape. */
export function tensor(values: Values, dims: readonly number[] = [values.length], dtype = dtypeOf(values)): Marked {
  return { marked: { type: 4, t: tensorMessage(values, dims, dtype) } };
}

/** The number of a type, for attributes such as Cast's `to`. */
export const elementType = (dtype: DType): number => ELEMENT_TYPES[dtype];

export interface ModelOptions {
  /** 17 if not given. */
  readonly opset?: number;
  /** 8 if not given, as opset 17 wants. */
  readonly irVersion?: number;
}

export class GraphWriter {
  readonly #names: { next: number };
  readonly #nodes: NodeMessage[] = [];
  readonly #initializers: TensorMessage[] = [];
  readonly #inputs: ValueInfoMessage[] = [];
  readonly #outputs: ValueInfoMessage[] = [];
  readonly #metadata = new Map<string, string>();

  /** @param around the graph whose body for If, Loop or Scan this one is: see `subgraph`. */
  constructor(around?: GraphWriter) {
    this.#names = around === undefined ? { next: 0 } : around.#names;
  }

  /** A body for If, Loop or Scan, to be given as an attribute. It sees the tensors of the graph around it. */
  subgraph(): GraphWriter {
    return new GraphWriter(this);
  }

  input(name: string, dtype: DType, dims: Dims): Value {
    this.#inputs.push(valueInfo(name, dtype, dims));
    return name;
  }

  /** float32 for an array of numbers, the array's own type otherwise; `dtype` for bool and float16. */
  constant(name: string, values: Values, dims: readonly number[] = [values.length], dtype = dtypeOf(values)): Value {
    const unique = this.#unique(name);
    this.#initializers.push({ ...tensorMessage(values, dims, dtype), name: unique });
    return unique;
  }

  /** A constant without dimensions. */
  scalar(value: number, dtype: DType = "float32"): Value {
    return this.constant("scalar", [value], [], dtype);
  }

  /** A constant int64 vector, such as a shape, axes or bounds. */
  ints(...values: readonly number[]): Value {
    return this.constant("ints", values, [values.length], "int64");
  }

  /** An operator with one output. */
  node(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.nodes(operator, inputs, 1, attributes)[0]!;
  }

  /** An operator with several outputs. An operator of another domain is written `domain:Name`. */
  nodes(
    operator: string,
    inputs: readonly Value[],
    outputCount: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value[] {
    const [domain, type] = operator.includes(":") ? operator.split(":") : ["", operator];
    const outputs = Array.from({ length: outputCount }, () => this.#unique(type!));
    this.#add(domain!, type!, inputs, outputs, attributes);
    return outputs;
  }

  /** Makes a tensor an output under this name, which no other tensor has. */
  output(name: string, value: Value, dtype: DType, dims: Dims): void {
    this.#add("", "Identity", [value], [name], {});
    this.#outputs.push(valueInfo(name, dtype, dims));
  }

  /** Entries of the file's `metadata_props`; of the outermost graph only. */
  metadata(entries: Readonly<Record<string, string | number>>): void {
    for (const [key, value] of Object.entries(entries)) this.#metadata.set(key, String(value));
  }

  message(name: string): GraphMessage {
    return {
      name,
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  entries(): { key: string; value: string }[] {
    return [...this.#metadata].map(([key, value]) => ({ key, value }));
  }

  /** The domains of the operators used, subgraphs aside. */
  domains(): string[] {
    return [...new Set(["", ...this.#nodes.map(({ domain = "" }) => domain)])];
  }

  #add(
    domain: string,
    operator: string,
    inputs: readonly Value[],
    outputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    const messages = Object.entries(attributes).map(([key, value]) => attributeMessage(key, value));
    const name = `${operator}/${outputs[0]}`;
    this.#nodes.push({ inputs, outputs, name, operator, domain, attributes: messages });
  }

  #unique(name: string): string {
    this.#names.next += 1;
    return `${name}_${this.#names.next}`;
  }
}

/** The bytes of a model file; the same calls give the same bytes. */
export function modelBytes(graph: GraphWriter, { opset = 17, irVersion = 8 }: ModelOptions = {}): Uint8Array {
  return encodeModel({
    irVersion,
    producer: "syrinx-test",
    graph: graph.message("graph"),
    operatorSets: graph.domains().map((domain) => ({ domain, version: domain === "" ? opset : 1 })),
    metadata: graph.entries(),
  });
}

export function writeModel(path: string, graph: GraphWriter, options?: ModelOptions): void {
  writeFileSync(path, modelBytes(graph, options));
}

function valueInfo(name: string, dtype: DType, dims: Dims): ValueInfoMessage {
  const shape = { dims: dims.map((dim) => (typeof dim === "number" ? { value: dim } : { param: dim })) };
  return { name, type: { tensor: { elementType: ELEMENT_TYPES[dtype], shape } } };
}

function attributeMessage(name: string, value: Attribute): AttributeMessage {
  if (typeof value === "number") return { name, type: 2, i: integer(name, value) };
  if (typeof value === "string") return { name, type: 3, s: Buffer.from(value) };
  if (value instanceof GraphWriter) return { name, type: 5, g: value.message(name) };
  if ("marked" in value) return { name, ...value.marked };
  return { name, type: 7, ints: value.map((each) => integer(name, each)) };
}

function integer(name: string, value: number): number {
  assert.ok(Number.isSafeInteger(value), `attribute ${name}: ${value} is no integer; write float(${value})`);
  return value;
}

function dtypeOf(values: Values): DType {
  if (values instanceof Uint8Array) return "uint8";
  if (values instanceof Int8Array) return "int8";
  if (values instanceof Int32Array) return "int32";
  if (values instanceof BigInt64Array) return "int64";
  return "float32";
}

function tensorMessage(values: Values, dims: readonly number[], dtype: DType): TensorMessage {
  const count = dims.reduce((product, dim) => product * dim, 1);
  assert.equal(values.length, count, `a tensor of [${dims.join(", ")}] has ${count} values`);
  return { dims, dataType: ELEMENT_TYPES[dtype], rawData: rawData(values, dtype) };
}

/** Little-endian, as the format wants it. */
function rawData(values: Values, dtype: DType): Uint8Array {
  const { byteCount, put } = ENCODERS[dtype];
  const bytes = new Uint8Array(values.length * byteCount);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i += 1) put(view, i * byteCount, Number(values[i]));
  return bytes;
}

interface Encoder {
  readonly byteCount: number;
  put(view: DataView, at: number, value: number): void;
}

const ENCODERS: Readonly<Record<DType, Encoder>> = {
  float32: { byteCount: 4, put: (view, at, value) => view.setFloat32(at, value, true) },
  float16: { byteCount: 2, put: (view, at, value) => view.setUint16(at, halfBits(value), true) },
  int64: { byteCount: 8, put: (view, at, value) => view.setBigInt64(at, BigInt(value), true) },
  int32: { byteCount: 4, put: (view, at, value) => view.setInt32(at, value, true) },
  int8: { byteCount: 1, put: (view, at, value) => view.setInt8(at, value) },
  uint8: { byteCount: 1, put: (view, at, value) => view.setUint8(at, value) },
  bool: { byteCount: 1, put: (view, at, value) => view.setUint8(at, value === 0 ? 0 : 1) },
};

/** IEEE 754 binary16, rounded to nearest, ties to even; also for reading and feeding float16 tensors. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  // The spacing of the halves around `size`: 2^-24 below the smallest normal number, 2^(exponent - 10) above.
  const exponent = Math.max(size === 0 ? -14 : Math.floor(Math.log2(size)), -14);
  const steps = roundToEven(size / 2 ** (exponent - 10));
  // Normal numbers have steps from 1024; an overflow of the rounding carries into the exponent by itself.
  return sign | (steps + (exponent + 14) * 1024);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
