import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { VadState } from "../../src/actors/vad-state.js";
import { packageRoot } from "../../src/base/package-root.js";
import { type Prng, seeded } from "../../src/base/prng.js";
import type { VadModel } from "../../src/models/family.js";
import { starterVadFamily } from "../../src/models/starter-vad.js";
import { openFamily, readWav, toFloats } from "./family-support.js";
import { checkParity, largestDifference, listen, listenTogether, newState } from "./vad-support.js";

const RATE_HZ = 16_000;
const TAU = 2 * Math.PI;
const SAMPLES = ["question.wav", "time.wav", "timer.wav", "lights.wav"];
/** The defaults of the `vad` actor in windows of 20 ms. */
const TIMING = { threshold: 0.5, startWindows: 3, stopWindows: 13 };

/** A sentence between 300 ms and 1500 ms of faint noise. */
const sample = (name: string): Float32Array => toFloats(readWav(join(packageRoot(), "samples", name)));

const scaled = (pcm: Float32Array, gain: number): Float32Array => pcm.map((value) => value * gain);

const isSpeech = (probability: number): boolean => probability >= TIMING.threshold;

const speechCount = (probabilities: Float32Array): number => probabilities.filter(isSpeech).length;

/** Samples at which speech began, as the actor tells it. */
function startsOf(model: VadModel, probabilities: Float32Array): number[] {
  const machine = new VadState();
  const starts: number[] = [];
  for (const [window, probability] of probabilities.entries()) {
    const atSample = Math.max(0, window * model.windowSamples - model.lagSamples);
    const change = machine.step(probability, atSample, TIMING);
    if (change?.what === "start") starts.push(change.atSample);
  }
  return starts;
}

function loudnessOf(pcm: Float32Array): number {
  return Math.sqrt(pcm.reduce((sum, value) => sum + value * value, 0) / pcm.length);
}

/** The first window from a sample on that is half as loud as the whole: the middle of a syllable. */
function loudFrom(pcm: Float32Array, from: number, windowSamples: number): number {
  const enough = loudnessOf(pcm) / 2;
  let at = from;
  while (loudnessOf(pcm.subarray(at, at + windowSamples)) < enough) at += windowSamples;
  return at;
}

describe("starter-vad", () => {
  let model: VadModel;
  before(async () => {
    model = await openFamily(starterVadFamily);
  });
  after(() => model.release());

  test("gives a call in a batch what it gives it alone", async () => {
    const spoken = SAMPLES.map(sample);
    await checkParity(model, (i, count) => spoken[i % 4]!.slice(3_000 + 400 * i, 3_000 + 400 * i + count));
  });

  test("goes on from a copy of a call's state, in a longer row too", async () => {
    const pcm = sample("timer.wav");
    const middle = 80 * model.windowSamples;
    const whole = await listen(model, pcm);
    const first = await listen(model, pcm.subarray(0, middle));
    const row = new Float32Array(8_192).fill(Number.NaN);
    row.set(first.state);
    const rest = await listen(model, pcm.subarray(middle), row);
    assert.deepEqual(rest.probabilities, whole.probabilities.subarray(80));
    assert.deepEqual(row.subarray(0, model.stateFloats), whole.state);
    assert.ok(Number.isNaN(row[model.stateFloats]!), "what lies behind the state is left alone");
    const forgetful = await listen(model, pcm.subarray(middle), newState(model));
    assert.ok(largestDifference(forgetful.probabilities, rest.probabilities) > 1e-4, "the state matters");
  });

  for (const name of SAMPLES) {
    test(`hears ${name} once, from its first word to its last`, async () => {
      const pcm = sample(name);
      const { probabilities } = await listen(model, pcm);
      const starts = startsOf(model, probabilities);
      assert.equal(starts.length, 1, `starts at ${starts.join()}`);
      assert.ok(Math.abs(starts[0]! - 0.3 * RATE_HZ) < 0.12 * RATE_HZ, `it begins at ${starts[0]}`);
      const end = probabilities.findLastIndex(isSpeech) * model.windowSamples - model.lagSamples;
      const spokenEnd = pcm.length - 1.5 * RATE_HZ;
      assert.ok(Math.abs(end - spokenEnd) < 0.25 * RATE_HZ, `it ends at ${end}, spoken until ${spokenEnd}`);
    });
  }

  test("hears speech that a stream begins with", async () => {
    for (const name of SAMPLES) {
      const pcm = sample(name);
      for (const cutMs of [320, 500, 700, 900]) {
        const cut = loudFrom(pcm, (cutMs * RATE_HZ) / 1000, model.windowSamples);
        const { probabilities } = await listen(model, pcm.slice(cut));
        const first = probabilities.findIndex(isSpeech);
        assert.ok(first >= 0 && first <= 4, `${name} from sample ${cut}: first heard in window ${first}`);
      }
    }
  });

  test("hears the same at any level down to -50 dB of full scale", async () => {
    for (const name of SAMPLES) {
      const pcm = sample(name);
      const peak = pcm.reduce((highest, value) => Math.max(highest, Math.abs(value)), 0);
      const peaksDb = [-3, -10, -20, -30, -40, -50];
      const calls = peaksDb.map((db) => scaled(pcm, 10 ** (db / 20) / peak));
      const [loud, ...quieter] = await listenTogether(model, calls);
      for (const [i, { probabilities }] of quieter.entries()) {
        const agreeing = probabilities.filter((p, at) => isSpeech(p) === isSpeech(loud!.probabilities[at]!)).length;
        const share = agreeing / probabilities.length;
        assert.ok(share > 0.93, `${name} at ${peaksDb[i + 1]} dB agrees on ${share} with itself at -3 dB`);
      }
    }
  });

  test("still hears quiet speech after a bang", async () => {
    const quiet = scaled(sample("timer.wav"), 0.15);
    const bang = new Float32Array(RATE_HZ);
    for (let i = 8_000; i < 8_480; i += 1) bang[i] = i % 2 === 0 ? 1 : -1;
    const without = speechCount((await listen(model, quiet)).probabilities);
    const { probabilities } = await listen(model, Float32Array.of(...bang, ...quiet));
    const after = speechCount(probabilities.subarray(bang.length / model.windowSamples));
    assert.ok(without > 40 && after > 0.8 * without, `${after} windows of speech after a bang, ${without} without`);
  });

  test("takes silence for no speech", async () => {
    const { probabilities } = await listen(model, new Float32Array(32_000));
    assert.ok(probabilities.every((probability) => probability < 0.3));
  });

  for (const [name, noise] of Object.entries(noises())) {
    test(`hears no start in ${name}, and speech over it`, async () => {
      const heard = noise(seeded(7), 12 * RATE_HZ);
      const level = 0.05 / loudnessOf(heard);
      const alone = await listen(model, scaled(heard, level));
      const starts = startsOf(model, alone.probabilities);
      assert.equal(starts.length, 0, `starts at ${starts.join()}`);

      // Speech that is 15 dB louder, after 4 s: a detector that calls everything noise fails here.
      const speech = sample("timer.wav");
      const mixed = scaled(heard, level * 0.2).subarray(0, 8 * RATE_HZ);
      for (const [i, value] of speech.entries()) mixed[4 * RATE_HZ + i]! += value;
      const { probabilities } = await listen(model, mixed);
      const [at] = startsOf(model, probabilities);
      assert.ok(at !== undefined && Math.abs(at - 4.3 * RATE_HZ) < 0.5 * RATE_HZ, `speech is heard from ${at}`);
    });
  }
});

