/** What the planner and its generator, a process of its own, say to each other. Plain data over a fork's channel. */

export interface Setup {
  readonly type: "setup";
  readonly url: string;
  readonly graph: string;
  /** Recordings that calls say by turns: 16 kHz mono s16 as base64. Empty: the graph takes text. */
  readonly recordings: readonly string[];
  /** Marks tell how late the graph is, where nothing else does. */
  readonly isMarked: boolean;
}

/** Brings the open calls to this number, waits until it has settled, and measures. */
export interface Order {
  readonly type: "rung";
  readonly calls: number;
  readonly settleMs: number;
  readonly measureMs: number;
}

/** What was measured: milliseconds, against the times at which audio was meant to be sent. */
export interface Measured {
  readonly type: "measured";
  readonly final: readonly number[];
  readonly ttfa: readonly number[];
  readonly lag: readonly number[];
  /** How much later than meant frames were sent, one number per frame or a sample of them. */
  readonly sendLateMs: readonly number[];
  /** Calls that were refused, failed, lost audio or ended by themselves. */
  readonly faults: number;
  /** The first of them. */
  readonly fault?: string;
}

export interface Failed {
  readonly type: "failed";
  readonly reason: string;
}
