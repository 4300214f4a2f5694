/**
 * Says where speech begins and ends. Audio passes through; behind the frame that settles it stands a `vad` frame, so
 * that consumers see both in stream order.
 *
 * All calls of a batch advance together: round r runs the model once for every call that has more than r complete
 * windows. What a call's events are depends on its samples alone, not on how they were cut into frames or batches.
 */
import { z } from "zod";
import { assert } from "../base/assert.js";
import { samplesToMs } from "../base/units.js";
import type { VadModel } from "../models/family.js";
import { type ActorCall, defineActor, type Item, type Out } from "./define.js";
import { VAD_STATE_WORDS, type VadChange, VadState, type VadTiming } from "./vad-state.js";

/**
 * Largest recurrent state and window of a model: rows are sized before it is known. At it: the node does not start. The
 * largest known is FireRedVAD's, 19,696 floats. Of a row, memory is only taken for what a model writes.
 */
export const VAD_STATE_FLOATS_MAX = 20_480;
export const VAD_WINDOW_SAMPLES_MAX = 1_536;
/** Lost audio up to this long goes through the model as silence. Of longer gaps the rest counts as silence unheard. */
export const GAP_HEARD_SAMPLES = 16_000;

const startMs = z.number().min(0).max(2_000).describe("Speech that is needed before it counts.");
const stopMs = z.number().min(0).max(5_000).describe("Silence that is needed before speech counts as ended.");
const threshold = z.number().gt(0.15).max(1).describe("Probability from which a window is speech; it ends 0.15 below.");
const options = z.strictObject({
  startMs: startMs.default(60),
  stopMs: stopMs.default(250),
  threshold: threshold.default(0.5),
});
type VadOptions = z.infer<typeof options>;
const callOptions = z.strictObject({ startMs, stopMs, threshold }).partial();

const HEADER_WORDS = 8;
assert(2 + VAD_STATE_WORDS <= HEADER_WORDS, "a vad row's header holds its words");
const STATE_AT_BYTE = HEADER_WORDS * 4;
const PENDING_AT_BYTE = STATE_AT_BYTE + VAD_STATE_FLOATS_MAX * 4;

export const vadActor = defineActor<VadOptions, VadCall, "vad">({
  name: "vad",
  summary: "Tells speech from silence and says where speech begins and ends.",
  inputs: ["audio.in"],
  requires: ["audio.in"],
  outputs: ["vad"],
  forwards: ["audio.in"],
  options,
  callOptions,
  isLive: true,
  task: "vad",
  thread: "compute",
  latencyMs: ({ stopMs }) => stopMs,
  stateBytes: () => PENDING_AT_BYTE + VAD_WINDOW_SAMPLES_MAX * 2,
  create(chosen, { model }) {
    const windowMs = samplesToMs(model.windowSamples);
    const windowsOf = (ms: number): number => Math.max(1, Math.round(ms / windowMs));
    const timingOf = (call: ActorCall<VadCall>): VadTiming => {
      const { threshold, startMs, stopMs } = { ...chosen, ...callOptions.parse(call.options) };
      return { threshold, startWindows: windowsOf(startMs), stopWindows: windowsOf(stopMs) };
    };
    const detector = new Detector(model);
    return {
      open: (call) => new VadCall(model, timingOf(call)),
      configure(call) {
        call.state.timing = timingOf(call);
      },
      process: (batch, out) => detector.process(batch, out),
      save(call, row) {
        const { state } = call;
        row.i32[0] = state.nextSample;
        row.i32[1] = state.pendingCount;
        state.machine.save(row.i32, 2);
        row.f32.set(state.modelState, STATE_AT_BYTE / 4);
        row.i16.set(state.pending, PENDING_AT_BYTE / 2);
      },
      restore(call, row) {
        const state = new VadCall(model, timingOf(call));
        state.nextSample = row.i32[0]!;
        state.pendingCount = row.i32[1]!;
        state.machine.restore(row.i32, 2);
        state.modelState.set(row.f32.subarray(STATE_AT_BYTE / 4, STATE_AT_BYTE / 4 + model.stateFloats));
        state.pending.set(row.i16.subarray(PENDING_AT_BYTE / 2, PENDING_AT_BYTE / 2 + model.windowSamples));
        return state;
      },
    };
  },
});

class VadCall {
  timing: VadTiming;
  readonly machine = new VadState();
  readonly modelState: Float32Array;
  /** The window that is being filled. */
  readonly pending: Int16Array;
  pendingCount = 0;
  /** Position after the last sample taken. */
  nextSample = 0;
  /** Audio frames of this batch, and how far they were taken. */
  readonly items: Item<VadCall>[] = [];
  itemIndex = -1;
  gapLeft = 0;
  taken = 0;
  /** Probabilities of the windows that this batch completed. */
  probabilities = new Float32Array(8);
  probabilityCount = 0;
  /** Where the walk stands: end of the last frame, begin of the first window whose verdict is open. */
  walkedEnd = 0;
  walkedWindow = 0;
  walkedCount = 0;

  constructor(model: VadModel, timing: VadTiming) {
    this.timing = timing;
    this.modelState = new Float32Array(model.stateFloats);
    model.resetState(this.modelState);
    this.pending = new Int16Array(model.windowSamples);
  }

  beginBatch(): void {
    this.items.length = 0;
    this.itemIndex = -1;
    this.gapLeft = 0;
    this.probabilityCount = 0;
    this.walkedEnd = this.nextSample;
    this.walkedWindow = this.nextSample - this.pendingCount;
    this.walkedCount = 0;
  }

