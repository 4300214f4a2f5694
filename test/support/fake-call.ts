/** A call and a frame as an actor sees them, without shared memory behind them. */
import type { ActorCall, Item } from "../../src/actors/define.js";
import type { Frame, FrameKind, MetaOf } from "../../src/frames/kinds.js";

export class FakeCall implements ActorCall<unknown> {
  readonly callId: string;
  readonly graph = "test";
  state: unknown;
  isOpen = true;
  replyingTurn: number | undefined;
  readonly interrupts: string[] = [];
  readonly markedTurns: number[] = [];
  optionsVersion = 0;
  #generation = 5;

  constructor(
    readonly slot: number,
    public options: Readonly<Record<string, unknown>>,
  ) {
    this.callId = `call-${slot}`;
  }

  generation(): number {
    return this.#generation;
  }

  isStale(generation: number): boolean {
    return generation < this.#generation;
  }

  isReplying(): boolean {
    return this.replyingTurn !== undefined;
  }

  markReplying(turnIndex: number): void {
    this.replyingTurn = turnIndex;
    this.markedTurns.push(turnIndex);
  }

  interrupt(reason: "speech" | "client" | "restart"): void {
    this.#generation++;
    this.replyingTurn = undefined;
    this.interrupts.push(reason);
  }
}

export class FakeItem implements Item<unknown> {
  readonly kind: FrameKind;
  readonly node = "node";
  readonly position: number;
  readonly samples: Int16Array;
  readonly offset: number;
  readonly count: number;
  readonly generation: number;

  constructor(
    readonly call: FakeCall,
    readonly sequence: number,
    readonly frame: Frame,
    readonly enqueuedUs = 0,
  ) {
    this.kind = frame.kind;
    this.position = frame.position;
    this.generation = call.generation();
    this.offset = 3;
    this.count = frame.pcm.length;
    this.samples = new Int16Array(this.count + 6).fill(-12_345);
    this.samples.set(frame.pcm, this.offset);
  }

  meta<K extends FrameKind>(kind: K): MetaOf<K> {
    if (this.kind !== kind) throw new Error(`this frame is ${this.kind}, not ${kind}`);
    return this.frame.meta as MetaOf<K>;
  }
}
