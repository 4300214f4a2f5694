/**
 * Decoders for the hermetic models of encoder-decoder families. They have the names, types and ranks of published files
 * and read the tone alphabet: what the encoder says of a slot becomes that slot's token. Nothing else but their caches
 * tells them where they are and what they heard, so whatever is lost, stale or another call's changes the text.
 *
 * - Keys and values of the decoder hold the tokens so far (layer 0 its keys, layer 1 its values, negated): the next slot is
 *   the number of text tokens among them.
 * - Keys and values of the encoder hold what it said, in the same way.
 */
import { type DType, elementType, type GraphWriter, tensor, type Value } from "./onnx-writer.js";
import { TONE_SYMBOLS } from "./tones.js";

export const HEADS = 2;
export const HEAD_SIZE = 16;
/** Of what the encoder says: silence, then the symbols, then nothing. */
export const WIDTH = HEADS * HEAD_SIZE;
export const LAYERS = 2;
export const SILENCE_COLUMN = 0;
export const columnOf = (symbol: string): number => 1 + TONE_SYMBOLS.indexOf(symbol);

const KINDS = ["key", "value"] as const;
type Kind = (typeof KINDS)[number];

/** Layer 0 has the matter in its keys, layer 1 in its values; the rest is the matter negated. */
const signOf = (layer: number, kind: Kind): number => ((layer === 0) === (kind === "key") ? 1 : -1);

export interface KeyValues {
  readonly name: string;
  readonly layer: number;
  readonly kind: Kind;
  readonly value: Value;
}

/** f32 [batch, frames, WIDTH] as the keys and values of all layers, [batch, heads, frames, size] each. */
export function toHeads(graph: GraphWriter, matter: Value, who: "decoder" | "encoder"): KeyValues[] {
  const split = graph.node("Reshape", [matter, graph.ints(0, 0, HEADS, HEAD_SIZE)]);
  const heads = graph.node("Transpose", [split], { perm: [0, 2, 1, 3] });
  return layers().map(([layer, kind]) => {
    const value = signOf(layer, kind) > 0 ? graph.node("Identity", [heads]) : graph.node("Neg", [heads]);
    return { name: `${layer}.${who}.${kind}`, layer, kind, value };
  });
}

/** The matter again: the mean over what all layers say. */
export function fromHeads(graph: GraphWriter, all: readonly KeyValues[]): Value {
  const signed = all.map(({ layer, kind, value }) => (signOf(layer, kind) > 0 ? value : graph.node("Neg", [value])));
  const mean = graph.node("Mean", signed);
  const split = graph.node("Transpose", [mean], { perm: [0, 2, 1, 3] });
  return graph.node("Reshape", [split, graph.ints(0, 0, WIDTH)]);
}

export function layers(): [number, Kind][] {
  return Array.from({ length: LAYERS }, (_, layer) => KINDS.map((kind): [number, Kind] => [layer, kind])).flat();
}

/** An input of this type, as float32. */
export function floatInput(graph: GraphWriter, name: string, dtype: DType, dims: readonly (number | string)[]): Value {
  const input = graph.input(name, dtype, dims);
  return dtype === "float32" ? input : graph.node("Cast", [input], { to: elementType("float32") });
}

/** A float32 value as an output of this type. */
export function floatOutput(
  graph: GraphWriter,
  name: string,
  value: Value,
  dtype: DType,
  dims: readonly (number | string)[],
): void {
  graph.output(
    name,
    dtype === "float32" ? value : graph.node("Cast", [value], { to: elementType(dtype) }),
    dtype,
    dims,
  );
}

/** The inputs `past_key_values.*` of the decoder or of the encoder. */
export function pastInputs(
  graph: GraphWriter,
  who: "decoder" | "encoder",
  dtype: DType,
  frames: number | string,
): KeyValues[] {
  return layers().map(([layer, kind]) => {
    const name = `${layer}.${who}.${kind}`;
    const value = floatInput(graph, `past_key_values.${name}`, dtype, ["batch_size", HEADS, frames, HEAD_SIZE]);
    return { name, layer, kind, value };
  });
}

export function presentOutputs(graph: GraphWriter, all: readonly KeyValues[], dtype: DType): void {
  for (const { name, value } of all) {
    floatOutput(graph, `present.${name}`, value, dtype, ["batch_size", HEADS, "length", HEAD_SIZE]);
  }
}

