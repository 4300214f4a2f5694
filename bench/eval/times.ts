/**
 * Question: how far are the recogniser's word times from when the words were spoken?
 *
 * flite tells when it spoke each word (src/models/flite/spans.ts, good to a phone or two), so its voices are asked.
 * Sentences that were misheard are left out: a time belongs to a word.
 */
import type { Word } from "../../src/models/family.js";
import { median } from "../harness/statistics.js";
import type { EvalContext, Part } from "./context.js";
import { STT_BATCH } from "./recognisers.js";
import { rowOf } from "./rows.js";
import type { TimedSpeech } from "./voices.js";
import { normalisedWords } from "./words.js";

const TIMED_VOICES = ["slt", "awb"] as const;
const SENTENCES = 60;
const SAMPLES_PER_MS = 16;

export const TIME_PARTS: readonly Part[] = [
  { name: "word-times", question: "when words were spoken, against flite's own account", run: runWordTimes },
];

async function runWordTimes(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const texts = context.requests().slice(0, SENTENCES);
  const spoken: TimedSpeech[] = [];
  for (const voice of TIMED_VOICES) for (const text of texts) spoken.push(await voices.speakTimed(text, voice));
  const [starts, ends]: [number[], number[]] = [[], []];
  for (let from = 0; from < spoken.length; from += STT_BATCH) {
    const batch = spoken.slice(from, from + STT_BATCH);
    for (const [at, words] of (await hearWords(context, batch)).entries()) compare(batch[at]!, words, starts, ends);
  }
  if (starts.length === 0) return context.sink.skip("word times: no sentence was heard without an error");
  for (const [measure, errors] of [
    ["start of a word", starts],
    ["end of a word", ends],
  ] as const) {
    const middle = median(errors);
    const spread = median(errors.map((error) => Math.abs(error - middle)));
    const note = `median; half of the words are within ${Math.round(spread)} ms of it; positive is late`;
    context.sink.row(rowOf({ set: "word times", measure, unit: "ms", value: middle, clips: errors.length, note }));
  }
}

async function hearWords(context: EvalContext, batch: readonly TimedSpeech[]): Promise<(readonly Word[])[]> {
  const model = await context.stt();
  const streams = batch.map(({ pcm }) => {
    const stream = model.createStream({});
    stream.accept(pcm, 0, pcm.length);
    stream.finish();
    return stream;
  });
  await model.advance(streams);
  return streams.map((stream) => stream.hypothesis().words);
}

function compare({ spans }: TimedSpeech, words: readonly Word[], starts: number[], ends: number[]): void {
  const wanted = spans.map(({ text }) => normalisedWords(text).join(" "));
  if (wanted.join(" ") !== words.map(({ text }) => text.toLowerCase()).join(" ") || spans.length !== words.length)
    return;
  for (const [at, span] of spans.entries()) {
    starts.push((words[at]!.startSample - span.startSample) / SAMPLES_PER_MS);
    ends.push((words[at]!.endSample - span.endSample) / SAMPLES_PER_MS);
  }
}
