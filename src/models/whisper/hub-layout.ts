/**
 * Whisper as it is published for transformers.js (`onnx-community/whisper-*`): `encoder_model` with `decoder_model_merged`,
 * or with `decoder_model` and `decoder_with_past_model`; tokenizer.json, generation_config.json, preprocessor_config.json.
 *
 * Encoder: `input_features` [batch, 80 or 128, 3000], the log mel spectrogram of 30 s → `last_hidden_state` [batch, 1500,
 * width].
 */
import { z } from "zod";
import type { OnnxTensor } from "../../gpu/batch-buffers.js";
import { expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatTensor } from "../../gpu/tensors.js";
import { floatTypeOf } from "../encoder-decoder/form.js";
import { openEncoderDecoder } from "../encoder-decoder/open.js";
import { WHISPER_FRAMES } from "../front-ends/log-mel.js";
import { type FileSearch, readJson } from "../model-folder.js";
import type { WhisperLayout } from "./layout.js";
import { readWhisperVocabulary, WHISPER } from "./vocabulary.js";

/** Encoder frames: two of the spectrogram make one. */
const HEARD_FRAMES = WHISPER_FRAMES / 2;

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readHubLayout({ folder, precision }: FileSearch): Promise<WhisperLayout> {
  const vocabulary = await readWhisperVocabulary(folder);
  const preprocessor = await readJson(
    folder,
    "preprocessor_config.json",
    z.object({ feature_size: z.int().optional() }),
  );
  return {
    vocabulary,
    open: async (context) => {
      const { encoder, form, models } = await openEncoderDecoder(folder, precision, context, WHISPER);
      const bins = melBins(encoder, preprocessor.feature_size ?? 80);
      checkEncoder(encoder, bins);
      const type = floatTypeOf(encoder.inputs, "input_features");
      return {
        device: encoder.device,
        bins,
        form,
        models,
        hear: async (features, count) => {
          const feeds = { input_features: floatTensor(type, features, [count, bins, WHISPER_FRAMES]) };
          const tensor = (await encoder.run(feeds, ["last_hidden_state"])).last_hidden_state as OnnxTensor;
          return { encoder_hidden_states: { tensor, batchAxis: 0 } };
        },
      };
    },
  };
}

/** As the file declares, or, if it leaves that open, as its preprocessor's configuration says. */
function melBins(encoder: OnnxModel, otherwise: number): number {
  const declared = encoder.inputs.find(({ name }) => name === "input_features")?.dims[1];
  return typeof declared === "number" ? declared : otherwise;
}

function checkEncoder(encoder: OnnxModel, bins: number): void {
  const type = floatTypeOf(encoder.inputs, "input_features");
  const heard = floatTypeOf(encoder.outputs, "last_hidden_state");
  expectTensors(encoder, WHISPER, {
    inputs: [{ name: "input_features", type, dims: ["batch", bins, WHISPER_FRAMES] }],
    outputs: [{ name: "last_hidden_state", type: heard, dims: ["batch", HEARD_FRAMES, null] }],
  });
}
