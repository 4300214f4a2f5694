/**
 * Whisper as it is published for sherpa-onnx (`csukuangfj/sherpa-onnx-whisper-*`; scripts/whisper/export-onnx.py of
 * github.com/k2-fsa/sherpa-onnx): `NAME-encoder`, `NAME-decoder` and `NAME-tokens.txt`, whose tokens are in base64. Which
 * ones steer is in the encoder's metadata.
 *
 * Encoder: `mel` [batch, 80 or 128, 3000] → `n_layer_cross_k` and `…_v` [layers, batch, 1500, width]: keys and values of what
 * was heard. Decoder: `tokens` int64 [batch, n], these two, `in_n_layer_self_k_cache` and `…_v_…` [layers, batch, 448,
 * width], of which `offset` int64 [1] tokens are written → `logits` [batch, n, vocabulary] and the caches as `out_…`. Newer
 * exports say what their alignment heads look at: `cross_attention_weights` [batch, heads, n, 1500].
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SyrinxError } from "../../base/errors.js";
import { expectTensors } from "../../gpu/expect-tensors.js";
import { metadataCount, readOnnxMetadata } from "../../gpu/onnx-metadata.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { type FloatType, floatTensor, int64Tensor, integerTypeOf } from "../../gpu/tensors.js";
import { type DecoderForm, floatTypeOf } from "../encoder-decoder/form.js";
import { opening } from "../encoder-decoder/open.js";
import { WHISPER_FRAMES } from "../front-ends/log-mel.js";
import { type FileSearch, findOnnxFile } from "../model-folder.js";
import { readPieceTable } from "../tokenizers/pieces.js";
import type { AlignmentHead } from "./alignment.js";
import type { OpenWhisper, WhisperLayout } from "./layout.js";
import { TIME_TOKENS, WHISPER, type WhisperVocabulary } from "./vocabulary.js";

const TOKENS = "tokens.txt";
const ATTENTION = "cross_attention_weights";
const HEARD = ["n_layer_cross_k", "n_layer_cross_v"] as const;
const CACHES = ["n_layer_self_k_cache", "n_layer_self_v_cache"] as const;

export interface SherpaFiles {
  readonly encoder: string;
  readonly decoder: string;
  readonly tokens: string;
}

/** Undefined if the folder has no tokens.txt of this layout. Throws MODEL_FILE_MISSING if it has, and not the rest. */
export async function findSherpaFiles(search: FileSearch): Promise<SherpaFiles | undefined> {
  const names = await readdir(search.folder).catch(() => []);
  const tokens = names.sort().find((name) => name.endsWith(TOKENS));
  if (tokens === undefined) return undefined;
  const prefix = tokens.slice(0, -TOKENS.length);
  return {
    encoder: await findOnnxFile(search, `${prefix}encoder`),
    decoder: await findOnnxFile(search, `${prefix}decoder`),
    tokens: join(search.folder, tokens),
  };
}

/** Reads no weights. Throws MODEL_FILE_INVALID. */
export async function readSherpaLayout({ encoder, decoder, tokens }: SherpaFiles): Promise<WhisperLayout> {
  const metadata = await readOnnxMetadata(encoder);
  const heads = metadataCount(metadata, "n_alignment_heads") ?? 0;
  const alignmentHeads = Array.from({ length: heads }, (_, head) => ({ output: ATTENTION, head }));
  const vocabulary = await readVocabulary(encoder, metadata, tokens, alignmentHeads);
  const bins = metadataCount(metadata, "n_mels") ?? 80;
  return {
    vocabulary,
    open: (context) =>
      opening(context, async (open) => {
        const models = [await open(encoder), await open(decoder)] as const;
        return { models, ...openWhisper(...models, bins) };
      }),
  };
}

