/**
 * Finds turns in speech: `turn` start and end, in their place between the audio. Speech during a reply interrupts it.
 */
import { z } from "zod";
import { LIMITS } from "../base/limits.js";
import { msToSamples } from "../base/units.js";
import { type ActorCall, defineActor, type Item, type Out } from "./define.js";
import { TURN_POLICIES, turnPolicyOptions } from "./turn-policy.js";
import { TURN_STATE_WORDS, type TurnChange, type TurnSink, TurnState, type TurnTiming } from "./turn-state.js";

const options = z.strictObject({
  ...turnPolicyOptions,
  interrupt: z.boolean().default(true).describe("Speech during a reply cuts it off."),
  interruptMs: z.number().min(0).max(5_000).default(0).describe("Speech that is needed for that: more than a cough."),
  maxMs: z
    .number()
    .min(1_000)
    .max(LIMITS.turnMsMax)
    .default(LIMITS.turnMsMax)
    .describe("Longest turn. At it: the turn ends and what follows is the next."),
});
type TurnOptions = z.infer<typeof options>;

export const turnActor = defineActor<TurnOptions, TurnState>({
  name: "turn",
  summary: "Groups speech into turns; speech during a reply interrupts it.",
  inputs: ["audio.in", "vad"],
  requires: ["audio.in", "vad"],
  outputs: ["turn"],
  forwards: ["audio.in", "vad"],
  options,
  thread: "compute",
  latencyMs: (chosen) => TURN_POLICIES[chosen.kind].latencyMs(chosen),
  latencyOverlaps: true,
  stateBytes: () => TURN_STATE_WORDS * 4,
  create(chosen) {
    const timing: TurnTiming = {
      policy: TURN_POLICIES[chosen.kind].create(chosen),
      turnSamplesMax: msToSamples(chosen.maxMs),
      interruptSamples: msToSamples(chosen.interruptMs),
    };
    const sink = new Emitter(chosen.interrupt);
    return {
      open: () => new TurnState(timing),
      process(batch, out) {
        for (const item of batch) handle(item, sink, out);
      },
      save(call, row) {
        call.state.save(row.i32);
      },
      restore(_call, row) {
        const state = new TurnState(timing);
        state.restore(row.i32);
        return state;
      },
    };
  },
});

function handle(item: Item<TurnState>, sink: Emitter, out: Out<TurnState>): void {
  const { state } = item.call;
  sink.at(item, out);
  if (item.kind === "fence") {
    // The turn's end stands before the fence that asked for it.
    if (item.meta("fence").reason === "finalize") state.finalize(sink);
    out.forward(item);
    return;
  }
  if (item.kind === "close") state.finalize(sink);
  out.forward(item);
  if (item.kind === "audio.in") {
    state.advance(item.position + item.count, sink);
  } else if (item.kind === "vad") {
    const { what, atSample, probability } = item.meta("vad");
    if (what === "start") state.speechBegan(atSample, probability, sink);
    else state.speechEnded(atSample, probability, sink);
  }
}

/** Turns a reducer's changes into frames that follow from the frame being handled. One for all calls. */
class Emitter implements TurnSink {
  readonly #mayInterrupt: boolean;
  #item: Item<TurnState> | undefined;
  #out: Out<TurnState> | undefined;

  constructor(mayInterrupt: boolean) {
    this.#mayInterrupt = mayInterrupt;
  }

  at(item: Item<TurnState>, out: Out<TurnState>): void {
    this.#item = item;
    this.#out = out;
  }

  turn(change: TurnChange): void {
    const cause = this.#item!;
    const call: ActorCall<TurnState> = cause.call;
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
