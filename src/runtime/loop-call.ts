/** A call as one node on one worker sees it: the loop's side of `ActorCall`. */
import type { ActorCall } from "../actors/define.js";
import type { MetaOf } from "../frames/kinds.js";
import type { CallWords } from "../ring/index.js";
import { optionsAt } from "./call-options.js";
import type { HostedNode } from "./hosted-node.js";

/** What the loop does for a call's handles. */
export interface LoopCallHost {
  readonly words: CallWords;
  /** Tells main that the call was interrupted, now. */
  announceInterrupt(call: LoopCall, reason: "speech" | "restart"): void;
}

/** All nodes' handles of one open call on this worker. */
export interface CallEntry {
  readonly open: MetaOf<"open">;
  readonly slot: number;
  readonly born: number;
  /** Which worker hosts each node of the call's graph, by node index. */
  readonly workerOf: ReadonlyMap<number, number>;
  /** By node index; a handle leaves when its node passed `close` on. */
  readonly handles: Map<number, LoopCall>;
}

export class LoopCall implements ActorCall {
  readonly slot: number;
  readonly callId: string;
  readonly graph: string;
  readonly born: number;
  options: Readonly<Record<string, unknown>>;
  /** The change of the call's options that it saw last. */
  optionsVersion = 0;
  readonly node: HostedNode;
  /** False once `close` was passed on: nothing of this call is emitted or delivered any more. */
  isOpen = true;
  /** The last batch that it had a frame in; for counting calls per batch. */
  batchStamp = 0;
  /** The last batch window that it had a row in. */
  windowStamp = 0;
  state: unknown;
  readonly #host: LoopCallHost;
  readonly #expectsReply: boolean;

  constructor(host: LoopCallHost, node: HostedNode, open: MetaOf<"open">, slot: number, expectsReply: boolean) {
    this.#host = host;
    this.node = node;
    this.slot = slot;
    this.callId = open.callId;
    this.graph = open.graph;
    this.born = open.born;
    this.options = optionsAt(open, node.plan.name, 0);
    this.#expectsReply = expectsReply;
  }

  /** For a call that a predecessor served up to this change of its options; absent: to the latest. */
  resumeAt(open: MetaOf<"open">, optionsVersion = open.changes?.at(-1)?.version ?? 0): void {
    this.optionsVersion = optionsVersion;
    this.options = optionsAt(open, this.node.plan.name, optionsVersion);
  }

  generation(): number {
    return this.#host.words.generation(this.slot);
  }

  isStale(generation: number): boolean {
    return this.#host.words.isStale(this.slot, generation);
  }

  isReplying(): boolean {
    return this.#host.words.isReplying(this.slot);
  }

  markReplying(turnIndex: number): void {
    if (this.#expectsReply) this.#host.words.setReplyStarted(this.slot, replyNumber(turnIndex));
  }

  interrupt(reason: "speech" | "restart"): void {
    // First the word that makes old frames stale everywhere, then the news of it.
    this.#host.words.bump(this.slot);
    this.#host.announceInterrupt(this, reason);
  }
}

/** Turn −1 is the greeting; 0 in the shared word means that nothing was begun. */
export function replyNumber(turnIndex: number): number {
  return turnIndex + 2;
}
