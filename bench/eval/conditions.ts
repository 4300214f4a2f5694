/** What a recording goes through before it is recognised: nothing, noise of a given strength, or a telephone line. */
import { decodeG711, encodeG711 } from "../../src/audio/g711.js";
import { createResampler } from "../../src/audio/resampler.js";
import { seeded } from "../../src/base/prng.js";
import { GRAPH_RATE_HZ, msToSamples } from "../../src/base/units.js";
import { quantile } from "../harness/statistics.js";

const CONDITIONS = ["clean", "20 dB", "10 dB", "5 dB", "8 kHz µ-law"] as const;
export type Condition = (typeof CONDITIONS)[number];
export const DISTURBED = CONDITIONS.filter((condition) => condition !== "clean");

export const NOISE_SEED = 733;
const FRAME_SAMPLES = msToSamples(20);
/** Frames this far below the loud ones are pauses: they do not count towards the level of the speech. */
const ACTIVE_RANGE_DB = 30;
const PHONE_RATE_HZ = 8_000;

/** @param seed tells the clips' noises apart; the same seed and samples give the same result */
export function disturbed(pcm: Int16Array, condition: Condition, seed: number): Int16Array {
  if (condition === "clean") return pcm;
  if (condition === "8 kHz µ-law") return throughTelephone(pcm);
  return withNoise(pcm, Number.parseInt(condition, 10), NOISE_SEED + seed);
}

/** Adds pink noise `snrDb` below the speech's active level. */
export function withNoise(pcm: Int16Array, snrDb: number, seed: number): Int16Array {
  const gain = activeRms(pcm) * 10 ** (-snrDb / 20);
  const noise = pinkNoise(pcm.length, seed);
  return pcm.map((sample, at) => Math.max(-32768, Math.min(32767, Math.round(sample + gain * noise[at]!))));
}

/** Root mean square of the samples over the frames that are not pauses. */
export function activeRms(pcm: Int16Array): number {
  const powers = framePowers(pcm, FRAME_SAMPLES);
  if (powers.length === 0) return 0;
  const floor = quantile(powers, 0.95) * 10 ** (-ACTIVE_RANGE_DB / 10);
  const active = powers.filter((power) => power > 0 && power >= floor);
  return active.length === 0 ? 0 : Math.sqrt(active.reduce((sum, power) => sum + power, 0) / active.length);
}

/** Mean squares of whole frames. */
export function framePowers(pcm: Int16Array, frameSamples: number): number[] {
  return Array.from({ length: Math.floor(pcm.length / frameSamples) }, (_, frame) => {
    let sum = 0;
    for (let at = frame * frameSamples; at < (frame + 1) * frameSamples; at++) sum += pcm[at]! ** 2;
    return sum / frameSamples;
  });
}

/** Power falling by 3 dB per octave, root mean square 1: white noise through P. Kellet's sum of three one-pole filters. */
export function pinkNoise(count: number, seed: number): Float32Array {
  const prng = seeded(seed);
  const noise = new Float32Array(count);
  let [low, middle, high] = [0, 0, 0];
  let power = 0;
  for (let at = 0; at < count; at++) {
    const white = 2 * prng.next() - 1;
    low = 0.99765 * low + white * 0.099046;
    middle = 0.963 * middle + white * 0.2965164;
    high = 0.57 * high + white * 1.0526913;
    const value = low + middle + high + white * 0.1848;
    noise[at] = value;
    power += value * value;
  }
  const scale = power === 0 ? 0 : 1 / Math.sqrt(power / count);
  return noise.map((value) => value * scale);
}

/** Down to 8 kHz, through µ-law and up again: what a caller's recording is after the telephone. */
export function throughTelephone(pcm: Int16Array): Int16Array {
  const narrow = resampled(pcm, GRAPH_RATE_HZ, PHONE_RATE_HZ);
  const bytes = new Uint8Array(narrow.length);
  encodeG711("mulaw", narrow, 0, narrow.length, bytes, 0);
  decodeG711("mulaw", bytes, 0, bytes.length, narrow, 0);
  const wide = resampled(narrow, PHONE_RATE_HZ, GRAPH_RATE_HZ);
  return wide.subarray(0, pcm.length);
}

function resampled(pcm: Int16Array, fromRateHz: number, toRateHz: number): Int16Array {
  const resampler = createResampler(fromRateHz, toRateHz);
  const output = new Int16Array(resampler.outputBound(pcm.length) + resampler.outputBound(0));
  const count = resampler.process(pcm, 0, pcm.length, output);
  return output.subarray(0, count + resampler.flush(output.subarray(count)));
}
