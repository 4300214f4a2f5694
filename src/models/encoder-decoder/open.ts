/** Finding and opening the files of an encoder and its decoder as they are published on a hub. */
import { type OnnxModel, openOnnxModel } from "../../gpu/onnx-model.js";
import type { FamilyContext } from "../family.js";
import { type FileSearch, findOnnxFile, type Precision, tryOnnxFile } from "../model-folder.js";
import { type DecoderForm, mergedForm, twoFileForm } from "./form.js";

/** A decoder that is ready to run, and the files that it consists of. */
export interface OpenDecoder {
  readonly form: DecoderForm;
  readonly models: readonly OnnxModel[];
}

export interface OpenEncoderDecoder extends OpenDecoder {
  readonly encoder: OnnxModel;
}

/**
 * Opens `encoder_model` with `decoder_model_merged`, or with `decoder_model` and `decoder_with_past_model`. Files opened
 * before one that fails are released. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH,
 * DEVICE_UNAVAILABLE.
 */
export async function openEncoderDecoder(
  folder: string,
  precision: Precision | "auto",
  context: FamilyContext,
  family: string,
): Promise<OpenEncoderDecoder> {
  const search: FileSearch = { folder, precision, device: context.device };
  const encoderPath = await findOnnxFile(search, "encoder_model");
  const merged = await tryOnnxFile(search, "decoder_model_merged");
  const first = merged ?? (await tryOnnxFile(search, "decoder_model"));
  const decoderPaths =
    merged === undefined && first !== undefined
      ? [first, await findOnnxFile(search, "decoder_with_past_model")]
      : [merged ?? (await findOnnxFile(search, "decoder_model_merged"))];
  return opening(context, async (open) => {
    const encoder = await open(encoderPath);
    const decoders: OnnxModel[] = [];
    for (const path of decoderPaths) decoders.push(await open(path));
    const [one, two] = decoders;
    const form = two === undefined ? mergedForm(one!, family) : twoFileForm(one!, two, family);
    return { encoder, form, models: [encoder, ...decoders] };
  });
}

/** Opens several files; if one of them, or what is done with them, fails, those that were opened are released. */
export async function opening<Result>(
  { device, session, log }: FamilyContext,
  work: (open: (path: string) => Promise<OnnxModel>) => Promise<Result>,
): Promise<Result> {
  const models: OnnxModel[] = [];
  try {
    return await work(async (path) => {
      const model = await openOnnxModel({ path, device, session, log });
      models.push(model);
      return model;
    });
  } catch (error) {
    await Promise.all(models.map((model) => model.release()));
    throw error;
  }
}
