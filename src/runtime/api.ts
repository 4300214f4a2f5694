/** The runtime's public face, as types: what `createRuntime` returns. The implementation is in `runtime.ts` and `call.ts`. */
import type { SyrinxError } from "../base/errors.js";
import type { Plan } from "../config/plan.js";
import type { CallEvent } from "../frames/events.js";
import type { Metrics } from "../telemetry/metrics.js";

export interface OpenOptions {
  /** Chosen by the runtime if absent. Appears in each log line of the call. */
  readonly callId?: string;
  /** Rate of the PCM that will be written; resampled to 16 kHz at the edge. Default 16000; 8000 to 48000. */
  readonly inputRateHz?: number;
  /** Rate of the PCM of `audio` events. Default: what the voice makes. */
  readonly outputRateHz?: number;
  /** Per node of the graph: options for this call (`{ stt: { keyterms: ["Syrinx"] } }`). */
  readonly nodes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Whether `playback` events tell how far each reply was heard. Default false. */
  readonly reportPlayback?: boolean;
  /** The caller's own trace, which the call's is linked to, if traces are collected. What is no `traceparent` is ignored. */
  readonly trace?: { readonly traceparent: string };
  /**
   * Receives each event as it happens, on the main thread, instead of the iterator. Must not throw and must not block:
   * it is called between two records of a ring.
   */
  readonly onEvent?: (event: CallEvent) => void;
}

export interface Call extends AsyncIterable<CallEvent> {
  readonly callId: string;
  readonly graph: string;
  readonly inputRateHz: number;
  /**
   * Gives s16 mono PCM to the graph. Never blocks. Copied before return; split at multiples of 20 ms.
   * @returns false if the worker's ring was full and these samples were replaced by silence (an event `gap` follows).
   * Throws CALL_CLOSED after `close`.
   */
  write(pcm: Int16Array): boolean;
  /** Gives text to a graph that takes text (a voice without a recogniser). `end` closes the context. */
  say(text: string, options?: { readonly contextId?: number; readonly end?: boolean }): void;
  /**
   * Puts a question to the agent in writing, as if it had been said in a turn of its own. It interrupts nothing and waits for
   * the answers before it; `interrupt` first, to be answered at once. At most ASK_CHARS_MAX characters.
   * @param options `id` comes back as `askId` of the reply; with `answer: false` the text is only remembered.
   * @returns the id. Throws CALL_ASK_REFUSED, CALL_CLOSED.
   */
  ask(text: string, options?: { readonly id?: string; readonly answer?: boolean }): string;
  /** Ends the speech so far: its final transcript comes now, then `finalized` with the same id. */
  finalize(id?: string): string;
  /** Comes back as event `mark` when everything before it has been delivered. */
  mark(id: string): void;
  /**
   * Changes options of nodes, as `OpenOptions.nodes` has them, for what is written from now on; those not named stay.
   * Throws CALL_OPTION_INVALID, and CALL_CONFIGURE_LATE for a node whose options hold for the whole call.
   */
  configure(nodes: Readonly<Record<string, Readonly<Record<string, unknown>>>>): void;
  /** Cuts the reply off. An `interrupted` event follows, and after it nothing of the old reply. */
  interrupt(): void;
  /** What the listener has really heard of a context; without it, playback is assumed to run from the first byte. */
  playback(contextId: number, playedMs: number): void;
  readonly isClosed: boolean;
  /** Graceful: what was written is still answered for, then the slot is free. Resolves after the `close` event. */
  close(): Promise<void>;
  /** At once; what is under way is dropped. */
  abort(code?: string): void;
}

export interface WorkerStatus {
  readonly name: string;
  readonly state: "starting" | "running" | "restarting" | "failed" | "stopped";
  readonly restarts: number;
  readonly model?: string;
  /** Device and file of the model, as its family describes it. */
  readonly description?: string;
  readonly reason?: string;
}

/** What admission knows of one graph. */
export interface GraphCapacityReport {
  readonly active: number;
  /** Calls of this graph that there can be beside those of others that are open. */
  readonly safeMax: number;
  /** How long frames are predicted to wait for workers at the present load, 99th percentile. At most a minute. */
  readonly predictedP99Ms: number;
  /** 0: nothing is left out. */
  readonly degradeLevel: number;
  readonly accepting: boolean;
}

export interface AdmissionReport {
  /** Where the figures come from: a capacity plan, an estimate from the present load, or nowhere. */
  readonly source: "plan" | "live" | "off";
  /** By plan: the sum of what the open calls cost; one more is refused where it would be over 1. */
  readonly usedShare: number;
  /** The worst of the graphs. */
  readonly predictedP99Ms: number;
  readonly degradeLevel: number;
  /** When a place is likely to be free; 0 while there is one. */
  readonly retryAfterMs: number;
  readonly graphs: Readonly<Record<string, GraphCapacityReport>>;
}

export interface Capacity extends Partial<AdmissionReport> {
  readonly maxCalls: number;
  readonly activeCalls: number;
  readonly acceptingCalls: boolean;
  readonly draining: boolean;
}

export interface Runtime {
  readonly plan: Plan;
  /** Throws CALL_GRAPH_UNKNOWN, CALL_LIMIT, CAPACITY_EXCEEDED, RUNTIME_CLOSED, CALL_OPTION_INVALID, CALL_WORKER_FAILED. */
  open(graph: string, options?: OpenOptions): Promise<Call>;
  /** Every model is warm and every worker runs. With `false`, `reason` says what is missing. */
  readiness(): { readonly ready: boolean; readonly reason: string };
  status(): readonly WorkerStatus[];
  capacity(): Capacity;
  /**
   * What `open` would throw now for want of room, if anything: CALL_LIMIT or CAPACITY_EXCEEDED. Microseconds. Counts as a
   * refusal. Absent: `open` alone can tell.
   */
  objection?(graph: string): SyrinxError | undefined;
  /** Whether the process should be left running: false only if a worker's loop has stopped turning. */
  liveness(): { readonly live: boolean; readonly reason: string };
  /** Where a server on top of this runtime counts its sockets. */
  readonly transportMetrics?: Metrics;
  /** The Prometheus text. Reads shared memory; sends no message to any worker. */
  metrics(): Promise<string>;
  /** Takes no new calls, lets open calls end until the deadline, then stops all workers cooperatively. Idempotent. */
  drain(options?: { readonly graceMs?: number }): Promise<void>;
}
