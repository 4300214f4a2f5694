/**
 * Speaks text clause by clause. Within a batch, calls take turns: first the opening clauses of all replies, because a
 * caller waits in silence for each of them, then one clause of every call after the other. Clauses of one turn are spoken
 * together where the model takes a batch.
 *
 * A clause's alignment stands before its audio, but for a voice that streams: its audio leaves as it comes. Audio of one
 * context is contiguous. A clause that cannot be spoken is an error of its own, and the reply goes on.
 */
import { z } from "zod";
import { AssertionFailure } from "../base/assert.js";
import { isSyrinxError, reasonOf, SyrinxError } from "../base/errors.js";
import type { SpeakReport, SpeakRequest, TtsModel } from "../models/family.js";
import { type ActorCall, type ActorResources, defineActor, type Item, type Out } from "./define.js";
import { type SpeakTask, TTS_ROW_BYTES, TtsCall, type TtsContext } from "./tts-call.js";

/** Longest `audio.out` frame. Longer audio is divided evenly, so frames are at least half as long but for short clauses. */
export const OUT_FRAME_MS_MAX = 100;

const shape = {
  voice: z.string().min(1).max(100).optional(),
  speed: z.number().min(0.5).max(2).optional().describe("1 is the voice's own pace."),
};
const options = z.strictObject(shape);
type TtsOptions = z.infer<typeof options>;
const callOptions = z.strictObject(shape);

export const ttsActor = defineActor<TtsOptions, TtsCall, "tts">({
  name: "tts",
  summary: "Speaks text, clause by clause, so that the first audio leaves before the text is complete.",
  inputs: ["text", "reply"],
  requires: ["text"],
  outputs: ["audio.out", "alignment"],
  forwards: ["reply"],
  options,
  callOptions,
  task: "tts",
  thread: "compute",
  latencyMs: () => 0,
  stateBytes: () => TTS_ROW_BYTES,
  create(chosen, resources) {
    const speaker = new Speaker(chosen, resources);
    return {
      open: () => new TtsCall(),
      process: (batch, out) => speaker.process(batch, out),
      save: (call, row) => call.state.save(row),
      restore(_call, row) {
        const state = new TtsCall();
        state.restore(row);
        return state;
      },
    };
  },
});

class Speaker {
  readonly #chosen: TtsOptions;
  readonly #resources: ActorResources<"tts">;
  readonly #model: TtsModel;
  /** The clauses being spoken, by their place in the batch: held until their word times are known. */
  readonly #held: HeldPcm[] = [];

  constructor(chosen: TtsOptions, resources: ActorResources<"tts">) {
    this.#chosen = chosen;
    this.#resources = resources;
    this.#model = resources.model;
  }

  async process(batch: readonly Item<TtsCall>[], out: Out<TtsCall>): Promise<void> {
    const states = new Set<TtsCall>();
    for (const item of batch) {
      const { state } = item.call;
      states.add(state);
      plan(item, state);
    }
    let waiting = [...states];
    for (;;) {
      for (const state of waiting) passOn(state, out);
      waiting = waiting.filter((state) => state.tasks.length > 0);
      if (waiting.length === 0) return;
      const openings = waiting.filter((state) => isOpening((state.tasks[0] as SpeakTask).context));
      const turn = openings.length > 0 ? openings : waiting;
      const together = this.#model.speakAll === undefined ? 1 : (this.#model.batchMax ?? 1);
      for (let start = 0; start < turn.length; start += together) {
        const clauses = turn.slice(start, start + together).map((state) => state.tasks.shift() as SpeakTask);
        await this.#speak(clauses, out);
        // Somebody waits for this clause while the others are spoken.
        out.publish?.();
      }
    }
  }

  async #speak(clauses: readonly SpeakTask[], out: Out<TtsCall>): Promise<void> {
    const live = clauses.filter(({ context, cause }) => !cause.call.isStale(context.generation));
    if (live.length === 0) return;
    const requests = live.map(({ text, context, cause: { call } }) => {
      const { voice, speed } = { ...this.#chosen, ...callOptions.parse(call.options) };
      return { text, voice, speed, isStale: () => call.isStale(context.generation) };
    });
    const starts = live.map(({ context }) => context.position);
    const reports = await this.#ask(requests, this.#listener(live, out));
    for (const [index, clause] of live.entries()) {
      const { context, cause } = clause;
      const report = reports[index];
      if (!isReport(report)) {
        context.failedCount++;
        this.#tell(cause.call, report, cause, out);
      } else if (!requests[index]!.isStale()) {
        context.spokenCount++;
        const held = this.#model.isStreaming === true ? undefined : this.#held[index]!;
        const total = held?.count ?? context.position - starts[index]!;
        if (total > 0) this.#align(clause, report, starts[index]!, total, out);
        if (held !== undefined) this.#emitAudio(clause, held.pcm, held.count, out);
      }
    }
  }

