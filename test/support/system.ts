/** What tests of the whole system share: recordings, raw WebSocket clients, processes. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { decodeAudio } from "../../src/audio/decode.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { CallEvent, TranscriptEvent } from "../../src/frames/events.js";
import type { Call } from "../../src/runtime/api.js";
import { eventsUntil } from "./runtimes.js";

/** What samples/timer.wav says. */
export const TIMER_TEXT = "set a timer for ten minutes";

/** 16 kHz mono of a file under `samples/`. */
export async function readSample(name: string): Promise<Int16Array> {
  return readRecording(join(packageRoot(), "samples", name));
}

export async function readRecording(path: string): Promise<Int16Array> {
  return (await decodeAudio(readFileSync(path), path)).pcm;
}

/** A folder beside the checkout that holds what is too large for it, or `undefined`. */
export function besideCheckout(name: string): string | undefined {
  const folder = join(packageRoot(), "..", "shared", name);
  return existsSync(folder) ? folder : undefined;
}

export function joined(...parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function silence(ms: number): Int16Array {
  return new Int16Array(ms * 16);
}

export function finalsOf(events: readonly unknown[]): string {
  return (events as readonly CallEvent[])
    .filter((event): event is TranscriptEvent => event.type === "transcript" && event.final)
    .map((event) => event.text)
    .join(" ");
}

/** Audio given to a graph ahead of its answers. */
const AHEAD_SAMPLES = 32_000;

/** Writes as fast as the graph takes it without loss. Returns the events that came meanwhile. */
export async function writeFast(call: Call, pcm: Int16Array): Promise<CallEvent[]> {
  const events: CallEvent[] = [];
  for (let at = 0; at < pcm.length; at += AHEAD_SAMPLES) {
    call.write(pcm.subarray(at, at + AHEAD_SAMPLES));
    const id = `written-${at}`;
    call.mark(id);
    events.push(...(await eventsUntil(call, (event) => event.type === "mark" && event.id === id)));
    if (call.isClosed) break;
  }
  return events;
}

/** Everything that a listening graph makes of a recording, in order. The call is closed then. */
export async function hear(call: Call, pcm: Int16Array): Promise<CallEvent[]> {
  const events = await writeFast(call, pcm);
  if (call.isClosed) return events;
  call.finalize("end");
  events.push(...(await eventsUntil(call, (event) => event.type === "finalized")));
  const closing = call.close();
  events.push(...(await eventsUntil(call, () => false)));
  await closing;
  return events;
}

const EVENTUALLY_MS = 20_000;

/** Resolves when the condition holds. For states that nothing announces, such as a slot's release. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const untilMs = performance.now() + EVENTUALLY_MS;
  while (!holds()) {
    if (performance.now() > untilMs) throw new Error(`not within ${EVENTUALLY_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface RawMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A WebSocket client that knows nothing of the protocol: it sends what the test says and keeps what comes. */
export class RawClient {
  readonly socket: WebSocket;
  readonly messages: RawMessage[] = [];
  audioBytes = 0;
  closed: { readonly code: number; readonly reason: string } | undefined;
  #notify: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.audioBytes += data.byteLength;
      else this.messages.push(JSON.parse(data.toString()) as RawMessage);
      this.#notify();
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#notify();
    });
  }

  /** Resolves when the server has said its first word, or closed. */
  static async connect(serverUrl: string, query: string, path = "/v1/call"): Promise<RawClient> {
    const client = new RawClient(new WebSocket(`${serverUrl.replace(/^http/, "ws")}${path}?${query}`));
    await client.until(() => client.messages.length > 0 || client.closed !== undefined);
    return client;
  }

  async until(holds: () => boolean): Promise<void> {
    if (holds()) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not in time; got ${this.#summary()}`)), EVENTUALLY_MS);
      this.#notify = () => {
        if (holds()) resolve();
      };
    });
    clearTimeout(timer);
  }

  async untilType(type: string): Promise<RawMessage> {
    await this.until(() => this.messages.some((message) => message.type === type) || this.closed !== undefined);
    const found = this.messages.find((message) => message.type === type);
    if (found === undefined) throw new Error(`closed before ${type}: ${this.#summary()}`);
    return found;
  }

  untilClosed(): Promise<void> {
    return this.until(() => this.closed !== undefined);
  }

  json(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** In messages of 100 ms at 16 kHz. */
  pcm(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += 1600) this.socket.send(bytesOf(samples.subarray(at, at + 1600)));
  }

  errors(): string[] {
    return this.messages.filter(({ type }) => type === "error").map(({ code }) => String(code));
  }

  /** Ends the recording that was sent and returns its transcript. */
  async transcript(): Promise<string> {
    this.json({ type: "finalize", id: "end" });
    await this.untilType("finalized");
    return finalsOf(this.messages);
  }

  async close(): Promise<void> {
    this.json({ type: "close" });
    await this.untilClosed();
  }

  #summary(): string {
    const types = this.messages.map(({ type, code }) => (code === undefined ? type : `${type} ${String(code)}`));
    return `${types.join(", ")}; closed ${JSON.stringify(this.closed)}`;
  }
}

export function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program under test: Node itself, running a compiled file. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly finished: Promise<Finished>;
  stdout = "";
  stderr = "";
  #isOver = false;
  #notify: () => void = () => {};

  constructor(file: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}) {
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: "1", ...options.env };
    this.child = spawn(process.execPath, [file, ...args], { env, cwd: options.cwd ?? packageRoot() });
    this.child.stdout.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#notify();
    });
    this.child.stderr.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#notify();
    });
    this.finished = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.#isOver = true;
        this.#notify();
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Resolves when the output so far satisfies; rejects if the program ends before. */
  async until(holds: (program: Program) => boolean): Promise<void> {
    if (holds(this)) return;
    await new Promise<void>((resolve, reject) => {
      this.#notify = () => {
        if (holds(this)) resolve();
        else if (this.#isOver) reject(new Error(`ended early: ${this.stdout}\n${this.stderr}`));
      };
      this.#notify();
    });
  }
}

const CLI = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** Starts `syrinx …`. */
export function startCli(args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Program {
  return new Program(CLI, args, options);
}

/** Runs `syrinx …` to its end. */
export function cli(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Finished> {
  return startCli(args, options).finished;
}