  /** Takes samples until a window is complete; `false` if the batch has no more. */
  fillWindow(model: VadModel): boolean {
    const { pending } = this;
    if (this.pendingCount === 0 && this.gapLeft > GAP_HEARD_SAMPLES) this.#skipGap(model);
    while (this.pendingCount < pending.length) {
      const room = pending.length - this.pendingCount;
      const item = this.items[this.itemIndex];
      let count: number;
      if (this.gapLeft > 0) {
        count = Math.min(room, this.gapLeft);
        pending.fill(0, this.pendingCount, this.pendingCount + count);
        this.gapLeft -= count;
      } else if (item !== undefined && this.taken < item.count) {
        count = Math.min(room, item.count - this.taken);
        const start = item.offset + this.taken;
        for (let index = 0; index < count; index++) pending[this.pendingCount + index] = item.samples[start + index]!;
        this.taken += count;
      } else {
        const next = this.items[++this.itemIndex];
        if (next === undefined) return false;
        this.taken = 0;
        // Samples that were lost before this frame: silence stands in their place.
        this.gapLeft = Math.max(0, next.position - this.nextSample);
        continue;
      }
      this.pendingCount += count;
      this.nextSample += count;
    }
    this.pendingCount = 0;
    return true;
  }

  pushProbability(probability: number): void {
    if (this.probabilityCount === this.probabilities.length) {
      const grown = new Float32Array(2 * this.probabilities.length);
      grown.set(this.probabilities);
      this.probabilities = grown;
    }
    this.probabilities[this.probabilityCount++] = probability;
  }

  #skipGap(model: VadModel): void {
    const windows = Math.floor(this.gapLeft / this.pending.length);
    for (let window = 0; window < windows; window++) this.pushProbability(0);
    this.gapLeft -= windows * this.pending.length;
    this.nextSample += windows * this.pending.length;
    model.resetState(this.modelState);
  }
}

class Detector {
  readonly #model: VadModel;
  /** Calls with audio in this batch; and of one round: whose row is which. */
  readonly #active: VadCall[] = [];
  readonly #rows: VadCall[] = [];
  readonly #states: Float32Array[] = [];
  #pcm = new Float32Array(0);
  #probabilities = new Float32Array(0);

  constructor(model: VadModel) {
    assert(model.stateFloats <= VAD_STATE_FLOATS_MAX, "a vad model's state fits into a row");
    assert(model.windowSamples <= VAD_WINDOW_SAMPLES_MAX, "a vad model's window fits into a row");
    this.#model = model;
  }

  async process(batch: readonly Item<VadCall>[], out: Out<VadCall>): Promise<void> {
    this.#collect(batch);
    while (await this.#runRound());
    for (const item of batch) {
      if (item.kind === "audio.in") {
        out.forward(item);
        this.#judge(item, out);
      } else {
        if (item.kind === "close") this.#end(item, out);
        out.forward(item);
      }
    }
    for (const call of this.#active) call.items.length = 0;
  }

  #collect(batch: readonly Item<VadCall>[]): void {
    const active = this.#active;
    active.length = 0;
    for (const item of batch) {
      if (item.kind !== "audio.in") continue;
      const { state } = item.call;
      if (state.items.length === 0) {
        state.beginBatch();
        active.push(state);
      }
      state.items.push(item);
    }
    const { windowSamples } = this.#model;
    if (this.#probabilities.length >= active.length) return;
    this.#pcm = new Float32Array(active.length * windowSamples);
    this.#probabilities = new Float32Array(active.length);
  }

  /** One window of every call that has one. `false` if none has. */
  async #runRound(): Promise<boolean> {
    const model = this.#model;
    const rows = this.#rows;
    const pcm = this.#pcm;
    rows.length = 0;
    this.#states.length = 0;
    for (const call of this.#active) {
      if (!call.fillWindow(model)) continue;
      const at = rows.length * model.windowSamples;
      for (let index = 0; index < model.windowSamples; index++) pcm[at + index] = call.pending[index]! / 32_768;
      rows.push(call);
      this.#states.push(call.modelState);
    }
    const count = rows.length;
    if (count === 0) return false;
    await model.step(count, pcm.subarray(0, count * model.windowSamples), this.#states, this.#probabilities);
    for (let row = 0; row < count; row++) rows[row]!.pushProbability(this.#probabilities[row]!);
    return true;
  }

  /** Steps the state machine over the windows that this frame completed. */
  #judge(item: Item<VadCall>, out: Out<VadCall>): void {
    const { state } = item.call;
    const { windowSamples, lagSamples } = this.#model;
    state.walkedEnd = Math.max(state.walkedEnd, item.position) + item.count;
    while (state.walkedWindow + windowSamples <= state.walkedEnd) {
      const probability = state.probabilities[state.walkedCount++]!;
      const change = state.machine.step(probability, Math.max(0, state.walkedWindow - lagSamples), state.timing);
      state.walkedWindow += windowSamples;
      if (change !== undefined) emit(item.call, change, item, out);
    }
  }

  #end(item: Item<VadCall>, out: Out<VadCall>): void {
    const { state } = item.call;
    const change = state.machine.end(state.nextSample);
    if (change !== undefined) emit(item.call, change, item, out);
  }
}

function emit(call: ActorCall<VadCall>, change: VadChange, cause: Item<VadCall>, out: Out<VadCall>): void {
  out.emit(call, "vad", { ...change }, { cause, position: change.atSample });
}
