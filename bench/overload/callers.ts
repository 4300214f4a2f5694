/** Callers who come at random, talk for a while and hang up, whatever the server does: an open loop, in its own process. */
import { WebSocket } from "ws";
import { seeded } from "../../src/base/prng.js";
import { type Gauge, PacedCall } from "../../src/cli/plan/paced-call.js";
import { connect, type WebSocketConstructor } from "../../src/client/index.js";
import type { Offer, Offered } from "./messages.js";

interface Open {
  readonly call: PacedCall;
  readonly untilMs: number;
  dueMs: number;
}

class Callers implements Gauge {
  readonly #offer: Offer;
  readonly #recordings: readonly Int16Array[];
  readonly #chance = seeded(1);
  readonly #waits = new Map<number, number>();
  readonly #open = new Set<Open>();
  readonly #socket: WebSocketConstructor;
  #nextMs = performance.now();
  #isMeasuring = false;
  #known = 0;
  #found = nothing();

  constructor(offer: Offer) {
    this.#offer = offer;
    this.#recordings = offer.recordings.map(
      (text) => new Int16Array(Uint8Array.from(Buffer.from(text, "base64")).buffer),
    );
    this.#socket = this.#timedSocket();
  }

  async run(): Promise<Offered> {
    const ticker = setInterval(() => this.#tick(performance.now()), 1);
    await sleep(this.#offer.warmMs);
    this.#found = nothing();
    this.#isMeasuring = true;
    await sleep(this.#offer.measureMs);
    this.#isMeasuring = false;
    clearInterval(ticker);
    return this.#found;
  }

  #tick(nowMs: number): void {
    while (this.#nextMs <= nowMs) {
      this.#nextMs -= (Math.log(1 - this.#chance.next()) * 1000) / this.#offer.callsPerSecond;
      if (this.#isMeasuring) this.#found.offered++;
      void this.#come();
    }
    for (const entry of this.#open) {
      if (entry.dueMs <= nowMs) entry.dueMs = entry.call.send(nowMs);
      if (nowMs < entry.untilMs) continue;
      this.#open.delete(entry);
      void entry.call.close();
    }
  }

  async #come(): Promise<void> {
    const { url, graph, lifeMs } = this.#offer;
    try {
      const client = await connect(url, { graph, timeoutMs: 30_000, WebSocket: this.#socket });
      const nowMs = performance.now();
      const script = { recordings: this.#recordings, isMarked: false };
      const call = new PacedCall(client, script, this.#waits, this.#known++, this, nowMs);
      this.#open.add({ call, untilMs: nowMs + lifeMs * (0.5 + this.#chance.next()), dueMs: nowMs });
      if (!this.#isMeasuring) return;
      this.#found.admitted++;
      this.#found.mostOpen = Math.max(this.#found.mostOpen, this.#open.size);
    } catch {
      // Refused, and timed where that was heard.
    }
  }

  /** One that notes when a 503 comes. */
  #timedSocket(): WebSocketConstructor {
    const refused = (ms: number): void => {
      if (this.#isMeasuring) this.#found.refusalMs.push(ms);
    };
    class TimedSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        const startMs = performance.now();
        this.on("unexpected-response", (request, response) => {
          if (response.statusCode === 503) refused(performance.now() - startMs);
          request.destroy();
          this.emit("error", new Error(`status ${response.statusCode}`));
        });
      }
    }
    return TimedSocket as unknown as WebSocketConstructor;
  }

  final(ms: number): void {
    if (this.#isMeasuring) this.#found.final.push(ms);
  }

  ttfa(ms: number): void {
    if (this.#isMeasuring) this.#found.ttfa.push(ms);
  }

  lag(): void {}

  sendLate(ms: number): void {
    if (this.#isMeasuring) this.#found.sendLateMs.push(ms);
  }

  fault(): void {
    if (this.#isMeasuring) this.#found.faults++;
  }
}

function nothing() {
  return {
    offered: 0,
    admitted: 0,
    mostOpen: 0,
    faults: 0,
    refusalMs: [] as number[],
    final: [] as number[],
    ttfa: [] as number[],
    sendLateMs: [] as number[],
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.once("message", (offer: Offer) => {
  new Callers(offer).run().then(
    (offered) => process.send!(offered),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    },
  );
});
