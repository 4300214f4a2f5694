/** Stepping detectors through whole calls, for their tests. */
import assert from "node:assert/strict";
import type { VadModel } from "../../src/models/family.js";
import { BATCH_MAX, babble, toFloats } from "./family-support.js";

export interface Recognised {
  readonly probabilities: Float32Array;
  readonly state: Float32Array;
}

/** One call alone, window by window; from the beginning unless a state is given, which it changes. */
export async function listen(model: VadModel, pcm: Float32Array, state?: Float32Array): Promise<Recognised> {
  const [found] = await listenTogether(model, [pcm], state && [state]);
  return found!;
}

/** Several calls of one length, stepped together. */
export async function listenTogether(
  model: VadModel,
  calls: readonly Float32Array[],
  states = calls.map(() => newState(model)),
): Promise<Recognised[]> {
  const { windowSamples } = model;
  const windows = Math.floor(calls[0]!.length / windowSamples);
  const found = calls.map(() => new Float32Array(windows));
  const pcm = new Float32Array(calls.length * windowSamples);
  const probabilities = new Float32Array(calls.length);
  for (let window = 0; window < windows; window += 1) {
    const start = window * windowSamples;
    for (const [i, call] of calls.entries()) pcm.set(call.subarray(start, start + windowSamples), i * windowSamples);
    await model.step(calls.length, pcm, states, probabilities);
    for (const [i, probability] of probabilities.entries()) found[i]![window] = probability;
  }
  return found.map((each, i) => ({ probabilities: each, state: states[i]! }));
}

/** The state of a call that begins, in memory that held something else. */
export function newState(model: VadModel): Float32Array {
  const state = new Float32Array(model.stateFloats).fill(Number.NaN);
  model.resetState(state);
  return state;
}

export function largestDifference(one: Float32Array, other: Float32Array): number {
  assert.equal(one.length, other.length);
  return one.reduce((largest, value, i) => Math.max(largest, Math.abs(value - other[i]!)), 0);
}

/** More calls than one batch takes, so that the last batch is a smaller one. */
export async function checkParity(
  model: VadModel,
  callOf = (i: number, sampleCount: number): Float32Array => toFloats(babble(i + 1, sampleCount)),
): Promise<void> {
  const calls = Array.from({ length: BATCH_MAX + 3 }, (_, i) => callOf(i, 40 * model.windowSamples));
  const together = await listenTogether(model, calls);
  let spread = 0;
  for (const [i, call] of calls.entries()) {
    const alone = await listen(model, call);
    assert.ok(largestDifference(alone.probabilities, together[i]!.probabilities) < 1e-5, `probabilities of call ${i}`);
    assert.ok(largestDifference(alone.state, together[i]!.state) < 1e-4, `state of call ${i}`);
    spread = Math.max(spread, largestDifference(alone.probabilities, together[0]!.probabilities));
  }
  assert.ok(spread > 0.01, "the calls differ, so that exchanged rows would show");
}
