/**
 * Moonshine as it is published for transformers.js (`onnx-community/moonshine-*-ONNX`), or as the `.ort` files of its makers'
 * packages: `encoder_model` with `decoder_model_merged`.
 *
 * Encoder: `input_values` f32 [batch, samples] → `last_hidden_state` [batch, frames, width]. Newer files take masks:
 * `attention_mask` int64 [batch, samples], and as `encoder_attention_mask`, of samples too, the decoder.
 */
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatTensor, maskTensor } from "../../gpu/tensors.js";
import { floatTypeOf } from "../encoder-decoder/form.js";
import { openEncoderDecoder } from "../encoder-decoder/open.js";
import type { FamilyContext } from "../family.js";
import type { FileSearch } from "../model-folder.js";
import { MOONSHINE, type OpenMoonshine } from "./open-moonshine.js";

const hasInput = (model: OnnxModel, input: string): boolean => model.inputs.some(({ name }) => name === input);

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH, DEVICE_UNAVAILABLE. */
export async function openHubFiles({ folder, precision }: FileSearch, context: FamilyContext): Promise<OpenMoonshine> {
  const { encoder, form, models } = await openEncoderDecoder(folder, precision, context, MOONSHINE);
  checkEncoder(encoder);
  const type = floatTypeOf(encoder.inputs, "input_values");
  return {
    device: encoder.device,
    form,
    models,
    hasMasks: hasInput(encoder, "attention_mask") && hasInput(form.first.model, "encoder_attention_mask"),
    hear: async (samples, lengths, width) => {
      const feeds: OnnxTensors = { input_values: floatTensor(type, samples, [lengths.length, width]) };
      // A file may want a mask although the other has none: then it says that all is heard.
      if (hasInput(encoder, "attention_mask")) feeds.attention_mask = maskTensor(lengths, width);
      const outputs = await encoder.run(feeds, ["last_hidden_state"]);
      return {
        encoder_hidden_states: { tensor: outputs.last_hidden_state!, batchAxis: 0 },
        encoder_attention_mask: { tensor: maskTensor(lengths, width), batchAxis: 0 },
      };
    },
  };
}

function checkEncoder(encoder: OnnxModel): void {
  const mask = { name: "attention_mask", type: "int64", dims: ["batch", "samples"] } as const;
  const heard = floatTypeOf(encoder.outputs, "last_hidden_state");
  const type = floatTypeOf(encoder.inputs, "input_values");
  expectTensors(encoder, MOONSHINE, {
    inputs: [
      { name: "input_values", type, dims: ["batch", "samples"] },
      ...(hasInput(encoder, mask.name) ? [mask] : []),
    ],
    outputs: [{ name: "last_hidden_state", type: heard, dims: ["batch", null, null] }],
  });
}
