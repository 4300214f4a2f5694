/**
 * Question: what does a second of audio cost, and how many live streams is that per core?
 *
 * CPU time of this process, so that neighbours on a shared machine cost less than they would in wall time; they still
 * cost caches. The recogniser gets chunks as a microphone gives them, all streams of a batch at once, and is asked for
 * its text after each, as for partial transcripts. The detector is measured by `npm run bench -- vad`: with its actor,
 * in a process of its own.
 */
import { resolve } from "node:path";
import type { SttModel } from "../../src/models/family.js";
import { CHUNK_SAMPLES } from "../../src/models/starter-ctc/acoustic.js";
import { BEAM_DEFAULT, LABEL_COUNT, type Lexicon, PhoneDecoder } from "../../src/models/starter-ctc/decoder/index.js";
import { joined } from "../../test/support/system.js";
import { numberOf, type VariantParameters } from "../harness/bench.js";
import { runVariant } from "../harness/child.js";
import { median, rangeOf } from "../harness/statistics.js";
import type { BarName } from "./bars.js";
import type { EvalContext, Part } from "./context.js";
import { type Heard, hearPhones, openLexicon } from "./posteriors.js";
import { openStt, STT_BATCH } from "./recognisers.js";
import { rowOf } from "./rows.js";
import { mixedClips } from "./steps.js";

const REPEATS = 5;
const BEAM = 24;
const STREAM_SAMPLES = 6 * 16_000;
/** Slots of one push, as the acoustic half delivers them. */
const PUSH_SLOTS = CHUNK_SAMPLES / 320;
const VAD_SIZE = { rounds: 5, windows: 40 };

export const SPEED_PARTS: readonly Part[] = [
  { name: "speed-decoding", question: "CPU per second of audio from phones to words", run: runDecoding },
  { name: "speed-stt", question: `streams per core of the recogniser, batch ${STT_BATCH}`, run: runSttStreams },
  { name: "speed-vad", question: "streams per core of the detector, batch 32", run: runVadStreams },
];

async function runDecoding(context: EvalContext): Promise<void> {
  const { models } = context.options;
  const lexicon = openLexicon(models);
  const clips = await mixedClips(context);
  const heard = await hearPhones(models, clips.slice(0, 64));
  const seconds = heard.reduce((sum, one) => sum + one.seconds, 0);
  for (const beam of new Set([BEAM, models.beam ?? BEAM_DEFAULT])) {
    const costs = await repeated(context, "decoding", () => {
      for (const one of heard) push(lexicon, one, beam);
    });
    const values = costs.map((cpuMs) => cpuMs / seconds);
    timeRow(context, `decoding, beam ${beam}`, "cost", "ms per s", values, beam === BEAM ? "decoding" : undefined);
  }
}

function push(lexicon: Lexicon, { logp }: Heard, beam: number): void {
  const decoder = new PhoneDecoder(lexicon, { beam });
  const slotCount = logp.length / LABEL_COUNT;
  for (let slot = 0; slot < slotCount; slot += PUSH_SLOTS) {
    decoder.push(logp, slot * LABEL_COUNT, Math.min(PUSH_SLOTS, slotCount - slot));
  }
  decoder.finish();
  decoder.hypothesis();
}

async function runSttStreams(context: EvalContext): Promise<void> {
  const { models } = context.options;
  const clips = await mixedClips(context);
  const speech = joined(...(await Promise.all(clips.slice(0, 64).map((clip) => clip.read()))));
  for (const beam of new Set([models.beam ?? BEAM_DEFAULT, BEAM])) {
    const model = await openStt({ ...models, beam });
    const costs = await repeated(context, `recogniser, beam ${beam}`, () => listen(model, speech));
    await model.release();
    const audioMs = (STT_BATCH * STREAM_SAMPLES) / 16;
    const values = costs.map((cpuMs) => audioMs / cpuMs);
    const isDefault = beam === (models.beam ?? BEAM_DEFAULT);
    const set = `recogniser, batch ${STT_BATCH}, beam ${beam}`;
    timeRow(context, set, "streams per core", "streams", values, isDefault ? "sttStreams" : undefined);
  }
}

/** Every stream hears another part of the speech, round and round. */
async function listen(model: SttModel, speech: Int16Array): Promise<void> {
  const streams = Array.from({ length: STT_BATCH }, () => model.createStream({}));
  const chunk = new Int16Array(CHUNK_SAMPLES);
  for (let at = 0; at < STREAM_SAMPLES; at += CHUNK_SAMPLES) {
    for (const [row, stream] of streams.entries()) {
      const from = (row * STREAM_SAMPLES + at) % speech.length;
      for (let i = 0; i < CHUNK_SAMPLES; i++) chunk[i] = speech[(from + i) % speech.length]!;
      stream.accept(chunk, 0, CHUNK_SAMPLES);
    }
    await model.advance(streams);
    for (const stream of streams) stream.hypothesis();
  }
}

async function runVadStreams(context: EvalContext): Promise<void> {
  const { vad } = context.options.models;
  const values: number[] = [];
  const bare: number[] = [];
  for (let repeat = 0; repeat < (context.options.isQuick ? 1 : REPEATS); repeat++) {
    context.sink.progress(`detector: ${repeat + 1}`);
    const file: VariantParameters = vad === undefined ? {} : { file: resolve(vad) };
    const parameters = { family: "starter-vad", ...VAD_SIZE, ...file };
    const sample = await runVariant({ bench: "vad", variant: "measure", parameters });
    values.push(numberOf(sample, "many"));
    bare.push(numberOf(sample, "bareMany"));
  }
  timeRow(context, "detector, batch 32", "streams per core", "streams", values, "vadStreams", "with the actor");
  timeRow(context, "detector, batch 32", "streams per core", "streams", bare, undefined, "the model alone");
}

/** CPU milliseconds of each repetition; one before them warms up. */
async function repeated(context: EvalContext, what: string, work: () => void | Promise<void>): Promise<number[]> {
  const costs: number[] = [];
  for (let repeat = 0; repeat <= (context.options.isQuick ? 1 : REPEATS); repeat++) {
    context.sink.progress(`${what}: ${repeat}`);
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    if (repeat > 0) costs.push((user + system) / 1000);
  }
  return costs;
}

function timeRow(
  context: EvalContext,
  set: string,
  measure: string,
  unit: string,
  values: readonly number[],
  bar: BarName | undefined,
  note = "",
): void {
  context.sink.row(
    rowOf({
      set,
      condition: "",
      measure,
      unit,
      value: median(values),
      clips: values.length,
      interval: rangeOf(values),
      ...(bar === undefined ? {} : { bar }),
      note: `${note === "" ? "" : `${note}; `}median of n repetitions, least … most`,
    }),
  );
}
