/** Nothing but the starter models' ONNX sessions: the floor of the `ready` bench. */
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.js";
import { openOnnxModel } from "../../src/gpu/onnx-model.js";

const folder = join(packageRoot(), "models", "starter");
const models = [];
for (const file of ["vad.onnx", "stt-en.onnx"]) {
  models.push(await openOnnxModel({ path: join(folder, file), device: "cpu", log: () => {} }));
}
process.stdout.write("ready\n");
for (const model of models) await model.release();
