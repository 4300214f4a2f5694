/**
 * Question: what does a wire protocol cost, and how soon does it answer?
 *
 *     this process: clients ══ WebSockets on loopback ══► another: server ─► face ─► runtime ─► workers
 *
 *     connect     one client after another, from dialling to the server's first word that the call is open (Deepgram's
 *                 /v1/listen says none by itself: the answer to a Finalize), drop-in configuration, starter models
 *     codecs      each face's typical messages, in a loop, without sockets; the fastest of ten stretches
 *     streams     paced 20 ms frames, open loop. Every 100 ms of audio a stream is told how much of it was heard, by an
 *                 actor that costs nothing: alone (echo graph) or behind the starter's voice detector (VAD graph). How late
 *                 that is counts from when the frame was due. Deepgram's face against the native one, in turns.
 *     finalize    Deepgram streams that speak the samples, and send Finalize 200 ms after their speech ended, as Pipecat's
 *                 detector would; starter recogniser. `ttfs` is Pipecat's: from the end of speech to the final transcript
 *
 * What it is not: a limit of streams (one machine holds the clients too), or the recogniser's accuracy.
 */

import { connects, finalizes, READINESS } from "./faces/answers.js";
import { codecs } from "./faces/codecs.js";
import { streams } from "./faces/streams.js";
import {
  type Bar,
  type Bench,
  type BenchContext,
  type Figure,
  numberOf,
  type Sample,
  type VariantParameters,
} from "./harness/bench.js";
import { figure } from "./harness/figures.js";

interface Size {
  readonly repeats: number;
  readonly connects: number;
  readonly rounds: number;
  readonly streams: number;
  readonly finalizing: readonly number[];
  readonly warmMs: number;
  readonly measureMs: number;
  readonly finalizeMs: number;
}

const SMOKE: Size = {
  repeats: 1,
  connects: 3,
  rounds: 20,
  streams: 3,
  finalizing: [2],
  warmMs: 200,
  measureMs: 500,
  finalizeMs: 4_500,
};
const FULL: Size = {
  repeats: 3,
  connects: 200,
  rounds: 5_000,
  streams: 200,
  finalizing: [1, 20],
  warmMs: 2_000,
  measureMs: 6_000,
  finalizeMs: 25_000,
};

const NAME = { name: "faces" };
/** What a face may add to a stream: no more than this part of the server's own work. */
const CPU_BAR: Bar = { of: "ratio", must: "be at least", bar: 0.5, aim: 0.8 };

async function repeated(context: BenchContext, name: string, parameters: VariantParameters, repeats: number) {
  const samples: Sample[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    context.progress(`${name} ${Object.values(parameters).join(" ")}, ${repeat + 1} of ${repeats}`);
    samples.push(await context.variant(name, parameters));
  }
  return (key: string): number[] => samples.map((sample) => numberOf(sample, key));
}

async function connectFigures(context: BenchContext, size: Size): Promise<Figure[]> {
  const of = await repeated(context, "connects", { count: size.connects }, size.repeats);
  return Object.keys(READINESS).flatMap((face) =>
    ["p50", "p99"].map((quantile) => {
      const metric = `connect to ready, ${quantile} of ${size.connects}, ${face}`;
      return figure({ bench: NAME, metric, unit: "ms", values: of(`${face} ${quantile}`) });
    }),
  );
}

async function codecFigures(context: BenchContext, size: Size): Promise<Figure[]> {
  const samples: Sample[] = [];
  for (let repeat = 0; repeat < size.repeats; repeat++) {
    context.progress(`codecs, ${repeat + 1}`);
    samples.push(await context.variant("codecs", { rounds: size.rounds }));
  }
  return Object.keys(samples[0]!).map((metric) =>
    figure({ bench: NAME, metric, unit: "µs", values: samples.map((sample) => numberOf(sample, metric)) }),
  );
}

async function streamFigures(context: BenchContext, size: Size, graph: string): Promise<Figure[]> {
  const { warmMs, measureMs } = size;
  const sides: Record<"deepgram" | "native", Sample[]> = { deepgram: [], native: [] };
  for (let repeat = 0; repeat < size.repeats; repeat++) {
    const order = repeat % 2 === 0 ? (["deepgram", "native"] as const) : (["native", "deepgram"] as const);
    for (const face of order) {
      context.progress(`${size.streams} streams, ${graph}, ${face}, ${repeat + 1} of ${size.repeats}`);
      sides[face].push(await context.variant("streams", { face, graph, streams: size.streams, warmMs, measureMs }));
    }
  }
  const of = (face: "deepgram" | "native", key: string): number[] => sides[face].map((sample) => numberOf(sample, key));
  const answers = of("deepgram", "answers").reduce((sum, count) => sum + count, 0);
  const row = (what: string, unit: string, key: string, bar?: Bar): Figure =>
    figure({
      bench: NAME,
      metric: `${what}, ${size.streams} Deepgram streams on the ${graph} graph, against native`,
      unit,
      values: of("deepgram", key),
      baselines: of("native", key),
      ...(bar === undefined ? {} : { bar }),
    });
  return [
    row("CPU per stream", "ms/s", "cpu", CPU_BAR),
    row("lateness p50", "ms", "p50"),
    row(`lateness p99 (${answers} answers)`, "ms", "p99"),
    row("RSS per stream", "KiB", "rss"),
    row("lateness p99 of the generator", "ms", "lateness"),
  ];
}

async function finalizeFigures(context: BenchContext, size: Size, count: number): Promise<Figure[]> {
  const { warmMs, finalizeMs: measureMs } = size;
  const of = await repeated(context, "finalizes", { streams: count, warmMs, measureMs }, size.repeats);
  const total = (key: string): number => of(key).reduce((sum, value) => sum + value, 0);
  const streamCount = count === 1 ? "1 stream" : `${count} streams`;
  const row = (metric: string, key: string): Figure => figure({ bench: NAME, metric, unit: "ms", values: of(key) });
  return [
    row(`Finalize to from_finalize, p50, ${streamCount} (${total("answers")} answers)`, "p50"),
    row(`Finalize to from_finalize, p99, ${streamCount}`, "p99"),
    row(`ttfs p50, ${streamCount} (${total("utterances")} transcripts, ${total("empty")} without words)`, "ttfs50"),
    row(`ttfs p99, ${streamCount}`, "ttfs99"),
  ];
}

export const facesBench: Bench = {
  name: "faces",
  variants: { connects, codecs, streams, finalizes },
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const size = context.isSmoke ? SMOKE : FULL;
    const figures = [...(await connectFigures(context, size)), ...(await codecFigures(context, size))];
    for (const graph of ["echo", "vad"]) figures.push(...(await streamFigures(context, size, graph)));
    for (const count of size.finalizing) figures.push(...(await finalizeFigures(context, size, count)));
    return figures;
  },
};