type Noise = (prng: Prng, sampleCount: number) => Float32Array;

function noises(): Record<string, Noise> {
  return {
    "white noise": (prng, count) => Float32Array.from({ length: count }, () => 2 * prng.next() - 1),
    "low rumble": (prng, count) => {
      let value = 0;
      return Float32Array.from({ length: count }, () => (value = 0.98 * value + prng.next() - 0.5));
    },
    "mains hum": (_prng, count) =>
      Float32Array.from({ length: count }, (_, i) => {
        let sum = 0;
        for (let k = 1; k <= 15; k += 1) sum += Math.sin((TAU * 50 * k * i) / RATE_HZ + k) / k;
        return sum;
      }),
    "beeps of a telephone": (_prng, count) =>
      Float32Array.from({ length: count }, (_, i) =>
        i % 16_000 < 6_400 ? Math.sin((TAU * 425 * i) / RATE_HZ) + Math.sin((TAU * 850 * i) / RATE_HZ) : 0,
      ),
    "struck dishes": (prng, count) => struck(prng, count, 0.4, [1_200, 6_500], 0.06),
    knocks: (prng, count) => struck(prng, count, 0.5, [80, 500], 0.015),
    typing: (prng, count) => struck(prng, count, 0.12, [2_000, 7_000], 0.004),
    "plucked chords": (prng, count) => {
      const pcm = new Float32Array(count);
      for (let at = 0; at < count; at += 8_000) {
        for (const step of [0, 4, 7]) {
          const hz = 220 * 2 ** ((step + prng.integer(0, 5)) / 12);
          for (let i = 0; i < 12_000 && at + i < count; i += 1) {
            const fall = Math.exp(-i / 4_000);
            pcm[at + i]! += fall * (Math.sin((TAU * hz * i) / RATE_HZ) + 0.4 * Math.sin((TAU * 2 * hz * i) / RATE_HZ));
          }
        }
      }
      return pcm;
    },
  };
}

/** Inharmonic modes that die out, struck again and again from 300 ms on: a first window that is a knock starts speech. */
function struck(prng: Prng, count: number, gapSeconds: number, rangeHz: readonly number[], fallSeconds: number) {
  const pcm = new Float32Array(count);
  const gap = gapSeconds * RATE_HZ;
  for (let at = 4_800; at < count; at += Math.round(gap * (0.4 + 1.2 * prng.next()))) {
    for (let mode = 0; mode < 6; mode += 1) {
      const hz = prng.integer(rangeHz[0]!, rangeHz[1]!);
      const fall = fallSeconds * RATE_HZ * (0.5 + prng.next());
      for (let i = 0; i < 6 * fall && at + i < count; i += 1)
        pcm[at + i]! += Math.exp(-i / fall) * Math.sin((TAU * hz * i) / RATE_HZ);
    }
  }
  return pcm;
}
