/**
 * Speech to text. Each stretch of speech is one segment: partials while it lasts, one final when it ends, and the final
 * stands before whatever ended it (`vad` stop, `turn` end, a `finalize` fence, `close`).
 *
 * Every call's frames are walked in order until one needs the model's answer; then the model advances all calls at once
 * and the walks go on. Calls that need no answer yet run along while there is time: if a step with them would make an
 * answer late, they are left for the next one. Where a partial is due is a matter of stream time alone, so that neither
 * the grouping into batches nor a worker's death changes what is said.
 */
import { z } from "zod";
import { assert } from "../base/assert.js";
import type { Clock } from "../base/clock.js";
import { partialFactor } from "../base/degrade.js";
import { GRAPH_RATE_HZ, msToSamples } from "../base/units.js";
import type { Transcript } from "../frames/kinds.js";
import { rowsInTime } from "../gpu/batch-policy.js";
import type { Hypothesis, SttModel } from "../models/family.js";
import { type ActorCall, type ActorResources, defineActor, type Item, type Out } from "./define.js";
import { PRE_ROLL_MS, SEGMENT_SAMPLES_MAX, type Segment, STT_ROW_BYTES, SttCall } from "./stt-call.js";

/** Lost audio up to this long is recognised as silence. At a longer gap the segment ends and another begins behind it. */
export const GAP_BRIDGED_SAMPLES = 2 * GRAPH_RATE_HZ;
const SILENCE = new Int16Array(GRAPH_RATE_HZ / 10);

const options = z.strictObject({
  padMs: z
    .number()
    .min(0)
    .max(PRE_ROLL_MS)
    .default(200)
    .describe("Audio before the detected beginning of speech that is recognised too."),
  partialMs: z.number().min(0).max(5_000).default(200).describe("Stream time between partials; 0: none."),
});
type SttOptions = z.infer<typeof options>;

const callOptions = z.strictObject({
  keyterms: z.array(z.string().min(1).max(100)).max(100).optional().describe("Words or phrases to favour."),
});

export const sttActor = defineActor<SttOptions, SttCall, "stt">({
  name: "stt",
  summary: "Turns speech into text: partial transcripts while somebody speaks, a final one when the speech ends.",
  inputs: ["audio.in", "vad", "turn"],
  requires: ["audio.in"],
  outputs: ["transcript.partial", "transcript.final"],
  forwards: ["turn"],
  options,
  callOptions,
  isLive: true,
  task: "stt",
  thread: "compute",
  // A final comes as soon as it is computed after the speech has ended.
  latencyMs: () => 0,
  stateBytes: () => STT_ROW_BYTES,
  create(chosen, resources) {
    const { model } = resources;
    const recogniser = new Recogniser(chosen, resources);
    const stateOf = (call: ActorCall<SttCall>): SttCall => new SttCall(model, callOptions.parse(call.options));
    return {
      open: stateOf,
      process: (batch, out) => recogniser.process(batch, out),
      configure(call) {
        call.state.streamOptions = callOptions.parse(call.options);
      },
      close(call) {
        call.state.isClosed = true;
      },
      save(call, row) {
        // From the next batch on: this one may have to be repeated.
        call.state.partialFactor = partialFactor(resources.degradeLevel());
        call.state.save(row);
      },
      restore(call, row) {
        const state = stateOf(call);
        state.restore(row);
        return state;
      },
    };
  },
});

/** A call's frames of this batch, and how far they were walked. */
interface Walk {
  readonly call: SttCall;
  readonly items: Item<SttCall>[];
  readonly steps: Steps;
  isDone: boolean;
  /** When the answer that it waits for should be there, microseconds. */
  dueUs: number;
}

/** Yields when the answer is due that it cannot go on without. */
type Steps = Generator<number, undefined, undefined>;

/** The share of the deadline that a final may take: a turn waits for it, for a partial only an eye. */
const FINAL_SHARE = 0.25;

class Recogniser {
  readonly #model: SttModel;
  readonly #clock: Clock;
  readonly #deadlineUs: number;
  readonly #isContinuous: boolean;
  readonly #hasTurns: boolean;
  readonly #padSamples: number;
  readonly #partialSamples: number;

