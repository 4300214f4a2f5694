/**
 * Question: how long does a model take to load and warm, and how much memory does each session hold?
 *
 *     RSS ──► open the first (code, ONNX Runtime, weights, warm-up) ──► RSS ──► open two more of the same ──► RSS
 *
 * The first session brings ONNX Runtime and the family's code with it; what one more holds is half of what the next two
 * add. Loading is measured on the second and third, when the code is there. Garbage is collected before each look. On the
 * CPU, with the settings of the configuration's defaults. The weights are the starter models', and where they lie beside
 * the checkout, real ones of others.
 *
 * What it is not: what a call costs (bench `memory`), nor what a GPU holds.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createClock } from "../src/base/clock.js";
import { packageRoot } from "../src/base/package-root.js";
import { loadFamily } from "../src/models/registry.js";
import { type Bench, type Figure, numberOf, type Sample, type VariantParameters } from "./harness/bench.js";
import { figure } from "./harness/figures.js";
import { median } from "./harness/statistics.js";

const BATCH = 32;
const MORE = 2;
const MIB = 2 ** 20;

const BESIDE = join(packageRoot(), "..", "shared", "models");

interface Row {
  readonly family: string;
  /** Its options, whose values are files below the folder of real weights; none: the weights come with the package. */
  readonly files: Readonly<Record<string, string>>;
}

const ROWS: readonly Row[] = [
  { family: "starter-vad", files: {} },
  { family: "starter-ctc", files: {} },
  { family: "flite", files: {} },
  { family: "silero", files: { file: "vad/silero_vad_16k_op15.onnx" } },
  {
    family: "firered-vad",
    files: { file: "vad/fireredvad_stream_vad_with_cache.onnx", cmvn: "vad/fireredvad_cmvn.ark" },
  },
  {
    family: "moonshine-spelling",
    files: { file: "stt/moonshine_spelling_cnn_mel.shrunk.onnx", meta: "stt/moonshine_spelling_cnn_meta.json" },
  },
  { family: "gtcrn", files: { file: "denoise/gtcrn_simple.onnx" } },
];

function rssMib(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss() / MIB;
}

async function load(parameters: VariantParameters): Promise<Sample> {
  const { family: name, ...files } = parameters;
  const family = (await loadFamily(String(name)))!;
  const options = family.options.parse(files);
  const clock = createClock();
  const context = { clock, baseFolder: packageRoot(), device: "cpu", batchMax: BATCH, log: () => {} };
  const before = rssMib();
  const models = [await family.open(options, context)];
  const afterFirst = rssMib();
  const loadMs: number[] = [];
  for (let more = 0; more < MORE; more++) {
    const startMs = performance.now();
    models.push(await family.open(options, context));
    loadMs.push(performance.now() - startMs);
  }
  const afterAll = rssMib();
  for (const model of models) await model.release();
  return {
    loadMs: median(loadMs),
    firstMib: afterFirst - before,
    moreMib: Math.max(0, (afterAll - afterFirst) / MORE),
  };
}

export const modelsBench: Bench = {
  name: "models",
  variants: { load },
  async run(context) {
    const figures: Figure[] = [];
    const present = ROWS.filter(({ files }) => Object.values(files).every((file) => existsSync(join(BESIDE, file))));
    for (const { family, files } of context.isSmoke ? present.slice(0, 1) : present) {
      const samples: Sample[] = [];
      const here = Object.entries(files).map(([option, file]) => [option, join(BESIDE, file)]);
      const parameters: VariantParameters = { family, ...Object.fromEntries(here) };
      for (let repeat = 0; repeat < (context.isSmoke ? 1 : 5); repeat++) {
        context.progress(`${family}, ${repeat + 1}`);
        samples.push(await context.variant("load", parameters));
      }
      const of = (key: string): number[] => samples.map((sample) => numberOf(sample, key));
      const bench = modelsBench;
      // A whole server is ready within two seconds, and loads its models side by side.
      const bar = { of: "value", must: "be under", bar: 1_000, aim: 300 } as const;
      figures.push(figure({ bench, metric: `load and warm, ${family}`, unit: "ms", values: of("loadMs"), bar }));
      figures.push(figure({ bench, metric: `memory of the first, ${family}`, unit: "MiB", values: of("firstMib") }));
      figures.push(figure({ bench, metric: `memory of one more, ${family}`, unit: "MiB", values: of("moreMib") }));
    }
    return figures;
  },
};
