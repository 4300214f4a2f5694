/** A runtime without workers, for tests of what stands before it: it echoes audio, and otherwise emits what it is told. */
import { SyrinxError } from "../../src/base/errors.js";
import type { Plan, PlanGraph, PlanNode, PlanServer } from "../../src/config/plan.js";
import type { CallEvent } from "../../src/frames/events.js";
import type { Call, Capacity, OpenOptions, Runtime } from "../../src/runtime/api.js";

export interface FakeOptions {
  readonly graphs?: readonly string[];
  /** The one node of a graph, by the graph's name. */
  readonly actors?: Readonly<Record<string, "stt" | "tts">>;
  readonly server?: Partial<PlanServer>;
  readonly routes?: Plan["routes"];
  /** Instead of all the others. */
  readonly plan?: Plan;
}

/** What a call was told, in order. */
export type FakeInput =
  | { readonly what: "audio"; readonly pcm: Int16Array }
  | { readonly what: "finalize" | "mark"; readonly id: string }
  | { readonly what: "interrupt" | "close" }
  | { readonly what: "playback"; readonly contextId: number; readonly playedMs: number }
  | { readonly what: "say"; readonly text: string; readonly contextId?: number; readonly end?: boolean }
  | { readonly what: "configure"; readonly nodes: NonNullable<OpenOptions["nodes"]> }
  | { readonly what: "ask"; readonly text: string; readonly id: string; readonly answer: boolean }
  | { readonly what: "abort"; readonly code: string | undefined };

/** Lets tests wait for a state instead of for time. */
export class Watched {
  #waiters: { readonly isTrue: () => boolean; readonly resolve: () => void }[] = [];

  until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ isTrue, resolve }));
  }

  changed(): void {
    const met = this.#waiters.filter((waiter) => waiter.isTrue());
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter));
    for (const waiter of met) waiter.resolve();
  }
}

export class FakeCall extends Watched implements Call {
  readonly inputs: FakeInput[] = [];
  readonly inputRateHz: number;
  isClosed = false;
  /** What a graph that takes no text does. */
  sayError: SyrinxError | undefined;
  /** What an option that does not exist does. */
  configureError: SyrinxError | undefined;
  /** Written audio comes back as context 1. */
  isEchoing = true;
  /** `close()` is answered by the event `close`. */
  closesByItself = true;
  /** What a voice would do. */
  onSay: (text: string) => void = () => {};
  #offsetSamples = 0;

  constructor(
    readonly callId: string,
    readonly graph: string,
    readonly options: OpenOptions,
  ) {
    super();
    this.inputRateHz = options.inputRateHz ?? 16_000;
  }

  get sampleCount(): number {
    return this.inputs.reduce((sum, input) => sum + (input.what === "audio" ? input.pcm.length : 0), 0);
  }

  emit(event: CallEvent): void {
    this.options.onEvent?.(event);
  }

  /** Emits the next samples of a context. */
  speak(contextId: number, offsetSamples: number, pcm: Int16Array, rateHz = 16_000): void {
    this.emit({ type: "audio", contextId, rateHz, offsetSamples, pcm });
  }

  write(pcm: Int16Array): boolean {
    if (this.isClosed) throw new SyrinxError("CALL_CLOSED", { callId: this.callId });
    this.#note({ what: "audio", pcm: pcm.slice() });
    if (this.isEchoing) this.speak(1, this.#offsetSamples, pcm.slice(), this.inputRateHz);
    this.#offsetSamples += pcm.length;
    return true;
  }

  say(text: string, options: { readonly contextId?: number; readonly end?: boolean } = {}): void {
    if (this.sayError !== undefined) throw this.sayError;
    this.#note({ what: "say", text, ...options });
    this.onSay(text);
  }

  ask(text: string, { id = "a", answer = true }: { readonly id?: string; readonly answer?: boolean } = {}): string {
    this.#note({ what: "ask", text, id, answer });
    return id;
  }

  finalize(id = "f"): string {
    this.#note({ what: "finalize", id });
    this.emit({ type: "finalized", id });
    return id;
  }

  mark(id: string): void {
    this.#note({ what: "mark", id });
    this.emit({ type: "mark", id });
  }

  configure(nodes: NonNullable<OpenOptions["nodes"]>): void {
    if (this.configureError !== undefined) throw this.configureError;
    this.#note({ what: "configure", nodes });
  }

  interrupt(): void {
    this.#note({ what: "interrupt" });
    this.emit({ type: "interrupted", reason: "client", contextId: 1, playedMs: 0, spokenText: "" });
  }

  playback(contextId: number, playedMs: number): void {
    this.#note({ what: "playback", contextId, playedMs });
  }

  async close(): Promise<void> {
    this.#note({ what: "close" });
    if (this.closesByItself) this.end({ type: "close", reason: "client" });
  }

  abort(code?: string): void {
    this.#note({ what: "abort", code });
    this.end({ type: "close", reason: "error", ...(code === undefined ? {} : { code }) });
  }

  end(event: CallEvent & { type: "close" }): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.emit(event);
    this.changed();
  }

