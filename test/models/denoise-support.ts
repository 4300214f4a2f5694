/** Stepping denoisers through whole calls, for their tests. */
import type { DenoiseModel } from "../../src/models/family.js";

/** The state of a call that begins, in memory that held something else. */
export function newState(model: DenoiseModel): Float32Array {
  const state = new Float32Array(model.stateFloats).fill(Number.NaN);
  model.resetState(state);
  return state;
}

/** One call alone, in whole windows; from the beginning unless a state is given, which it changes. */
export async function filter(model: DenoiseModel, pcm: Float32Array, state = newState(model)): Promise<Float32Array> {
  const [output] = await filterTogether(model, [pcm], [state]);
  return output!;
}

/** Several calls of one length, stepped together. */
export async function filterTogether(
  model: DenoiseModel,
  calls: readonly Float32Array[],
  states = calls.map(() => newState(model)),
): Promise<Float32Array[]> {
  const { windowSamples } = model;
  const windows = Math.floor(calls[0]!.length / windowSamples);
  const outputs = calls.map(() => new Float32Array(windows * windowSamples));
  const pcm = new Float32Array(calls.length * windowSamples);
  const filtered = new Float32Array(calls.length * windowSamples);
  for (let start = 0; start < windows * windowSamples; start += windowSamples) {
    for (const [i, call] of calls.entries()) pcm.set(call.subarray(start, start + windowSamples), i * windowSamples);
    await model.step(calls.length, pcm, states, filtered);
    for (const [i, output] of outputs.entries()) {
      output.set(filtered.subarray(i * windowSamples, (i + 1) * windowSamples), start);
    }
  }
  return outputs;
}

/** ‖found − expected‖ / ‖expected‖. */
export function relativeError(found: Float32Array, expected: Float32Array): number {
  let error = 0;
  let energy = 0;
  for (const [i, value] of expected.entries()) {
    error += (found[i]! - value) ** 2;
    energy += value ** 2;
  }
  return Math.sqrt(error / energy);
}
