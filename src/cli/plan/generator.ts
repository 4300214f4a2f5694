/** The generator's process: holds as many paced calls as it is told, and says how late everything was. */
import { seeded } from "../../base/prng.js";
import { connect } from "../../client/index.js";
import type { Failed, Measured, Order, Setup } from "./messages.js";
import { type Gauge, PacedCall } from "./paced-call.js";

/** Calls that are opened at the same time. */
const OPENING_AT_ONCE = 8;
const TICK_MS = 1;

class Generator implements Gauge {
  readonly #setup: Setup;
  readonly #recordings: readonly Int16Array[];
  readonly #calls: { readonly call: PacedCall; dueMs: number }[] = [];
  readonly #waits = new Map<number, number>();
  readonly #chance = seeded(1);
  readonly #ticker: NodeJS.Timeout;
  #opened = 0;
  #measured = nothing();

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#recordings = setup.recordings.map((text) => {
      const bytes = Uint8Array.from(Buffer.from(text, "base64"));
      return new Int16Array(bytes.buffer);
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  async rung({ calls, settleMs, measureMs }: Order): Promise<Measured> {
    for (let at = this.#calls.length - 1; at >= 0; at--) if (this.#calls[at]!.call.isClosed) this.#calls.splice(at, 1);
    while (this.#calls.length > calls) {
      await Promise.all(this.#calls.splice(calls, OPENING_AT_ONCE).map(({ call }) => call.close()));
    }
    while (this.#calls.length < calls) {
      const missing = Math.min(OPENING_AT_ONCE, calls - this.#calls.length);
      await Promise.all(Array.from({ length: missing }, () => this.#open()));
    }
    await sleep(settleMs);
    this.#measured = nothing();
    await sleep(measureMs);
    return { type: "measured", ...this.#measured };
  }

  stop(): void {
    clearInterval(this.#ticker);
    for (const { call } of this.#calls) void call.close();
  }

  async #open(): Promise<void> {
    const { url, graph, isMarked } = this.#setup;
    const client = await connect(url, { graph, timeoutMs: 30_000 });
    // Within the length of a conversation's turn, so that calls do not speak in chorus.
    const startMs = performance.now() + this.#chance.next() * 2_000;
    const script = { recordings: this.#recordings, isMarked };
    const call = new PacedCall(client, script, this.#waits, this.#opened++, this, startMs);
    this.#calls.push({ call, dueMs: startMs });
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const entry of this.#calls) if (entry.dueMs <= nowMs) entry.dueMs = entry.call.send(nowMs);
  }

  final(ms: number): void {
    this.#measured.final.push(ms);
  }

  ttfa(ms: number): void {
    this.#measured.ttfa.push(ms);
  }

  lag(ms: number): void {
    this.#measured.lag.push(ms);
  }

  sendLate(ms: number): void {
    this.#measured.sendLateMs.push(Math.round(ms * 10) / 10);
  }

  fault(reason: string): void {
    this.#measured.faults++;
    this.#measured.fault ??= reason;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly number[] ? number[] : T[K] };

function nothing(): Writable<Omit<Measured, "type">> {
  return { final: [], ttfa: [], lag: [], sendLateMs: [], faults: 0 };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

let generator: Generator | undefined;

process.on("message", (message: Setup | Order) => {
  if (message.type === "setup") {
    generator = new Generator(message);
    return;
  }
  generator!.rung(message).then(
    (measured) => process.send!(measured),
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      process.send!({ type: "failed", reason } satisfies Failed);
    },
  );
});
// With its calls and its clock gone, the process ends by itself.
process.on("disconnect", () => generator?.stop());
