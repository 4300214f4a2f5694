/**
 * A server with every face over a fake runtime whose calls answer by what they are told alone, short limits, and a witness:
 * a call beside the others that must hear exactly its own.
 */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocket } from "ws";
import type { TranscriptEvent } from "../../../src/frames/events.js";
import { type RunningServer, type ServerOptions, startServer } from "../../../src/transport/server.js";
import { type FakeCall, FakeRuntime } from "../../support/fake-runtime.js";
import { plainKeys } from "../../support/keys.js";
import { ramp, TestSocket } from "../../support/test-socket.js";
import { fuzzPlan, type SocketGolden } from "./goldens.js";
import type { Message } from "./mutations.js";

export const KEY = "fuzz-key-fuzz-key";
const WITNESS_KEY = "witness-key-witness";
/** Longer than every limit below: what takes longer hangs. */
const HANG_MS = 15_000;

/** Code and caches that a first round leaves; some messages of 3 MB would be more. */
const GROWTH_BYTES = 8 * 1024 * 1024;

const LIMITS: ServerOptions["limits"] = {
  tickMs: 10,
  firstMessageMs: 100,
  closeHandshakeMs: 200,
  callCloseMs: 200,
  // Pausing is the pace's own tests' business.
  paceBurstMs: 3_600_000,
  restStallMs: 60_000,
  restLingerMs: 20,
  restAnswerMs: 500,
  restWriteMs: 500,
  restBodyBytes: 200_000,
  restJsonBytes: 20_000,
  restMemoryBytes: 1_000,
  restRecordingMs: 60_000,
};

/** What was said by the server in one conversation, and how it ended. */
export interface Outcome {
  /** Of a refused upgrade. */
  readonly status: number | undefined;
  readonly body: string;
  readonly frames: readonly (string | Buffer)[];
  readonly closeCode: number;
}

export class FuzzStage {
  readonly runtime: FakeRuntime;
  readonly server: RunningServer;
  readonly #witness: TestSocket;
  #told = 0;

  private constructor(runtime: FakeRuntime, server: RunningServer, witness: TestSocket) {
    this.runtime = runtime;
    this.server = server;
    this.#witness = witness;
  }

  /** Runs a server for the time of `act`, and sees that nothing of it is left. */
  static async run(act: (stage: FuzzStage) => Promise<void>): Promise<void> {
    const plan = await fuzzPlan();
    const keys = plainKeys(KEY, WITNESS_KEY);
    // One lease too many is noticed by the next conversation of two channels.
    const apiKeys = { keys: keys.keys.map((key, index) => (index === 0 ? { ...key, maxCalls: 2 } : key)) };
    const runtime = new FakeRuntime({ plan: { ...plan, server: { ...plan.server, apiKeys } } });
    runtime.onCall = script;
    const timers = timerCount();
    const heldBytes = memoryBytes();
    const server = await startServer(runtime, { limits: LIMITS });
    const headers = { authorization: `Bearer ${WITNESS_KEY}` };
    const witness = new TestSocket(`${server.url}/v1/call?graph=assistant`, [], { headers });
    await witness.next("ready");
    try {
      await act(new FuzzStage(runtime, server, witness));
    } finally {
      witness.ws.terminate();
      await server.close();
    }
    assert.equal(runtime.openCalls, 0);
    await settled("timers", () => timerCount() <= timers);
    // The fake ones are kept for tests to look at, and with them their connections.
    runtime.calls.length = 0;
    await settled("megabytes", () => memoryBytes() < heldBytes + GROWTH_BYTES);
  }

  /** Sends all, waits until all was heard, and leaves if the server has not ended it. */
  async converse(golden: SocketGolden, messages: readonly Message[]): Promise<Outcome> {
    const url = `${this.server.url.replace("http", "ws")}${golden.path}?${golden.query}`;
    const socket = new WebSocket(url, [...golden.subprotocols], { headers: { authorization: `Token ${KEY}` } });
    const frames: (string | Buffer)[] = [];
    let status: number | undefined;
    let body = "";
    socket.on("message", (data: Buffer, isBinary) => frames.push(isBinary ? data : data.toString()));
    socket.on("error", () => {});
    socket.on("unexpected-response", (_request, response) => {
      status = response.statusCode;
      response.on("data", (data: Buffer) => {
        body += data.toString();
      });
      response.on("end", () => socket.terminate());
    });
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    socket.on("open", () => {
      for (const { data, isBinary } of messages) socket.send(data, { binary: isBinary });
      socket.ping();
    });
    // The pong comes when everything before the ping was read.
    socket.on("pong", () => socket.close(1000));
    const closeCode = await inTime(closed, golden.name);
    return { status, body, frames, closeCode };
  }

