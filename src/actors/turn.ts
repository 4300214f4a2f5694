/**
 * Finds turns in speech: `turn` start and end, in their place between the audio. Speech during a reply interrupts it.
 *
 * With a turn model, each silence in a turn is a question to it. A call's frames are walked in order until one raises a
 * question; then the model answers those of all calls at once, and the walks go on.
 */
import { assert } from "../base/assert.js";
import { GRAPH_RATE_HZ, msToSamples } from "../base/units.js";
import type { TurnModel } from "../models/family.js";
import { type ActorCall, defineActor, type Item, type Out, type StateRow } from "./define.js";
import { TurnAudio } from "./turn-audio.js";
import { policyRow, type TurnOptions, turnOptions, turnOptionsFor } from "./turn-policy.js";
import { TURN_STATE_WORDS, type TurnChange, type TurnSink, TurnState, type TurnTiming } from "./turn-state.js";

/** Longest window of a turn model: rows are sized before it is known. At it: the node does not start. */
export const TURN_WINDOW_SAMPLES_MAX = 8 * GRAPH_RATE_HZ;
/** Audio before the detected beginning of speech that the model hears too. */
export const TURN_PRE_ROLL_SAMPLES = GRAPH_RATE_HZ / 2;

const AUDIO_AT_BYTE = TURN_STATE_WORDS * 4;

export const turnActor = defineActor<TurnOptions, TurnCall, "turn">({
  name: "turn",
  summary: "Groups speech into turns; speech during a reply interrupts it.",
  inputs: ["audio.in", "vad"],
  requires: ["audio.in", "vad"],
  outputs: ["turn"],
  forwards: ["audio.in", "vad"],
  options: turnOptions,
  callOptionsFor: (chosen) => policyRow(chosen).callOptions,
  isLive: true,
  task: "turn",
  needsModel: ({ kind }) => kind === "model",
  thread: "compute",
  latencyMs: (chosen) => policyRow(chosen).latencyMs(chosen),
  latencyOverlaps: true,
  stateBytes: ({ kind }) => AUDIO_AT_BYTE + (kind === "model" ? TurnAudio.rowBytes(TURN_WINDOW_SAMPLES_MAX) : 0),
  create(chosen, resources) {
    const model = chosen.kind === "model" ? resources.model : undefined;
    const own = timingOf(chosen);
    const timingFor = ({ options }: ActorCall<TurnCall>): TurnTiming =>
      Object.keys(options).length === 0 ? own : timingOf(turnOptionsFor(chosen, options));
    const turns = new Turns(new Emitter(chosen.interrupt), model);
    return {
      open: (call) => new TurnCall(timingFor(call), model),
      process: (batch, out) => turns.process(batch, out),
      save: (call, row) => call.state.save(row),
      configure(call) {
        call.state.turns.timing = timingFor(call);
      },
      restore(call, row) {
        const state = new TurnCall(timingFor(call), model);
        state.restore(row);
        return state;
      },
    };
  },
});

function timingOf(options: TurnOptions): TurnTiming {
  return {
    policy: policyRow(options).create(options),
    turnSamplesMax: msToSamples(options.maxMs),
    interruptSamples: msToSamples(options.interruptMs),
  };
}

class TurnCall {
  readonly turns: TurnState;
  /** What the model may be asked about; absent without one. */
  readonly audio: TurnAudio | undefined;

  constructor(timing: TurnTiming, model: TurnModel | undefined) {
    this.turns = new TurnState(timing);
    this.audio = model && new TurnAudio(model.windowSamples);
  }

  save(row: StateRow): void {
    this.turns.save(row.i32);
    this.audio?.save(row, AUDIO_AT_BYTE);
  }

  restore(row: StateRow): void {
    this.turns.restore(row.i32);
    this.audio?.restore(row, AUDIO_AT_BYTE);
  }
}

/** A call's frames of this batch; its steps yield a turn's sound when the model must judge it, and take the answer. */
interface Walk {
  readonly items: Item<TurnCall>[];
  readonly steps: Generator<Float32Array, undefined, number>;
}

class Turns {
  readonly #sink: Emitter;
  readonly #model: TurnModel | undefined;