  [Symbol.asyncIterator](): AsyncIterator<CallEvent> {
    throw new Error("the transport listens by onEvent");
  }

  #note(input: FakeInput): void {
    this.inputs.push(input);
    this.changed();
  }
}

export class FakeRuntime extends Watched implements Runtime {
  readonly plan: Plan;
  readonly calls: FakeCall[] = [];
  /** What `open` throws, if anything. */
  openError: Error | undefined;
  /** Why a call of a graph may not come in. */
  refusal: (graph: string) => SyrinxError | undefined = () => undefined;
  /** `open` waits for this. */
  gate: Promise<void> = Promise.resolve();
  /** Told of each call before it is handed out. */
  onCall: (call: FakeCall) => void = () => {};
  ready: { ready: boolean; reason: string } = { ready: true, reason: "" };

  constructor(options: FakeOptions = {}) {
    super();
    this.plan = options.plan ?? planOf(options);
  }

  get openCalls(): number {
    return this.calls.filter((call) => !call.isClosed).length;
  }

  /** The n-th call, when it is open. */
  async call(index: number): Promise<FakeCall> {
    await this.until(() => this.calls.length > index);
    return this.calls[index]!;
  }

  async open(graph: string, options: OpenOptions = {}): Promise<Call> {
    await this.gate;
    if (this.openError !== undefined) throw this.openError;
    const call = new FakeCall(`call-${this.calls.length}`, graph, options);
    this.onCall(call);
    this.calls.push(call);
    this.changed();
    return call;
  }

  objection(graph: string): SyrinxError | undefined {
    return this.refusal(graph);
  }

  liveness(): { readonly live: boolean; readonly reason: string } {
    return { live: true, reason: "" };
  }

  readiness(): { ready: boolean; reason: string } {
    return this.ready;
  }

  status(): [] {
    return [];
  }

  capacity(): Capacity {
    return { maxCalls: this.plan.server.maxCalls, activeCalls: this.openCalls, acceptingCalls: true, draining: false };
  }

  async metrics(): Promise<string> {
    return "# HELP syrinx_up 1\nsyrinx_up 1\n";
  }

  async drain(): Promise<void> {
    for (const call of this.calls) call.end({ type: "close", reason: "drain" });
  }
}

/** As the configuration makes it when it names no route. */
const ANY_GRAPH: Plan["routes"] = [{ path: "/v1/call", face: "native", graph: "echo", options: { anyGraph: true } }];

function planOf({ graphs = ["echo", "assistant"], actors = {}, server = {}, routes = ANY_GRAPH }: FakeOptions): Plan {
  const nodes = Object.entries(actors).map(([graph, actor], index) => nodeOf(graph, actor, index));
  const graph = (name: string): PlanGraph => ({
    name,
    nodes: nodes.filter((node) => node.graph === name).map(({ index }) => index),
    accepts: ["audio.in", "text", "ask"],
    finalizeEdges: [],
    terminalEdges: [],
    hasAgent: false,
    latencyMs: 0,
  });
  return {
    version: 1,
    baseFolder: ".",
    server: {
      host: "127.0.0.1",
      port: 0,
      maxCalls: 64,
      apiKeys: undefined,
      idleTimeoutMs: 300_000,
      logLevel: "silent",
      logContent: false,
      ...server,
    },
    models: [],
    nodes,
    edges: [],
    graphs: graphs.map(graph),
    workers: [],
    routes,
    modules: [],
  };
}

function nodeOf(graph: string, actor: string, index: number): PlanNode {
  const rest = { options: {}, model: undefined, workers: [], stateBytes: 0, latencyMs: 0 };
  return { index, graph, name: actor, actor, ...rest };
}
