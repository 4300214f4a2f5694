/**
 * Question: how many words are wrong, for which speakers, and how much worse do noise and the telephone make it?
 *
 * Sentences by synthetic voices are single segments and go straight to the model. Recordings of people go through the
 * product's graph, so a word that the voice detector misses is an error too.
 */
import { seeded } from "../../src/base/prng.js";
import { BARS, type BarName } from "./bars.js";
import {
  betweenPauses,
  type Clip,
  outsideSets,
  REAL_GROUPS,
  type RealGroup,
  sampleClips,
  sampleTexts,
  spokenClips,
} from "./clips.js";
import { DISTURBED } from "./conditions.js";
import type { EvalContext, Part } from "./context.js";
import { errorRow } from "./rows.js";
import type { ErrorCounts } from "./words.js";

/** The voices that were heard in training; rms was not. */
export const KNOWN_VOICES = ["slt", "awb", "kal16"] as const;
export const UNSEEN_VOICE = "rms";
/** Noise and telephone hear every n-th clip of a synthetic set. */
const DISTURBED_EVERY = 4;
const DIGITS = "zero one two three four five six seven eight nine".split(" ");
/** Capitals: as small letters, "a" would be said as the article. */
const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const SPELLINGS = 30;
const SPELLING_SEED = 20_261;
/** The set of {@link BARS}.heldOut, and the one that is pooled with the known voices. */
const HELD_OUT_SET = "espeak-held-out";
const KNOWN_SET = "known";

export const SPEECH_PARTS: readonly Part[] = [
  { name: "samples", question: "the recordings in samples/, through the graph", run: runSamples },
  { name: "requests", question: "requests to an assistant, all voices of the product", run: runRequests },
  { name: "spelling", question: "letters and digits, one by one", run: runSpelling },
  { name: "known", question: "unseen sentences, voices known from training", run: runKnown },
  { name: "rms", question: "unseen sentences, a natural synthetic voice that training never heard", run: runUnseen },
  { name: "real", question: "real people, through the graph", run: runReal },
  { name: "digits", question: "real people saying single digits, through the graph", run: runDigits },
];

async function runSamples(context: EvalContext): Promise<void> {
  const counts = await context.called(sampleClips(), "clean");
  context.sink.row(errorRow({ set: "samples/", note: "as the files lie, through detector and recogniser" }, counts));
}

async function runRequests(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const texts = [...context.few([...sampleTexts().values()]), ...context.requests()];
  const sets = voices.names.map((voice) => ({ set: `requests, ${voice}`, clips: spokenClips(voices, voice, texts) }));
  await pooled(context, "requests", sets, "requests");
}

/** Strings as people spell names and say numbers: nothing in them is likelier than anything else. */
async function runSpelling(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const prng = seeded(SPELLING_SEED);
  const draw = (from: readonly string[]): string =>
    Array.from({ length: prng.integer(3, 7) }, () => from[prng.integer(0, from.length)]!).join(" ");
  for (const [set, from] of [
    ["digits", DIGITS],
    ["letters", LETTERS],
  ] as const) {
    const texts = context.few(Array.from({ length: SPELLINGS }, () => draw(from)));
    const clips = KNOWN_VOICES.flatMap((voice) => spokenClips(voices, voice, texts));
    context.sink.row(errorRow({ set: `strings of ${set}` }, await context.batched(clips, "clean")));
  }
}

async function runKnown(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const sets = KNOWN_VOICES.map((voice) => ({
    set: `general, ${voice}`,
    clips: spokenClips(voices, voice, context.general()),
  }));
  const made = context.outside()?.find(({ name }) => name === KNOWN_SET);
  if (made === undefined) context.sink.skip(`the set "${KNOWN_SET}" of made voices: ${howToMake(context)}`);
  else sets.push({ set: "made outside, known", clips: [...context.few(made.clips)] });
  await pooled(context, "known voices", sets, "known");
}

async function runUnseen(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const clips = spokenClips(voices, UNSEEN_VOICE, context.general());
  await pooled(context, `general, ${UNSEEN_VOICE}`, [{ set: "", clips }], "rms");
}