  constructor(chosen: SttOptions, { model, inputKinds, clock, deadlineUs }: ActorResources<"stt">) {
    this.#model = model;
    this.#clock = clock;
    this.#deadlineUs = deadlineUs;
    this.#isContinuous = !inputKinds.has("vad");
    this.#hasTurns = inputKinds.has("turn");
    this.#padSamples = msToSamples(chosen.padMs);
    this.#partialSamples = chosen.partialMs === 0 ? Number.POSITIVE_INFINITY : msToSamples(chosen.partialMs);
  }

  async process(batch: readonly Item<SttCall>[], out: Out<SttCall>): Promise<void> {
    const walks = this.#begin(batch, out);
    // Answers go out when all of this batch is done, so the first of them limits every step of it.
    let firstDueUs = Number.POSITIVE_INFINITY;
    for (;;) {
      const awaited: Walk[] = [];
      const along: Walk[] = [];
      for (const walk of walks) {
        if (!walk.isDone) this.#goOn(walk);
        if (walk.call.segment === undefined) continue;
        if (!walk.isDone) awaited.push(walk);
        else if (walk.call.segment.stream.isReady && !walk.call.isClosed) along.push(walk);
      }
      for (const { dueUs } of awaited) firstDueUs = Math.min(firstDueUs, dueUs);
      const chosen = [...awaited, ...this.#companions(along, awaited.length, firstDueUs)];
      if (chosen.length === 0) return;
      for (const { call } of chosen) call.segment!.leftOutUs = undefined;
      await this.#model.advance(
        chosen.map(({ call }) => call.segment!.stream),
        (index) => chosen[index]!.call.isClosed,
        (index) => chosen[index]!.dueUs,
      );
    }
  }

