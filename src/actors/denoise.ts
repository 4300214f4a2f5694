/**
 * Takes noise out of the caller's speech. Every sample that comes in leaves once, under its own position, so that what is
 * said of the audio further down holds of the caller's; a filter that looks ahead only makes it leave later.
 *
 * A fence or a close wants everything before it: what the filter still holds back is then made on a copy of its state, as
 * if silence followed, and when the true samples follow they do not leave twice. All calls of a batch advance together,
 * and what leaves depends on a call's frames alone, not on how they were cut into batches.
 */
import { z } from "zod";
import { f32ToS16, s16ToF32 } from "../audio/pcm.js";
import { assert } from "../base/assert.js";
import type { DenoiseModel } from "../models/family.js";
import { defineActor, type Item, type Out, type StateRow } from "./define.js";

/** Largest state and window of a model: rows are sized before it is known. At it: the node does not start. GTCRN has 18,560. */
export const DENOISE_STATE_FLOATS_MAX = 20_480;
export const DENOISE_WINDOW_SAMPLES_MAX = 1_536;
/** Lost audio up to this long is filtered as silence. A longer gap stays one, and the filter begins anew behind it. */
export const GAP_FILTERED_SAMPLES = 3_200;

const HEADER_WORDS = 4;
const STATE_AT_BYTE = HEADER_WORDS * 4;
const PENDING_AT_BYTE = STATE_AT_BYTE + DENOISE_STATE_FLOATS_MAX * 4;

const options = z.strictObject({});
type DenoiseOptions = z.infer<typeof options>;

export const denoiseActor = defineActor<DenoiseOptions, DenoiseCall, "denoise">({
  name: "denoise",
  summary: "Takes noise out of the caller's audio.",
  inputs: ["audio.in"],
  requires: ["audio.in"],
  outputs: ["audio.in"],
  forwards: [],
  options,
  task: "denoise",
  thread: "compute",
  // A window of 16 ms that has to fill, and one that the filter is behind: the known filters' worst case.
  latencyMs: () => 32,
  stateBytes: () => PENDING_AT_BYTE + DENOISE_WINDOW_SAMPLES_MAX * 2,
  create(_options, { model }) {
    const filter = new Filter(model);
    return {
      open: () => new DenoiseCall(model),
      process: (batch, out) => filter.process(batch, out),
      save: (call, row) => call.state.save(row),
      restore(_call, row) {
        const state = new DenoiseCall(model);
        state.restore(row);
        return state;
      },
    };
  },
});

class DenoiseCall {
  readonly #model: DenoiseModel;
  readonly #state: Float32Array;
  /** The window that is being filled. */
  readonly #window: Int16Array;
  #pendingCount = 0;
  /** Position after the last sample taken, and after the last one that left. */
  heard = 0;
  said = 0;
  /** What the next step advances, and by what: while something is flushed, a copy of the state and silence. */
  stepState: Float32Array;
  stepWindow: Int16Array;

