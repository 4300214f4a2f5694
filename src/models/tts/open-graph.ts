import { type OnnxModel, openOnnxModel } from "../../gpu/onnx-model.js";
import type { FamilyContext } from "../family.js";

/** Opens a graph of a voice where its model runs. Throws DEVICE_UNAVAILABLE, MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export function openGraph(path: string, { device, session, log }: FamilyContext): Promise<OnnxModel> {
  return openOnnxModel({ path, device, session, log });
}
