/**
 * StyleTTS 2 as it is exported for Kokoro and Kitten: phoneme ids int64 [1, n] under the name `input_ids` or `tokens`,
 * `style` f32 [1, 256] and `speed` f32 [1] to f32 audio of any rank named `waveform` or `audio`, and in some exports a
 * `duration` for each id. The exports take one text at a time: a graph's batch is fixed at 1.
 */
import type { OnnxTensor } from "../../gpu/batch-buffers.js";
import { type ExpectedTensor, expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { float32Tensor, floatsOf, int64Tensor, numbersOf } from "../../gpu/tensors.js";
import type { PhonemeWord } from "../pronunciation/phonemizer.js";
import { encodeWords, type IdLayout, isSaid, packWords, type SymbolTable } from "./phoneme-ids.js";
import { STYLE_FLOATS, type StyleVectors } from "./style-vectors.js";
import type { Synthesiser, SynthesisRow, Utterance } from "./voice-model.js";

/** The network's positions, both ends included. */
const IDS_MAX = 512;

export interface StyleTtsParts {
  readonly model: OnnxModel;
  readonly family: string;
  readonly rateHz: number;
  readonly styles: StyleVectors;
  readonly symbols: SymbolTable;
  readonly layout: IdLayout;
  /** Names under which voices may be asked for, beside the vectors' own. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Factors on a voice's speed, by the vectors' names. */
  readonly paces: ReadonlyMap<string, number>;
  /** Samples at the audio's end that the network always adds. */
  readonly tailSamples: number;
  phonemize(text: string): Promise<readonly PhonemeWord[]>;
  /** The row of a voice's table: by the symbols of the utterance or by the characters of its text. */
  styleRow(symbolCount: number, text: string): number;
}

interface StylePlan {
  readonly ids: readonly number[];
  readonly style: Float32Array;
  readonly pace: number;
}

export interface StyleTtsNames {
  readonly ids: string;
  readonly audio: string;
  readonly duration: string | undefined;
}

/** Finds a file's layout by its names and checks it. Throws MODEL_TENSORS_MISMATCH. */
export function checkStyleTts(model: OnnxModel, family: string): StyleTtsNames {
  const has = (name: string): boolean => [...model.inputs, ...model.outputs].some((tensor) => tensor.name === name);
  const names = {
    ids: has("tokens") ? "tokens" : "input_ids",
    audio: has("audio") ? "audio" : "waveform",
    duration: ["duration", "durations"].find(has),
  };
  const rank = model.outputs.find(({ name }) => name === names.audio)?.dims.length ?? 2;
  const audio: ExpectedTensor = {
    name: names.audio,
    type: "float32",
    dims: new Array<null>(Math.max(1, rank)).fill(null),
  };
  expectTensors(model, family, {
    inputs: [
      { name: names.ids, type: "int64", dims: [1, "ids"] },
      { name: "style", type: "float32", dims: [1, STYLE_FLOATS] },
      { name: "speed", type: "float32", dims: [1] },
    ],
    outputs: [audio],
  });
  return names;
}

export class StyleTts implements Synthesiser<StylePlan> {
  readonly device: string;
  readonly description: string;
  readonly rateHz: number;
  readonly voices: readonly string[];
  readonly batchMax = 1;
  readonly #parts: StyleTtsParts;
  readonly #names: StyleTtsNames;
  readonly #symbolsMax: number;

  /** Throws MODEL_TENSORS_MISMATCH. */
  constructor(parts: StyleTtsParts) {
    const { model, family, styles, aliases, layout } = parts;
    this.#parts = parts;
    this.#names = checkStyleTts(model, family);
    this.#symbolsMax = IDS_MAX - layout.start.length - layout.end.length;
    this.device = model.device;
    this.description = model.description;
    this.rateHz = parts.rateHz;
    this.voices = [...new Set([...aliases.keys(), ...styles.names])];
  }

  async plan(text: string, voice: string): Promise<readonly Utterance<StylePlan>[]> {
    const { styles, symbols, layout, aliases, paces, styleRow } = this.#parts;
    const name = aliases.get(voice) ?? voice;
    const groups = packWords(await this.#parts.phonemize(text), this.#symbolsMax);
    return groups.flatMap((group) => {
      const { ids, words, symbolCount } = encodeWords(group, symbols, layout);
      if (!group.some(isSaid)) return [];
      const style = styles.style(name, styleRow(symbolCount, group.map((word) => word.text).join(" ")));
      return [{ plan: { ids, style, pace: paces.get(name) ?? 1 }, words, unitCount: ids.length }];
    });
  }

  async synthesise(
    rows: readonly SynthesisRow<StylePlan>[],
    emit: (row: number, pcm: Float32Array) => void,
  ): Promise<readonly (ArrayLike<number> | undefined)[]> {
    const { plan, speed } = rows[0]!;
    const { model, tailSamples } = this.#parts;
    const outputs = await model.run({
      [this.#names.ids]: int64Tensor(plan.ids, [1, plan.ids.length]),
      style: float32Tensor(plan.style.slice(), [1, STYLE_FLOATS]),
      speed: float32Tensor(Float32Array.of(speed * plan.pace)),
    });
    const pcm = floatsOf(outputs[this.#names.audio]);
    emit(0, pcm.subarray(0, Math.max(0, pcm.length - tailSamples)));
    return [durationsOf(outputs[this.#names.duration ?? ""], plan.ids.length, pcm.length)];
  }

  release(): Promise<void> {
    return this.#parts.model.release();
  }
}

/** The samples of each id; undefined if there is no such output, or it counts something else. Its scale does not matter. */
function durationsOf(tensor: OnnxTensor | undefined, unitCount: number, sampleCount: number): Float64Array | undefined {
  if (tensor === undefined) return undefined;
  const durations = numbersOf(tensor);
  const total = durations.reduce((sum, duration) => sum + duration, 0);
  return durations.length === unitCount && total > 0
    ? durations.map((each) => (each / total) * sampleCount)
    : undefined;
}
