/** The one importer of ONNX Runtime. */
import "./no-telemetry.js";

export { env, InferenceSession, listSupportedBackends, Tensor } from "onnxruntime-node";