  /** Where a model's audio goes: to whoever waits, or aside until its word times are known. */
  #listener(clauses: readonly SpeakTask[], out: Out<TtsCall>): (index: number, pcm: Int16Array) => void {
    if (this.#model.isStreaming === true) {
      return (index, pcm) => {
        this.#emitAudio(clauses[index]!, pcm, pcm.length, out);
        out.publish?.();
      };
    }
    while (this.#held.length < clauses.length) this.#held.push(new HeldPcm());
    for (const held of this.#held) held.count = 0;
    return (index, pcm) => this.#held[index]!.add(pcm);
  }

  /** For each request its report, or what kept it from being spoken. */
  async #ask(
    requests: readonly SpeakRequest[],
    listen: (index: number, pcm: Int16Array) => void,
  ): Promise<readonly unknown[]> {
    const model = this.#model;
    if (requests.length > 1 && model.speakAll !== undefined) return model.speakAll(requests, listen);
    try {
      return [await model.speak(requests[0]!, (pcm) => listen(0, pcm))];
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      return [error];
    }
  }

  #align({ text, context, cause }: SpeakTask, { spans }: SpeakReport, start: number, total: number, out: Out<TtsCall>) {
    const { contextId, generation } = context;
    const known = spans.length > 0 ? spans : [{ text, startSample: 0, endSample: total }];
    const meta = {
      contextId,
      unit: spans.length > 0 ? ("word" as const) : ("clause" as const),
      rateHz: this.#model.rateHz,
      spans: known.map((span) => ({
        text: span.text,
        startSample: start + span.startSample,
        endSample: start + span.endSample,
      })),
    };
    out.emit(cause.call, "alignment", meta, { cause, generation, position: start });
  }

  #emitAudio({ context, cause }: SpeakTask, pcm: Int16Array, count: number, out: Out<TtsCall>): void {
    const { contextId, generation, position: start } = context;
    const { rateHz } = this.#model;
    const frameCount = Math.ceil(count / ((rateHz * OUT_FRAME_MS_MAX) / 1000));
    for (let frame = 0, from = 0; frame < frameCount; frame++) {
      const to = Math.round(((frame + 1) * count) / frameCount);
      const options = { cause, generation, position: start + from };
      out.emitAudio(cause.call, { contextId, rateHz }, pcm, from, to - from, options);
      from = to;
    }
    context.position += count;
  }

  #tell(call: ActorCall<TtsCall>, thrown: unknown, cause: Item<TtsCall>, out: Out<TtsCall>): void {
    const error = isSyrinxError(thrown) ? thrown : new SyrinxError("TTS_FAILED", { reason: reasonOf(thrown) }, thrown);
    const { code, message, hint } = error;
    const { nodeName, log } = this.#resources;
    log("warn", "a clause could not be spoken", { callId: call.callId, code });
    out.emit(call, "error", { code, message, hint, node: nodeName, fatal: false }, { cause });
  }
}

/** Grows to the longest clause that it held. */
class HeldPcm {
  pcm = new Int16Array(16_000);
  count = 0;

  add(more: Int16Array): void {
    if (this.count + more.length > this.pcm.length) {
      const grown = new Int16Array(2 * (this.count + more.length));
      grown.set(this.pcm.subarray(0, this.count));
      this.pcm = grown;
    }
    this.pcm.set(more, this.count);
    this.count += more.length;
  }
}

function isReport(outcome: unknown): outcome is SpeakReport {
  return typeof outcome === "object" && outcome !== null && "spans" in outcome;
}

/** Nothing of this reply was spoken yet: somebody is waiting in silence. */
function isOpening({ spokenCount, failedCount }: TtsContext): boolean {
  return spokenCount + failedCount === 0;
}

function plan(item: Item<TtsCall>, state: TtsCall): void {
  state.dropStale(item.call);
  if (item.kind === "text") {
    const { contextId, text } = item.meta("text");
    state.push(item, contextId, text);
    return;
  }
  // What ends a reply, asks for what was said, or closes the call finds everything before it spoken.
  if (item.kind !== "reply" || item.meta("reply").what === "end") state.flush(item);
  state.pass(item);
}

/** Passes on what stands before the next clause. */
function passOn(state: TtsCall, out: Out<TtsCall>): void {
  for (let task = state.tasks[0]; task?.what === "pass"; task = state.tasks[0]) {
    state.tasks.shift();
    const { item, context } = task;
    if (item.kind === "reply" && context?.contextId === item.meta("reply").contextId) {
      const meta = item.meta("reply");
      const isMute = context.failedCount > 0 && context.spokenCount === 0;
      if (meta.what === "end" && isMute) {
        out.emit(item.call, "reply", { ...meta, reason: "failed" }, { cause: item });
        continue;
      }
    }
    out.forward(item);
  }
}