  #goOn(walk: Walk): void {
    const { value, done } = walk.steps.next();
    walk.isDone = done === true;
    if (value !== undefined) walk.dueUs = value;
    // Nobody waits for it, so it comes behind all others.
    else walk.dueUs = this.#clock.nowUs() + this.#deadlineUs;
  }

  /**
   * Of the calls that could run along, those for which there is time before the first answer is due, and those that were
   * left out for too long. The others are noted as left out.
   */
  #companions(along: readonly Walk[], awaitedCount: number, firstDueUs: number): readonly Walk[] {
    const { steps } = this.#model;
    const isKnown = steps !== undefined && steps.predictMs(1) > 0;
    if (along.length === 0 || !isKnown || firstDueUs === Number.POSITIVE_INFINITY) return along;
    const nowUs = this.#clock.nowUs();
    const room = rowsInTime(awaitedCount + along.length, firstDueUs - nowUs, steps) - awaitedCount;
    if (room >= along.length) return along;
    const longestFirst = [...along].sort((a, b) => a.call.leftOutSince(nowUs) - b.call.leftOutSince(nowUs));
    return longestFirst.filter(
      ({ call }, index) => index < room || nowUs - call.leftOutSince(nowUs) > this.#deadlineUs,
    );
  }

  #begin(batch: readonly Item<SttCall>[], out: Out<SttCall>): Walk[] {
    const walks = new Map<SttCall, Walk>();
    for (const item of batch) {
      const { state } = item.call;
      let walk = walks.get(state);
      if (walk === undefined) {
        const items: Item<SttCall>[] = [];
        walk = { call: state, items, steps: this.#walk(items, out), isDone: false, dueUs: 0 };
        walks.set(state, walk);
      }
      walk.items.push(item);
    }
    return [...walks.values()];
  }

  /** Yields whenever it cannot go on before the model has advanced the segment's stream. */
  *#walk(items: readonly Item<SttCall>[], out: Out<SttCall>): Steps {
    for (const item of items) {
      const { state } = item.call;
      if (item.kind === "audio.in") {
        if (item.position > state.position) yield* this.#bridge(item, out);
        this.#listen(state);
        for (let taken = 0; taken < item.count; ) {
          const count = Math.min(item.count - taken, this.#untilMark(state));
          state.hear(item.samples, item.offset + taken, count);
          taken += count;
          if (this.#isAtMark(state)) yield* this.#mark(item, out);
        }
        continue;
      }
      if (item.kind === "vad") {
        const { what, atSample } = item.meta("vad");
        state.isSpeaking = what === "start";
        if (state.isSpeaking && state.segment === undefined) state.openSegment(atSample - this.#padSamples);
        else if (!state.isSpeaking && !this.#isContinuous) yield* this.#finish(item, out);
        continue;
      }
      if (endsSegment(item)) {
        yield* this.#finish(item, out);
        if (item.kind === "turn") state.turnCount++;
        // Whoever still speaks is heard on.
        if (item.kind !== "close") this.#listen(state);
      }
      out.forward(item);
    }
  }

  /** Begins a segment here if somebody speaks, or might: without a voice detector that is always. */
  #listen(state: SttCall): void {
    if (state.segment === undefined && (this.#isContinuous || state.isSpeaking)) state.openSegment(state.position);
  }

  /** Samples until something is due. */
  #untilMark({ segment, partialFactor: factor }: SttCall): number {
    if (segment === undefined) return Number.POSITIVE_INFINITY;
    const partialSamples = factor * this.#partialSamples;
    const untilPartial = partialSamples - (segment.count % partialSamples);
    return Math.min(untilPartial, SEGMENT_SAMPLES_MAX - segment.count);
  }

  #isAtMark({ segment, partialFactor: factor }: SttCall): boolean {
    if (segment === undefined) return false;
    return segment.count % (factor * this.#partialSamples) === 0 || segment.count >= SEGMENT_SAMPLES_MAX;
  }

  *#mark(item: Item<SttCall>, out: Out<SttCall>): Steps {
    const { call } = item;
    const segment = call.state.segment!;
    if (segment.count >= SEGMENT_SAMPLES_MAX) {
      yield* this.#finish(item, out);
      this.#listen(call.state);
      return;
    }
    if (segment.stream.isReady) yield item.enqueuedUs + this.#deadlineUs;
    assert(!segment.stream.isReady, "a model's advance leaves no stream ready");
    const hypothesis = segment.stream.hypothesis();
    const hash = hashOf(hypothesis.text);
    if (hash === segment.textHash) return;
    segment.textHash = hash;
    segment.isKnown = true;
    const meta = this.#transcript(call.state, segment, hypothesis);
    out.emit(call, "transcript.partial", meta, { cause: item, position: segment.start });
  }

  /** Ends the segment, if there is one, and emits its final. */
  *#finish(item: Item<SttCall>, out: Out<SttCall>): Steps {
    const { call } = item;
    const { state } = call;
    const { segment } = state;
    if (segment === undefined) return;
    segment.stream.finish();
    if (!segment.stream.isDone) yield item.enqueuedUs + FINAL_SHARE * this.#deadlineUs;
    assert(segment.stream.isDone || state.isClosed, "a model's advance completes a finished stream");
    const hypothesis = segment.stream.hypothesis();
    // Without text there is nothing to say, unless a partial said something that is to be taken back.
    if (hypothesis.text !== "" || segment.isKnown) {
      const meta = this.#transcript(state, segment, { ...hypothesis, stableChars: hypothesis.text.length });
      out.emit(call, "transcript.final", meta, { cause: item, position: segment.start });
      state.segmentCount++;
    }
    state.endSegment();
  }

  /** Stands in for audio that was lost before this frame. */
  *#bridge(item: Item<SttCall>, out: Out<SttCall>): Steps {
    const { state } = item.call;
    if (item.position - state.position > GAP_BRIDGED_SAMPLES) {
      yield* this.#finish(item, out);
      state.forgetIdle();
      state.position = item.position;
      return;
    }
    this.#listen(state);
    while (state.position < item.position) {
      const count = Math.min(item.position - state.position, SILENCE.length, this.#untilMark(state));
      state.hear(SILENCE, 0, count);
      if (this.#isAtMark(state)) yield* this.#mark(item, out);
    }
  }

  #transcript(state: SttCall, segment: Segment, hypothesis: Hypothesis): Transcript {
    const { start, count } = segment;
    return {
      segmentId: state.segmentCount,
      turnIndex: this.#hasTurns ? state.turnCount : state.segmentCount,
      text: hypothesis.text,
      words: hypothesis.words.map((word) => ({
        text: word.text,
        startSample: start + word.startSample,
        endSample: start + word.endSample,
        confidence: word.confidence,
      })),
      stableChars: hypothesis.stableChars,
      startSample: start,
      endSample: start + count,
      confidence: hypothesis.confidence,
    };
  }
}

function endsSegment(item: Item<SttCall>): boolean {
  if (item.kind === "turn") return item.meta("turn").what === "end";
  if (item.kind === "fence") return item.meta("fence").reason === "finalize";
  return item.kind === "close";
}

/** FNV-1a over UTF-16 units; 0 for the empty text. */
function hashOf(text: string): number {
  if (text === "") return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash | 0 || 1;
}