async function readVocabulary(
  path: string,
  metadata: ReadonlyMap<string, string>,
  tokens: string,
  alignmentHeads: readonly AlignmentHead[],
): Promise<WhisperVocabulary> {
  const listOf = (key: string): string[] => (metadata.get(key) ?? "").split(",").filter((part) => part !== "");
  const token = (key: string): number => {
    const id = Number(metadata.get(key) ?? Number.NaN);
    if (Number.isInteger(id) && id >= 0) return id;
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: `its metadata does not give ${key}` });
  };
  const isMultilingual = token("is_multilingual") === 1;
  const ids = listOf("all_language_tokens").map(Number);
  const [end, noTimestamps] = [token("eot"), token("no_timestamps")];
  const steering = Array.from({ length: noTimestamps - end }, (_, i) => end + 1 + i);
  return {
    tokenizer: await readPieceTable(tokens, "base64"),
    start: token("sot"),
    end,
    noTimestamps,
    firstTime: noTimestamps + 1,
    timeTokens: TIME_TOKENS,
    noSpeech: token("no_speech"),
    languages: new Map(isMultilingual ? listOf("all_language_codes").map((code, i) => [code, ids[i]!]) : []),
    tasks: isMultilingual ? { transcribe: token("transcribe"), translate: token("translate") } : undefined,
    alignmentHeads,
    maxTokens: token("n_text_ctx"),
    suppressed: [...new Set([...listOf("non_speech_tokens").map(Number), ...steering])],
    suppressedAtStart: [token("blank_id")],
  };
}

function openWhisper(encoder: OnnxModel, decoder: OnnxModel, bins: number): Omit<OpenWhisper, "models"> {
  const type = floatTypeOf(encoder.inputs, "mel");
  const heard = floatTypeOf(encoder.outputs, HEARD[0]);
  expectTensors(encoder, WHISPER, {
    inputs: [{ name: "mel", type, dims: ["batch", bins, null] }],
    outputs: HEARD.map((name) => ({ name, type: heard, dims: [null, "batch", null, null] })),
  });
  return {
    device: encoder.device,
    bins,
    form: decoderForm(decoder, heard),
    hear: async (features, count) => {
      const outputs = await encoder.run({ mel: floatTensor(type, features, [count, bins, WHISPER_FRAMES]) }, HEARD);
      return Object.fromEntries(HEARD.map((name) => [name, { tensor: outputs[name]!, batchAxis: 1 }]));
    },
  };
}

function decoderForm(model: OnnxModel, heard: FloatType): DecoderForm {
  const tokens = { name: "tokens", type: integerTypeOf(model.inputs.find(({ name }) => name === "tokens")) } as const;
  const cache = model.inputs.find(({ name }) => name === `in_${CACHES[0]}`);
  const type = floatTypeOf(model.inputs, `in_${CACHES[0]}`);
  const [layers, , tokensMax, width] = cache?.dims.map((dim) => (typeof dim === "number" ? dim : 0)) ?? [];
  const cacheDims = (batch: string) => [layers ?? null, batch, tokensMax ?? null, width ?? null];
  expectTensors(model, WHISPER, {
    inputs: [
      { ...tokens, dims: ["batch", null] },
      ...CACHES.map((name) => ({ name: `in_${name}`, type, dims: cacheDims("batch") })),
      ...HEARD.map((name) => ({ name, type: heard, dims: [null, "batch", null, null] })),
      { name: "offset", type: "int64", dims: [1] },
    ],
    outputs: [
      { name: "logits", type: floatTypeOf(model.outputs, "logits"), dims: [null, null, null] },
      ...CACHES.map((name) => ({ name: `out_${name}`, type, dims: [null, null, null, null] })),
    ],
  });
  const file = { model, tokens, logits: "logits" };
  return {
    first: file,
    later: file,
    carried: CACHES.map((name) => ({
      input: `in_${name}`,
      output: `out_${name}`,
      batchAxis: 1,
      isFixed: false,
      first: { type, dims: (rows) => [layers!, rows, tokensMax!, width!] },
    })),
    batchMax: Number.POSITIVE_INFINITY,
    extras: ({ tokensBefore }) => ({ offset: int64Tensor([tokensBefore]) }),
  };
}
