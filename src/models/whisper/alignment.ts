/**
 * When words were said, from what the decoder looked at while it wrote them: `find_alignment` of
 * github.com/openai/whisper, whisper/timing.py. Some attention heads follow the speech; which ones is in a model's
 * generation_config.json (`alignment_heads`). Their attention, made comparable over the tokens and smoothed over time, is a
 * map of tokens against frames, and the times are the path through it that looks at the most (dynamic time warping:
 * Sakoe and Chiba, 1978).
 */
import { assert } from "../../base/assert.js";
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { floatsOf } from "../../gpu/tensors.js";

/** Frames over which the median is taken. */
const MEDIAN_FRAMES = 7;

/** The output that says what a head looks at, and the head's place in it. */
export interface AlignmentHead {
  readonly output: string;
  readonly head: number;
}

/** What the heads of one row looked at, token by token. */
export class Attention {
  readonly #heads: readonly AlignmentHead[];
  readonly #frames: number;
  /** Per head and token, prompt included, f32[frames]. */
  readonly #rows: Float32Array[][];
  #promptTokens = 0;

  /** @param frames of 20 ms that the segment has; the decoder looks at no others. */
  constructor(heads: readonly AlignmentHead[], frames: number) {
    assert(heads.length > 0 && frames > 0, "there is something to look at, and somebody who does");
    this.#heads = heads;
    this.#frames = frames;
    this.#rows = heads.map(() => []);
  }

  /** Takes a step's attention [batch, heads, tokens, frames] of the row at this place of the batch. */
  push(outputs: OnnxTensors, place: number): void {
    for (const [index, { output, head }] of this.#heads.entries()) {
      const tensor = outputs[output]!;
      const [, heads, tokens, frames] = tensor.dims as [number, number, number, number];
      const data = floatsOf(tensor);
      for (let token = 0; token < tokens; token += 1) {
        const start = ((place * heads + head) * tokens + token) * frames;
        this.#rows[index]!.push(data.slice(start, start + Math.min(frames, this.#frames)));
      }
      if (this.#promptTokens === 0 && index === this.#heads.length - 1) this.#promptTokens = tokens;
    }
  }

  /**
   * The frame at which each of the first `tokenCount` tokens written begins, and behind them that at which the last one
   * ends. Ascending.
   */
  starts(tokenCount: number): number[] {
    // A token is written while the decoder reads the one before it.
    const first = this.#promptTokens - 1;
    const maps = this.#rows.map((rows) => smooth(normalise(rows)));
    const rows = Array.from({ length: tokenCount + 1 }, (_, i) =>
      mean(maps.map((map) => map[first + i] ?? map.at(-1)!)),
    );
    return warp(rows);
  }
}

/** Each frame to mean 0 and deviation 1 over the tokens. */
function normalise(rows: readonly Float32Array[]): Float32Array[] {
  const frames = rows[0]!.length;
  const result = rows.map(() => new Float32Array(frames));
  for (let frame = 0; frame < frames; frame += 1) {
    let sum = 0;
    for (const row of rows) sum += row[frame]!;
    const average = sum / rows.length;
    let squares = 0;
    for (const row of rows) squares += (row[frame]! - average) ** 2;
    const deviation = Math.sqrt(squares / rows.length);
    for (const [i, row] of rows.entries())
      result[i]![frame] = deviation === 0 ? 0 : (row[frame]! - average) / deviation;
  }
  return result;
}

/** The median over neighbouring frames, mirrored at the ends. */
function smooth(rows: readonly Float32Array[]): Float32Array[] {
  const reach = (MEDIAN_FRAMES - 1) / 2;
  return rows.map((row) => {
    if (row.length <= reach) return row;
    const window = new Float32Array(MEDIAN_FRAMES);
    return row.map((_, frame) => {
      for (let i = 0; i < MEDIAN_FRAMES; i += 1) {
        const at = Math.abs(frame + i - reach);
        window[i] = row[at < row.length ? at : 2 * (row.length - 1) - at]!;
      }
      return window.sort()[reach]!;
    });
  });
}

function mean(rows: readonly Float32Array[]): Float32Array {
  return rows[0]!.map((_, frame) => rows.reduce((sum, row) => sum + row[frame]!, 0) / rows.length);
}

const FROM = { both: 0, token: 1, frame: 2 } as const;

/** The frame at which the best path through f32[tokens][frames] comes to each token. */
function warp(map: readonly Float32Array[]): number[] {
  const tokens = map.length;
  const frames = map[0]!.length;
  const width = frames + 1;
  const cost = new Float64Array((tokens + 1) * width).fill(Number.POSITIVE_INFINITY);
  const from = new Uint8Array((tokens + 1) * width);
  cost[0] = 0;
  for (let token = 1; token <= tokens; token += 1) {
    for (let frame = 1; frame <= frames; frame += 1) {
      const at = token * width + frame;
      const both = cost[at - width - 1]!;
      const up = cost[at - width]!;
      const left = cost[at - 1]!;
      const least = Math.min(both, up, left);
      from[at] =
        least === both && both < up && both < left ? FROM.both : up < both && up < left ? FROM.token : FROM.frame;
      cost[at] = least - map[token - 1]![frame - 1]!;
    }
  }
  const starts = new Array<number>(tokens).fill(0);
  for (let token = tokens, frame = frames; token > 0 && frame > 0; ) {
    starts[token - 1] = frame - 1;
    const step = from[token * width + frame]!;
    if (step !== FROM.frame) token -= 1;
    if (step !== FROM.token) frame -= 1;
  }
  return starts;
}
