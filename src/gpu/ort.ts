/** The one importer of ONNX Runtime. */
import "./no-telemetry.js";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export { env, InferenceSession, listSupportedBackends, Tensor } from "onnxruntime-node";

/** The folder of ONNX Runtime's native library, beside which it looks for providers. */
export function runtimeFolder(): string {
  const main = createRequire(import.meta.url).resolve("onnxruntime-node");
  return join(dirname(main), "..", "bin", "napi-v6", process.platform, process.arch);
}
