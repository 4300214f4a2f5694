/**
 * Writes the recordings in samples/: requests to an assistant, spoken by the flite family, between two stretches of
 * faint noise as a microphone would give. The same build writes the same bytes.
 *
 *   npm run build && node training/make-samples.mjs
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeWav } from "../dist/src/audio/wav.js";
import { createClock } from "../dist/src/base/clock.js";
import { packageRoot } from "../dist/src/base/package-root.js";
import { seeded } from "../dist/src/base/prng.js";
import { GRAPH_RATE_HZ, msToSamples } from "../dist/src/base/units.js";
import { fliteFamily } from "../dist/src/models/flite/index.js";

const SAMPLES = [
  { file: "question.wav", text: "What is the weather like tomorrow?" },
  { file: "time.wav", text: "What time is it?" },
  { file: "timer.wav", text: "Set a timer for ten minutes." },
  { file: "lights.wav", text: "Turn on the kitchen lights." },
];
const LEAD_MS = 300;
/** Longer than any end-of-turn silence in configs/. */
const TRAIL_MS = 1500;
/** Largest sample of the noise: about −64 dBFS RMS. */
const NOISE_PEAK = 36;

const context = {
  clock: createClock(),
  baseFolder: packageRoot(),
  device: "cpu",
  batchMax: 1,
  log: () => {},
};
const model = await fliteFamily.open(fliteFamily.options.parse({ voice: "slt" }), context);

for (const { file, text } of SAMPLES) {
  const speech = [];
  await model.speak({ text, isStale: () => false }, (pcm) => speech.push(...pcm));
  const lead = msToSamples(LEAD_MS);
  const prng = seeded(text.length);
  const recording = new Int16Array(lead + speech.length + msToSamples(TRAIL_MS));
  for (let index = 0; index < recording.length; index++) {
    const noise = (prng.next() * 2 - 1) * NOISE_PEAK;
    recording[index] = Math.max(-32768, Math.min(32767, Math.round((speech[index - lead] ?? 0) + noise)));
  }
  writeFileSync(join(packageRoot(), "samples", file), encodeWav(recording, GRAPH_RATE_HZ));
  console.log(`${file}: ${(recording.length / GRAPH_RATE_HZ).toFixed(2)} s, "${text}"`);
}
