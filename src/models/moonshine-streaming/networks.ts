/**
 * The five networks of a streaming Moonshine, `.onnx` or `.ort`, and streaming_config.json, as
 * github.com/moonshine-ai/moonshine, core/moonshine-streaming-model.cpp, runs them. All but the decoder hear one stream at
 * a time.
 *
 * - frontend: `audio_chunk` [1, samples], with what was left of the chunk before, → `features` [1, frames of 20 ms, width]
 * - encoder: `features` [1, window, width] → `encoded`, like it; looks `total_lookahead` frames ahead
 * - adapter: `encoded` [1, frames, width], `pos_offset` → `memory` [1, frames, width of the decoder]
 * - cross_kv: `memory`, all so far, → `k_cross`, `v_cross` [layers, 1, heads, frames, size]
 * - decoder_kv: `token`, `k_self`, `v_self`, `out_k_cross`, `out_v_cross` → `logits`, `out_k_self`, `out_v_self`
 */

import { join } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { type ExpectedTensor, expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatTensor, integerTensor, integerTypeOf } from "../../gpu/tensors.js";
import type { DecoderForm } from "../encoder-decoder/form.js";
import { opening } from "../encoder-decoder/open.js";
import type { FamilyContext } from "../family.js";
import { exists, findOnnxFile, type Precision, readJson } from "../model-folder.js";

const CONFIG = "streaming_config.json";
/** Samples of a feature's frame. */
export const FRAME_SAMPLES = 320;
/** Frames that each layer of the encoder looks back. */
const LEFT_FRAMES_PER_LAYER = 16;
/** What a convolution keeps of its input. */
const KEPT_FRAMES = 4;

const count = z.int().min(1).max(65_536);
const configShape = z.object({
  encoder_dim: count,
  decoder_dim: count,
  depth: count,
  nheads: count,
  head_dim: count,
  vocab_size: z.int().min(1),
  bos_id: z.int().min(0).default(1),
  eos_id: z.int().min(0).default(2),
  frame_len: count.default(80),
  total_lookahead: z.int().min(0).default(16),
  d_model_frontend: count,
  c1: count,
  max_seq_len: count.default(448),
});

export interface StreamingNetworks {
  readonly frontend: OnnxModel;
  readonly encoder: OnnxModel;
  readonly adapter: OnnxModel;
  readonly crossKv: OnnxModel;
  readonly decoder: DecoderForm;
  readonly models: readonly OnnxModel[];
  readonly widths: { readonly features: number; readonly memory: number };
  readonly leftFrames: number;
  readonly lookaheadFrames: number;
  readonly startToken: number;
  readonly endToken: number;
  readonly tokensMax: number;
  /** What the frontend keeps between chunks, for a stream that begins: inputs by name. */
  createKept(): OnnxTensors;
}

