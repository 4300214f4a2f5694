/** A model family of your own: a voice detector that is no network at all, but compares levels. See docs/EXTENDING.md. */
import { defineFamily } from "syrinx";
import { z } from "zod";

const WINDOW_SAMPLES = 320;

export const energyVadFamily = defineFamily({
  name: "energy-vad",
  task: "vad",
  options: z.strictObject({ thresholdDb: z.number().min(-90).max(0).default(-40) }),
  async open({ thresholdDb }, { log }) {
    log("debug", "nothing to load");
    return {
      device: "cpu",
      description: `levels above ${thresholdDb} dB of full scale`,
      windowSamples: WINDOW_SAMPLES,
      stateFloats: 1, // a level that falls slowly: short pauses inside words are still speech
      lagSamples: 0,
      resetState: (state) => void state.fill(-120),
      async step(count, pcm, states, probabilities) {
        for (let row = 0; row < count; row++) {
          let squares = 0;
          for (const sample of pcm.subarray(row * WINDOW_SAMPLES, (row + 1) * WINDOW_SAMPLES))
            squares += sample * sample;
          const levelDb = 10 * Math.log10(squares / WINDOW_SAMPLES + 1e-12);
          const state = states[row]!;
          state[0] = Math.max(levelDb, state[0]! - 1);
          probabilities[row] = 1 / (1 + Math.exp((thresholdDb - state[0]) / 2));
        }
      },
      async release() {},
    };
  },
});
