/**
 * The `gtcrn` family: GTCRN's streaming export at 16 kHz (github.com/Xiaobin-Rong/gtcrn, MIT), a denoiser of 48,000
 * parameters, from the user's own file. Input `mix` f32 [1, 257, 1, 2], the spectrum of one window of 512 samples every
 * 256, and three caches; output `enh` like `mix` and each cache's `…_out`. What it says is one hop, 16 ms, late.
 *
 * The published file has a batch of 1, so the calls of a step go through it one by one: `replicas` spread them over cores. It
 * cannot be set free by rewriting declarations: the indices of its 18 ScatterND are constants that name row 0, and 30 of its 37
 * Reshape have a 1 in their shapes. It has to be exported anew; the engine takes a file whose batch is free.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { type DenoiseModel, defineFamily, type FamilyContext } from "./family.js";
import { Stft } from "./front-ends/stft.js";
import { openStreamFilter, type StreamFilterSpec } from "./stream-filter.js";

const NAME = "gtcrn";
const WINDOW_SAMPLES = 512;
const HOP_SAMPLES = 256;

const options = z.strictObject({
  file: z.string().min(1).describe("GTCRN's streaming file, relative to the configuration's folder"),
});

export const gtcrnFamily = defineFamily({
  name: NAME,
  task: "denoise",
  options,
  open: ({ file }: z.infer<typeof options>, context: FamilyContext): Promise<DenoiseModel> =>
    openStreamFilter(resolve(context.baseFolder, file), specOf(), context),
});

/** The first axis of each cache is encoder and decoder, or the first and the second recurrent block. */
function specOf(): StreamFilterSpec {
  const stft = new Stft(WINDOW_SAMPLES, HOP_SAMPLES);
  const cache = (name: string, batchAxis: number, ...rowDims: readonly number[]) => ({
    input: name,
    output: `${name}_out`,
    rowDims,
    batchAxis,
  });
  return {
    family: NAME,
    stft,
    spectrum: { input: "mix", output: "enh", rowDims: [stft.bins, 1, 2], batchAxis: 0 },
    states: [
      cache("conv_cache", 1, 2, 16, 16, 33),
      cache("tra_cache", 3, 2, 3, 1, 16),
      cache("inter_cache", 1, 2, 33, 16),
    ],
  };
}
