/** sherpa-onnx's Node addon: a detector for each call, all on the thread that also sends. No pipeline around it. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Calls, driverOptions, ownCpuSeconds } from "./calls.js";

interface Vad {
  acceptWaveform(samples: Float32Array): void;
  isDetected(): boolean;
  isEmpty(): boolean;
  pop(): void;
}
interface Sherpa {
  readonly version: string;
  readonly Vad: new (config: object, bufferSeconds: number) => Vad;
}

// Its package lies beside the sources, not beside the compiled driver.
const require = createRequire(fileURLToPath(new URL("../../../../bench/peers/package.json", import.meta.url)));
const sherpa = require("sherpa-onnx-node") as Sherpa;
const { version } = require("sherpa-onnx-node/package.json") as { version: string };

const options = driverOptions();
const calls = await Calls.open(options);
const config = {
  sileroVad: {
    model: options.model,
    threshold: 0.7,
    minSpeechDuration: 0.2,
    minSilenceDuration: 0.2,
    maxSpeechDuration: 20,
    windowSize: 512,
  },
  sampleRate: 16_000,
  numThreads: 1,
  provider: "cpu",
};
const vads = Array.from({ length: options.calls }, () => ({ vad: new sherpa.Vad(config, 30), wasSpeaking: false }));
const samples = new Float32Array(320);

function hear(call: number, frame: number): void {
  const one = vads[call]!;
  const pcm = calls.frame(call, frame);
  for (let at = 0; at < samples.length; at++) samples[at] = pcm[at]! / 32_768;
  one.vad.acceptWaveform(samples);
  const isSpeaking = one.vad.isDetected();
  if (isSpeaking && !one.wasSpeaking) calls.speechStarts += 1;
  one.wasSpeaking = isSpeaking;
  while (!one.vad.isEmpty()) one.vad.pop();
  calls.done(call, frame);
}

const { cores } = await calls.run(hear, ownCpuSeconds);
process.stdout.write(`${JSON.stringify(calls.report("sherpa-onnx", version, cores, process.memoryUsage.rss()))}\n`);