/** Tokens int [batch, n] as the decoder's new keys and values, behind those of the past. */
export function extendPast(graph: GraphWriter, ids: Value, past: readonly KeyValues[] | undefined): KeyValues[] {
  const floats = graph.node("Cast", [ids], { to: elementType("float32") });
  const column = graph.node("Unsqueeze", [floats, graph.ints(2)]);
  const matter = graph.node("Mul", [column, graph.constant("ones", new Float32Array(WIDTH).fill(1), [1, 1, WIDTH])]);
  return toHeads(graph, matter, "decoder").map((fresh, i) => {
    const before = past?.[i];
    if (before === undefined) return fresh;
    return { ...fresh, value: graph.node("Concat", [before.value, fresh.value], { axis: 2 }) };
  });
}

/** What the tokens so far say, as seen from each of the last `ids`. */
export interface Written {
  /** f32 [batch, all]. */
  readonly all: Value;
  /** int64 [batch, n]: text tokens up to each of the step's, which is the slot that comes next. */
  readonly slots: Value;
}

export function readWritten(
  graph: GraphWriter,
  ids: Value,
  selves: readonly KeyValues[],
  textTokens: readonly [number, number],
): Written {
  const all = graph.node("ReduceMean", [fromHeads(graph, selves)], { axes: [2], keepdims: 0 });
  const [first, end] = textTokens;
  const above = graph.node("Greater", [all, graph.scalar(first - 0.5)]);
  const below = graph.node("Less", [all, graph.scalar(end - 0.5)]);
  const isText = graph.node("Cast", [graph.node("And", [above, below])], { to: elementType("int64") });
  const counts = graph.node("CumSum", [isText, graph.scalar(1, "int64")]);
  const n = graph.node("Gather", [graph.node("Shape", [ids]), graph.ints(1)]);
  const start = graph.node("Neg", [n]);
  const slots = graph.node("Slice", [counts, start, graph.ints(Number.MAX_SAFE_INTEGER), graph.ints(1)]);
  return { all, slots };
}

/** f32 [batch, n, width]: rows of f32 [batch, slots, width], each call's own. */
export function takeSlots(graph: GraphWriter, heard: Value, slots: Value): Value {
  const depth = graph.node("Gather", [graph.node("Shape", [heard]), graph.ints(1)]);
  const oneHot = graph.node("OneHot", [slots, depth, graph.constant("offOn", [0, 1])], { axis: -1 });
  return graph.node("MatMul", [oneHot, heard]);
}

/** bool [batch, 1, 1]: the token is among those so far. */
export function hasWritten(graph: GraphWriter, { all }: Written, token: number): Value {
  const near = graph.node("Less", [
    graph.node("Abs", [graph.node("Sub", [all, graph.scalar(token)])]),
    graph.scalar(0.5),
  ]);
  const floats = graph.node("Cast", [near], { to: elementType("float32") });
  return graph.node("Unsqueeze", [graph.node("ReduceMax", [floats], { axes: [1], keepdims: 1 }), graph.ints(2)]);
}

/** `then` in place of `otherwise` where a file's branch with the cache is taken; both have the same types. */
export function ifBranch(
  graph: GraphWriter,
  condition: Value,
  names: readonly string[],
  then: (body: GraphWriter) => readonly Value[],
  otherwise: (body: GraphWriter) => readonly Value[],
): Value[] {
  const bodyOf = (make: (body: GraphWriter) => readonly Value[], prefix: string): GraphWriter => {
    const body = graph.subgraph();
    for (const [i, value] of make(body).entries()) {
      body.output(`${prefix}/${names[i]}`, value, "float32", ["b", "h", "l", "d"]);
    }
    return body;
  };
  return graph.nodes("If", [condition], names.length, {
    then_branch: bodyOf(then, "then"),
    else_branch: bodyOf(otherwise, "else"),
  });
}

/** What a merged file says of the encoder's keys and values in its branch with the cache: nothing. */
export function nothing(body: GraphWriter): Value {
  return body.node("ConstantOfShape", [body.ints(0, HEADS, 1, HEAD_SIZE)], { value: tensor([0]) });
}

/** Rows of a matrix [from, to] by what is added to them; the rest is 0. */
export function matrix(
  graph: GraphWriter,
  name: string,
  rows: number,
  columns: number,
  entries: readonly (readonly [row: number, column: number, value: number])[],
): Value {
  const values = new Float32Array(rows * columns);
  for (const [row, column, value] of entries) values[row * columns + column] = value;
  return graph.constant(name, values, [rows, columns]);
}
