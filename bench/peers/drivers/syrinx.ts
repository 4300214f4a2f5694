/** The runtime itself: a graph of the voice detector and an echo, so that each frame is heard of again behind the detector. */
import { packageVersion } from "../../../src/base/package-root.js";
import { createRuntime } from "../../../src/index.js";
import type { Call } from "../../../src/runtime/api.js";
import { Calls, driverOptions, FRAME_SAMPLES, ownCpuSeconds } from "./calls.js";

const options = driverOptions();
const calls = await Calls.open(options);
const runtime = await createRuntime({
  version: 1,
  server: { maxCalls: Math.max(options.calls, 1), admission: { mode: "off" }, log: { level: "error" } },
  models: { vad: { family: "silero", file: options.model, device: "cpu", batch: { max: 256 } } },
  graphs: { peers: [{ vad: { model: "vad", startMs: 200, stopMs: 200, threshold: 0.7 } }, "echo"] },
});
const open: Call[] = [];
for (let index = 0; index < options.calls; index++) {
  open.push(
    await runtime.open("peers", {
      onEvent(event) {
        if (event.type === "audio") calls.done(index, (event.offsetSamples + event.pcm.length) / FRAME_SAMPLES - 1);
        else if (event.type === "vad" && event.what === "start") calls.speechStarts += 1;
      },
    }),
  );
}
const { cores } = await calls.run((call, frame) => open[call]!.write(calls.frame(call, frame)), ownCpuSeconds);
process.stdout.write(`${JSON.stringify(calls.report("syrinx", packageVersion(), cores, process.memoryUsage.rss()))}\n`);
for (const call of open) call.abort();
await runtime.drain();