/** Of the frontend's inputs, those that come back from its outputs of this name and `_out`. */
export const KEPT_INPUTS = ["sample_buffer", "sample_len", "conv1_buffer", "conv2_buffer", "frame_count"] as const;

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH, DEVICE_UNAVAILABLE. */
export async function openStreamingNetworks(
  folder: string,
  precision: Precision | "auto",
  context: FamilyContext,
  family: string,
): Promise<StreamingNetworks> {
  const path = join(folder, CONFIG);
  if (!(await exists(path))) throw new SyrinxError("MODEL_FILE_MISSING", { path });
  const config = await readJson(folder, CONFIG, configShape);
  const search = { folder, precision, device: context.device };
  return opening(context, async (open) => {
    const find = async (name: string): Promise<OnnxModel> => open(await findOnnxFile(search, name));
    const frontend = await find("frontend");
    const encoder = await find("encoder");
    const adapter = await find("adapter");
    const crossKv = await find("cross_kv");
    const decoderKv = await find("decoder_kv");
    const kept = keptTensors(config);
    const { encoder_dim: width, decoder_dim: decoderWidth } = config;
    const features: ExpectedTensor = { name: "features", type: "float32", dims: [1, null, width] };
    expectTensors(frontend, family, {
      inputs: [{ name: "audio_chunk", type: "float32", dims: [1, "samples"] }, ...kept],
      outputs: [features, ...kept.map(({ name, type, dims }) => ({ name: `${name}_out`, type, dims }))],
    });
    const encoded: ExpectedTensor = { name: "encoded", type: "float32", dims: [1, null, width] };
    expectTensors(encoder, family, { inputs: [features], outputs: [encoded] });
    const memory: ExpectedTensor = { name: "memory", type: "float32", dims: [1, null, decoderWidth] };
    const offset: ExpectedTensor = { name: "pos_offset", type: "int64", dims: [1] };
    expectTensors(adapter, family, { inputs: [encoded, offset], outputs: [memory] });
    const { depth, nheads, head_dim: size } = config;
    const keyValue = (name: string): ExpectedTensor => ({
      name,
      type: "float32",
      dims: [depth, 1, nheads, null, size],
    });
    expectTensors(crossKv, family, { inputs: [memory], outputs: [keyValue("k_cross"), keyValue("v_cross")] });
    const decoder = decoderForm(decoderKv, config, keyValue, family);
    return {
      frontend,
      encoder,
      adapter,
      crossKv,
      decoder,
      models: [frontend, encoder, adapter, crossKv, decoderKv],
      widths: { features: width, memory: decoderWidth },
      leftFrames: LEFT_FRAMES_PER_LAYER * depth,
      lookaheadFrames: config.total_lookahead,
      startToken: config.bos_id,
      endToken: config.eos_id,
      tokensMax: config.max_seq_len - 1,
      createKept: () => Object.fromEntries(kept.map((tensor) => [tensor.name, zerosOf(tensor)])),
    };
  });
}

type Config = z.infer<typeof configShape>;

interface KeptTensor extends ExpectedTensor {
  readonly dims: readonly number[];
}

function keptTensors({ frame_len, d_model_frontend, c1 }: Config): KeptTensor[] {
  const dims: Record<(typeof KEPT_INPUTS)[number], readonly number[]> = {
    sample_buffer: [1, frame_len - 1],
    sample_len: [1],
    conv1_buffer: [1, d_model_frontend, KEPT_FRAMES],
    conv2_buffer: [1, c1, KEPT_FRAMES],
    frame_count: [1],
  };
  return KEPT_INPUTS.map((name) => ({ name, type: dims[name].length === 1 ? "int64" : "float32", dims: dims[name] }));
}

function zerosOf({ type, dims }: KeptTensor) {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return type === "int64" ? integerTensor("int64", [0], dims) : floatTensor("float32", new Float32Array(length), dims);
}

/** One file for all steps: what was heard is given to each, and pasts begin with length 0. */
function decoderForm(
  model: OnnxModel,
  { depth, nheads, head_dim: size, vocab_size: vocabulary }: Config,
  keyValue: (name: string) => ExpectedTensor,
  family: string,
): DecoderForm {
  const type = integerTypeOf(model.inputs.find(({ name }) => name === "token"));
  const inputs = ["k_self", "v_self", "out_k_cross", "out_v_cross"].map(keyValue);
  expectTensors(model, family, {
    inputs: [{ name: "token", type, dims: [1, null] }, ...inputs],
    outputs: [
      { name: "logits", type: "float32", dims: [1, null, vocabulary] },
      ...["out_k_self", "out_v_self"].map(keyValue),
    ],
  });
  const file = { model, tokens: { name: "token", type }, logits: "logits" };
  const empty = { type: "float32", dims: (rows: number) => [depth, rows, nheads, 0, size] } as const;
  return {
    first: file,
    later: file,
    carried: ["k_self", "v_self"].map((input) => ({
      input,
      output: `out_${input}`,
      batchAxis: 1,
      isFixed: false,
      first: empty,
    })),
    batchMax: 1,
    extras: () => ({}),
  };
}