  constructor(model: DenoiseModel) {
    this.#model = model;
    this.#window = new Int16Array(model.windowSamples);
    this.#state = new Float32Array(model.stateFloats);
    model.resetState(this.#state);
    this.stepState = this.#state;
    this.stepWindow = this.#window;
  }

  /** Position at which the window that is being filled began. */
  get windowStart(): number {
    return this.heard - this.#pendingCount;
  }

  /** Takes samples until the window is full, or all of them. Without `samples`, silence. Returns how many. */
  take(samples: Int16Array | undefined, offset: number, count: number): number {
    const at = this.#pendingCount;
    const taken = Math.min(count, this.#window.length - at);
    for (let i = 0; i < taken; i += 1) this.#window[at + i] = samples === undefined ? 0 : samples[offset + i]!;
    this.#pendingCount += taken;
    this.heard += taken;
    return taken;
  }

  get isFull(): boolean {
    return this.#pendingCount === this.#window.length;
  }

  beginWindow(): void {
    this.#pendingCount = 0;
  }

  beginFlush(): void {
    this.stepState = this.#state.slice();
    this.#window.fill(0, this.#pendingCount);
  }

  endFlush(): void {
    this.stepState = this.#state;
    this.stepWindow = this.#window;
  }

  /** The stream goes on at `position`, with a filter that has heard nothing. */
  jump(position: number): void {
    this.#pendingCount = 0;
    this.heard = position;
    this.said = position;
    this.#model.resetState(this.#state);
  }

  save({ i32, i16, f32 }: StateRow): void {
    i32[0] = this.heard;
    i32[1] = this.said;
    i32[2] = this.#pendingCount;
    f32.set(this.#state, STATE_AT_BYTE / 4);
    i16.set(this.#window, PENDING_AT_BYTE / 2);
  }

  restore({ i32, i16, f32 }: StateRow): void {
    this.heard = i32[0]!;
    this.said = i32[1]!;
    this.#pendingCount = i32[2]!;
    this.#state.set(f32.subarray(STATE_AT_BYTE / 4, STATE_AT_BYTE / 4 + this.#state.length));
    this.#window.set(i16.subarray(PENDING_AT_BYTE / 2, PENDING_AT_BYTE / 2 + this.#window.length));
  }
}

/** A call's frames of this batch; its steps yield whenever the model must advance the call by its window. */
interface Walk {
  readonly call: DenoiseCall;
  readonly items: Item<DenoiseCall>[];
  readonly steps: Generator<undefined, undefined, Float32Array>;
}

class Filter {
  readonly #model: DenoiseModel;
  #pcm = new Float32Array(0);
  #output = new Float32Array(0);
  readonly #samples: Int16Array;
  readonly #silence: Int16Array;

  constructor(model: DenoiseModel) {
    assert(model.stateFloats <= DENOISE_STATE_FLOATS_MAX, "a denoiser's state fits into a row");
    assert(model.windowSamples <= DENOISE_WINDOW_SAMPLES_MAX, "a denoiser's window fits into a row");
    this.#model = model;
    this.#samples = new Int16Array(model.windowSamples);
    this.#silence = new Int16Array(model.windowSamples);
  }

  async process(batch: readonly Item<DenoiseCall>[], out: Out<DenoiseCall>): Promise<void> {
    let walks = this.#begin(batch, out);
    walks = walks.filter(({ steps }) => steps.next(this.#output).done !== true);
    while (walks.length > 0) {
      await this.#step(walks);
      const { windowSamples } = this.#model;
      walks = walks.filter(({ steps }, row) => {
        const filtered = this.#output.subarray(row * windowSamples, (row + 1) * windowSamples);
        return steps.next(filtered).done !== true;
      });
    }
  }

  #begin(batch: readonly Item<DenoiseCall>[], out: Out<DenoiseCall>): Walk[] {
    const walks = new Map<DenoiseCall, Walk>();
    for (const item of batch) {
      const { state } = item.call;
      let walk = walks.get(state);
      if (walk === undefined) {
        const items: Item<DenoiseCall>[] = [];
        walk = { call: state, items, steps: this.#walk(items, out) };
        walks.set(state, walk);
      }
      walk.items.push(item);
    }
    return [...walks.values()];
  }

  async #step(walks: readonly Walk[]): Promise<void> {
    const { windowSamples } = this.#model;
    const needed = walks.length * windowSamples;
    if (this.#pcm.length < needed) {
      this.#pcm = new Float32Array(needed);
      this.#output = new Float32Array(needed);
    }
    for (const [row, { call }] of walks.entries()) {
      s16ToF32(call.stepWindow, 0, windowSamples, this.#pcm, row * windowSamples);
    }
    const states = walks.map(({ call }) => call.stepState);
    await this.#model.step(walks.length, this.#pcm.subarray(0, needed), states, this.#output);
  }

  *#walk(items: readonly Item<DenoiseCall>[], out: Out<DenoiseCall>): Generator<undefined, undefined, Float32Array> {
    for (const item of items) {
      if (item.kind !== "audio.in") {
        yield* this.#flush(item, out);
        out.forward(item);
        continue;
      }
      const { state } = item.call;
      const gap = item.position - state.heard;
      if (gap > GAP_FILTERED_SAMPLES) {
        yield* this.#flush(item, out);
        state.jump(item.position);
      } else if (gap > 0) {
        yield* this.#hear(item, undefined, gap, out);
      }
      yield* this.#hear(item, item.samples, item.count, out);
    }
  }

  /** Takes samples, or silence; what they complete leaves. */
  *#hear(
    item: Item<DenoiseCall>,
    samples: Int16Array | undefined,
    count: number,
    out: Out<DenoiseCall>,
  ): Generator<undefined, undefined, Float32Array> {
    const { state } = item.call;
    for (let taken = 0; taken < count; ) {
      taken += state.take(samples, item.offset + taken, count - taken);
      if (!state.isFull) continue;
      const filtered = yield;
      const start = state.windowStart;
      state.beginWindow();
      this.#say(item, filtered, start, state.heard, out);
    }
  }

  /** Makes what was heard and has not left yet leave, as if silence followed. */
  *#flush(item: Item<DenoiseCall>, out: Out<DenoiseCall>): Generator<undefined, undefined, Float32Array> {
    const { state } = item.call;
    if (state.said >= state.heard) return;
    const { windowSamples } = this.#model;
    state.beginFlush();
    for (let start = state.windowStart; state.said < state.heard; start += windowSamples) {
      const filtered = yield;
      this.#say(item, filtered, start, state.heard, out);
      state.stepWindow = this.#silence;
    }
    state.endFlush();
  }

  /** Of a step's output for the window that began at `start`, what has not left and lies before `end`. */
  #say(item: Item<DenoiseCall>, filtered: Float32Array, start: number, end: number, out: Out<DenoiseCall>): void {
    const { state } = item.call;
    const position = start - this.#model.lagSamples;
    const skipped = Math.max(0, state.said - position);
    const count = Math.min(filtered.length, end - position) - skipped;
    if (count <= 0) return;
    f32ToS16(filtered, skipped, count, this.#samples, 0);
    out.emitAudio(item.call, undefined, this.#samples, 0, count, { cause: item, position: state.said });
    state.said += count;
  }
}