  constructor(sink: Emitter, model: TurnModel | undefined) {
    assert((model?.windowSamples ?? 0) <= TURN_WINDOW_SAMPLES_MAX, "a turn model's window fits into a row");
    this.#sink = sink;
    this.#model = model;
  }

  process(batch: readonly Item<TurnCall>[], out: Out<TurnCall>): void | Promise<void> {
    const model = this.#model;
    if (model !== undefined) return this.#processWith(model, batch, out);
    for (const item of batch) this.#handle(item, out);
  }

  async #processWith(model: TurnModel, batch: readonly Item<TurnCall>[], out: Out<TurnCall>): Promise<void> {
    let walks = this.#begin(batch, out);
    // Nobody has asked yet, so nobody looks at the first answers.
    let answers = new Float32Array(walks.length);
    while (walks.length > 0) {
      const asking: Walk[] = [];
      const sounds: Float32Array[] = [];
      for (const [i, walk] of walks.entries()) {
        const { done, value } = walk.steps.next(answers[i]!);
        if (done === true) continue;
        asking.push(walk);
        sounds.push(value);
      }
      walks = asking;
      answers = new Float32Array(sounds.length);
      if (sounds.length > 0) await model.judge(sounds, answers);
    }
  }

  #begin(batch: readonly Item<TurnCall>[], out: Out<TurnCall>): Walk[] {
    const walks = new Map<TurnCall, Walk>();
    for (const item of batch) {
      const { state } = item.call;
      let walk = walks.get(state);
      if (walk === undefined) {
        const items: Item<TurnCall>[] = [];
        walk = { items, steps: this.#walk(items, out) };
        walks.set(state, walk);
      }
      walk.items.push(item);
    }
    return [...walks.values()];
  }

  *#walk(items: readonly Item<TurnCall>[], out: Out<TurnCall>): Generator<Float32Array, undefined, number> {
    for (const item of items) {
      const { turns, audio } = item.call.state;
      if (item.kind === "audio.in") audio?.hear(item.position, item.samples, item.offset, item.count);
      this.#handle(item, out);
      if (!turns.isAsking || audio === undefined) continue;
      const completion = yield audio.since(turns.turnStart - TURN_PRE_ROLL_SAMPLES);
      // Other calls were walked meanwhile.
      this.#sink.at(item, out);
      turns.answer(completion, this.#sink);
    }
  }

  #handle(item: Item<TurnCall>, out: Out<TurnCall>): void {
    const { turns } = item.call.state;
    const sink = this.#sink;
    sink.at(item, out);
    if (item.kind === "fence") {
      // The turn's end stands before the fence that asked for it.
      if (item.meta("fence").reason === "finalize") turns.finalize(sink);
      out.forward(item);
      return;
    }
    if (item.kind === "close") turns.finalize(sink);
    out.forward(item);
    if (item.kind === "audio.in") {
      turns.advance(item.position + item.count, sink);
    } else if (item.kind === "vad") {
      const { what, atSample, probability } = item.meta("vad");
      if (what === "start") turns.speechBegan(atSample, probability, sink);
      else turns.speechEnded(atSample, probability, sink);
    }
  }
}

/** Turns a reducer's changes into frames that follow from the frame being handled. One for all calls. */
class Emitter implements TurnSink {
  readonly #mayInterrupt: boolean;
  #item: Item<TurnCall> | undefined;
  #out: Out<TurnCall> | undefined;

  constructor(mayInterrupt: boolean) {
    this.#mayInterrupt = mayInterrupt;
  }

  at(item: Item<TurnCall>, out: Out<TurnCall>): void {
    this.#item = item;
    this.#out = out;
  }

  turn(change: TurnChange): void {
    const cause = this.#item!;
    const call: ActorCall<TurnCall> = cause.call;
    // Before the end leaves: nobody may see the turn ended and not being answered.
    if (change.what === "end") call.markReplying(change.turnIndex);
    // Not the cause's generation: the audio may be older than an interruption, the turn that it ends is not.
    const generation = call.generation();
    this.#out!.emit(call, "turn", { ...change }, { cause, generation, position: change.atSample });
  }

  speaking(): void {
    const { call } = this.#item!;
    if (this.#mayInterrupt && call.isReplying()) call.interrupt("speech");
  }
}