/** A part for each set of the folder; where the held-out one is missing, a part that says so. */
export function outsideParts(folder: string): Part[] {
  const sets = outsideSets(folder)?.filter(({ name }) => name !== KNOWN_SET) ?? [];
  const parts = sets.map(({ name, description, clips }): Part => {
    const bar = name === HELD_OUT_SET ? "heldOut" : undefined;
    const run = (context: EvalContext) => pooled(context, name, [{ set: "", clips: context.few(clips) }], bar);
    return { name, question: description === "" ? "a set made outside" : description, run };
  });
  if (sets.some(({ name }) => name === HELD_OUT_SET)) return parts;
  const run = async (context: EvalContext) => context.sink.skip(`${BARS.heldOut.what}: ${howToMake(context)}`);
  return [...parts, { name: HELD_OUT_SET, question: "unseen voices of espeak-ng, made outside", run }];
}

function howToMake({ options }: EvalContext): string {
  return `not in ${options.speech}; python training/make_eval.py writes it (--speech names another folder)`;
}

/** A row for each set where there are several, one for all of them, and that one again in each disturbed condition. */
async function pooled(
  context: EvalContext,
  set: string,
  sets: readonly { readonly set: string; readonly clips: readonly Clip[] }[],
  bar: BarName | undefined,
): Promise<void> {
  const all: ErrorCounts[] = [];
  for (const one of sets) {
    const counts = await context.batched(one.clips, "clean");
    if (sets.length > 1) context.sink.row(errorRow({ set: one.set }, counts));
    all.push(...counts);
  }
  context.sink.row(errorRow({ set, ...(bar === undefined ? {} : { bar }) }, all));
  const some = sets.flatMap(({ clips }) => clips).filter((_, at) => at % DISTURBED_EVERY === 0);
  for (const condition of DISTURBED) {
    const note = `every ${DISTURBED_EVERY}th clip`;
    context.sink.row(errorRow({ set, condition, note }, await context.batched(some, condition)));
  }
}

async function runReal(context: EvalContext): Promise<void> {
  const real = context.real();
  if (real === undefined) return;
  const unused = real.filter(({ kind, why }) => kind === "speech" && why !== "");
  context.sink.skip(`as references: ${unused.map(({ name, why }) => `${name} (${why})`).join(", ")}`);
  const read: Clip[] = [];
  const readCounts: ErrorCounts[] = [];
  const allCounts: ErrorCounts[] = [];
  for (const { name, isRead } of REAL_GROUPS) {
    const clips = name === "digits" ? digitClips(context) : context.few(real.filter(({ group }) => group === name));
    if (clips.length === 0) continue;
    const counts = await context.called(clips, "clean");
    for (const [at, clip] of clips.entries()) {
      context.sink.row(errorRow({ set: `real: ${clip.name}`, isDetail: true, note: clip.text }, [counts[at]!]));
    }
    context.sink.row(errorRow({ set: `real, ${name}`, note: noteOf(name, clips) }, counts));
    allCounts.push(...counts);
    if (!isRead) continue;
    read.push(...clips);
    readCounts.push(...counts);
  }
  context.sink.row(errorRow({ set: "real, all English clips" }, allCounts));
  context.sink.row(errorRow({ set: "real, read English", bar: "real" }, readCounts));
  for (const condition of DISTURBED) {
    context.sink.row(errorRow({ set: "real, read English", condition }, await context.called(read, condition)));
  }
}

function noteOf(group: RealGroup, clips: readonly Clip[]): string {
  if (group === "digits") return "without key terms";
  const names = clips.map(({ name }) => name).join(", ");
  return group === "two_cities" ? `${names}: transcript completed from the book` : names;
}

async function runDigits(context: EvalContext): Promise<void> {
  const clips = digitClips(context);
  if (clips.length === 0) return context.sink.skip(`${BARS.digits.what}: no recordings`);
  const note = "0.3 s of faint noise before, 0.5 s behind";
  context.sink.row(errorRow({ set: "digits, no key terms", note }, await context.called(clips, "clean")));
  const withTerms = await context.called(clips, "clean", DIGITS);
  context.sink.row(errorRow({ set: "digits", bar: "digits", note: `key terms zero … nine; ${note}` }, withTerms));
  const cut = context.few(context.real()!.filter(({ group }) => group === "digits"));
  const bare = await context.called(cut, "clean", DIGITS);
  context.sink.row(
    errorRow({ set: "digits, as cut", note: "key terms; the call begins and ends with the word" }, bare),
  );
}

/** These recordings begin and end with their word; no call does. */
function digitClips(context: EvalContext): Clip[] {
  const clips = context.few(context.real()?.filter(({ group }) => group === "digits") ?? []);
  return clips.map((clip, at) => betweenPauses(clip, at));
}
