/**
 * The Whisper of tiny-whisper.ts as sherpa-onnx lays it out: keys and values without heads and of all layers in one tensor,
 * caches of a fixed length of which `offset` tokens are written, and what steers in the encoder's metadata.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { elementType, GraphWriter, type Value, writeModel } from "./onnx-writer.js";
import { HEAD_SIZE, HEADS, type KeyValues, LAYERS, layers, WIDTH } from "./tiny-decoder.js";
import { END, FIRST_TIME, FRAMES, heardFrames, idOf, logits, looks, VOCABULARY } from "./tiny-whisper.js";
import { TONE_SYMBOLS } from "./tones.js";

const BINS = 80;
const TOKENS_MAX = 64;
const KINDS = ["k", "v"] as const;

export interface TinySherpaWhisperOptions {
  readonly isMultilingual?: boolean;
  readonly hasAttention?: boolean;
  /** At the end of the names of ONNX files. */
  readonly suffix?: string;
}

/** Writes a model's folder. */
export function writeTinySherpaWhisper(
  folder: string,
  { isMultilingual = true, hasAttention = false, suffix = "" }: TinySherpaWhisperOptions = {},
): void {
  mkdirSync(folder, { recursive: true });
  const encoder = encoderGraph();
  encoder.metadata(metadata(isMultilingual, hasAttention));
  writeModel(join(folder, `tiny-encoder${suffix}.onnx`), encoder);
  writeModel(join(folder, `tiny-decoder${suffix}.onnx`), decoderGraph(hasAttention));
  const lines = [...TONE_SYMBOLS].map((symbol, id) => `${Buffer.from(symbol).toString("base64")} ${id}\n`);
  writeFileSync(join(folder, "tiny-tokens.txt"), lines.join(""));
}

function metadata(isMultilingual: boolean, hasAttention: boolean): Record<string, string | number> {
  return {
    model_type: "whisper-tiny",
    n_mels: BINS,
    n_text_ctx: TOKENS_MAX,
    n_vocab: VOCABULARY,
    sot: idOf("<|startoftranscript|>"),
    eot: END,
    blank_id: TONE_SYMBOLS.indexOf(" "),
    is_multilingual: isMultilingual ? 1 : 0,
    all_language_tokens: [idOf("<|en|>"), idOf("<|de|>")].join(","),
    all_language_codes: "en,de",
    no_speech: idOf("<|nospeech|>"),
    non_speech_tokens: "",
    transcribe: idOf("<|transcribe|>"),
    translate: idOf("<|translate|>"),
    no_timestamps: FIRST_TIME - 1,
    ...(hasAttention ? { n_alignment_heads: 1 } : {}),
  };
}

/** Keys of layer 0 and values of layer 1 are the matter, the others the matter negated: as `toHeads` has them. */
function byLayers(graph: GraphWriter, matter: Value, kind: (typeof KINDS)[number]): Value {
  const negated = graph.node("Neg", [matter]);
  const parts = Array.from({ length: LAYERS }, (_, layer) => ((layer === 0) === (kind === "k") ? matter : negated));
  const lifted = parts.map((part) => graph.node("Unsqueeze", [part, graph.ints(0)]));
  return graph.node("Concat", lifted, { axis: 0 });
}

/** f32 [layers, batch, length, WIDTH] of keys and of values as the parts that tiny-decoder.ts reads. */
function toKeyValues(graph: GraphWriter, all: readonly [keys: Value, values: Value]): KeyValues[] {
  return layers().map(([layer, kind]) => {
    const of = all[kind === "key" ? 0 : 1];
    const one = graph.node("Gather", [of, graph.scalar(layer, "int64")], { axis: 0 });
    const split = graph.node("Reshape", [one, graph.ints(0, 0, HEADS, HEAD_SIZE)]);
    const value = graph.node("Transpose", [split], { perm: [0, 2, 1, 3] });
    return { name: `${layer}.${kind}`, layer, kind, value };
  });
}

function encoderGraph(): GraphWriter {
  const graph = new GraphWriter();
  const mel = graph.input("mel", "float32", ["n_audio", BINS, 2 * FRAMES]);
  const heard = heardFrames(graph, mel, BINS);
  for (const kind of KINDS) {
    graph.output(`n_layer_cross_${kind}`, byLayers(graph, heard, kind), "float32", [LAYERS, "n_audio", FRAMES, WIDTH]);
  }
  return graph;
}

function decoderGraph(hasAttention: boolean): GraphWriter {
  const graph = new GraphWriter();
  const ids = graph.input("tokens", "int64", ["n_audio", "n_tokens"]);
  const cacheDims = [LAYERS, "n_audio", TOKENS_MAX, WIDTH] as const;
  const caches = KINDS.map((kind) => graph.input(`in_n_layer_self_${kind}_cache`, "float32", cacheDims));
  const cross = KINDS.map((kind) =>
    graph.input(`n_layer_cross_${kind}`, "float32", [LAYERS, "n_audio", FRAMES, WIDTH]),
  );
  const offset = graph.input("offset", "int64", [1]);
  const count = graph.node("Gather", [graph.node("Shape", [ids]), graph.ints(1)]);
  const end = graph.node("Add", [offset, count]);
  const floats = graph.node("Cast", [ids], { to: elementType("float32") });
  const ones = graph.constant("ones", new Float32Array(WIDTH).fill(1), [1, 1, WIDTH]);
  const matter = graph.node("Mul", [graph.node("Unsqueeze", [floats, graph.ints(2)]), ones]);
  const slice = (of: Value, from: Value, to: Value) => graph.node("Slice", [of, from, to, graph.ints(2)]);
  const next = KINDS.map((kind, i) => {
    const before = slice(caches[i]!, graph.ints(0), offset);
    const behind = slice(caches[i]!, end, graph.ints(TOKENS_MAX));
    return graph.node("Concat", [before, byLayers(graph, matter, kind), behind], { axis: 2 });
  });
  const written = next.map((cache) => slice(cache, graph.ints(0), end)) as [Value, Value];
  const selves = toKeyValues(graph, written);
  const scores = logits(graph, ids, selves, toKeyValues(graph, cross as [Value, Value]));
  graph.output("logits", scores, "float32", ["n_audio", "n_tokens", VOCABULARY]);
  for (const [i, kind] of KINDS.entries()) {
    graph.output(`out_n_layer_self_${kind}_cache`, next[i]!, "float32", cacheDims);
  }
  if (hasAttention) {
    const [, following] = looks(graph, ids, selves);
    graph.output("cross_attention_weights", following, "float32", ["n_audio", 1, "n_tokens", FRAMES]);
  }
  return graph;
}