  /** The witness hears its own and nothing else, and nobody else is here. */
  async check(): Promise<void> {
    const witness = this.#witness;
    const pcm = ramp(160, this.#told);
    const before = witness.heard.length;
    this.#told += 160;
    witness.ws.send(pcm);
    witness.send({ type: "mark", id: String(this.#told) });
    await inTime(
      witness.until(() => witness.json("mark").some(({ id }) => id === String(this.#told)) || witness.isClosed),
      "the witness",
    );
    const heard = witness.heard.slice(before).map((message) => {
      if (Buffer.isBuffer(message)) return `audio ${message.equals(Buffer.from(pcm.buffer))}`;
      return message.type;
    });
    const own = heard.filter((what) => what !== "audio.start" && what !== "transcript");
    assert.deepEqual(own, ["audio true", "mark"], "the witness hears its own");
    await settled("calls", () => this.runtime.openCalls === 1);
    await settled("connections", async () => (await this.#connections()) === 1);
    await settled("temporary files", async () => (await uploadsLeft()) === 0);
  }

  async #connections(): Promise<number> {
    const answer = await fetch(`${this.server.url}/v1/capacity`, { headers: { authorization: `Bearer ${KEY}` } });
    return ((await answer.json()) as { connections: number }).connections;
  }
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** In use, of JavaScript's heap and of buffers. What V8 counts as WebAssembly's it takes off only when it is idle. */
function memoryBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function timerCount(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

async function uploadsLeft(): Promise<number> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith("syrinx-uploads-"));
  const files = await Promise.all(folders.map((name) => readdir(`${tmpdir()}/${name}`)));
  return files.flat().length;
}

export async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  const over = new AbortController();
  const hung = sleep(HANG_MS, undefined, { signal: over.signal }).then(() => assert.fail(`${what} hangs`));
  try {
    return await Promise.race([promise, hung]);
  } finally {
    over.abort();
    hung.catch(() => {});
  }
}

/** Holds soon, if it holds at all. */
async function settled(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + HANG_MS;
  while (!(await holds())) {
    if (performance.now() > untilMs) assert.fail(`${what} are left behind`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A call that answers by what it was told alone: words that say how much it heard, audio as long as its texts. */
function script(call: FakeCall): void {
  let spoken = 0;
  let segmentId = 0;
  call.isEchoing = call.graph === "assistant";
  const heard = (final: boolean): TranscriptEvent => {
    const endMs = call.sampleCount / 16;
    const text = `${call.sampleCount} samples`;
    const words = text.split(" ").map((word) => ({ text: word, startMs: endMs / 2, endMs, confidence: 0.5 }));
    const more = { turnIndex: 0, stableChars: 0, startMs: 0, endMs, confidence: 0.5 };
    return { type: "transcript", final, segmentId: final ? segmentId++ : segmentId, text, words, ...more };
  };
  const write = call.write.bind(call);
  call.write = (pcm) => {
    const isTaken = write(pcm);
    call.emit(heard(false));
    return isTaken;
  };
  const finalize = call.finalize.bind(call);
  call.finalize = (id) => {
    if (call.sampleCount > 0) call.emit(heard(true));
    return finalize(id);
  };
  const close = call.close.bind(call);
  call.close = () => {
    if (call.graph !== "assistant" && call.sampleCount > 0) call.emit(heard(true));
    return close();
  };
  call.onSay = (text) => {
    if (text === "") return;
    const pcm = new Int16Array(10 * text.length).fill(text.length);
    call.speak(0, spoken, pcm, 24_000);
    spoken += pcm.length;
  };
}

/** Without what is new in every conversation: ids and dates. */
export function normal(frame: string | Buffer): string {
  return Buffer.from(frame)
    .toString("latin1")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "ID")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "DATE")
    .replace(/syxt_[\w-]+/g, "TOKEN")
    .replace(/call-\d+/g, "CALL");
}
