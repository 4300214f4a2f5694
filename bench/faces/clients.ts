/** Clients of each face, as little of them as measuring needs. */
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { samplePath } from "../harness/plans.js";

export const FRAME_MS = 20;
export const FRAME_SAMPLES = 320;

export type Message = Readonly<Record<string, unknown>>;

export class BenchClient {
  readonly #socket: WebSocket;
  onMessage: (message: Message) => void = () => {};
  #failure: string | undefined;

  constructor(url: string, onOpen: (client: BenchClient) => void = () => {}, onBytes: () => void = () => {}) {
    this.#socket = new WebSocket(url);
    this.#socket.on("open", () => onOpen(this));
    this.#socket.on("error", (error) => {
      this.#failure = error.message;
    });
    this.#socket.on("close", (code) => {
      if (code !== 1000) this.#failure ??= `closed with ${code}`;
    });
    this.#socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) onBytes();
      else this.onMessage(JSON.parse(data.toString()) as Message);
    });
  }

  send(message: object | Uint8Array): void {
    this.#socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** Throws if the server ended it. */
  check(): void {
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.close(1000);
    await closed;
  }
}

/** A recording of `samples/`, and where speech ends in it. */
export interface Clip {
  readonly pcm: Int16Array;
  readonly speechEndMs: number;
}

const WINDOW = 160;
/** Of the loudest window: below it, nobody speaks. */
const QUIET_SHARE = 0.03;

export function clipOf(name: string): Clip {
  const bytes = readFileSync(samplePath(name)).subarray(44);
  const pcm = new Int16Array(Uint8Array.from(bytes).buffer);
  const levels: number[] = [];
  for (let at = 0; at + WINDOW <= pcm.length; at += WINDOW) {
    levels.push(pcm.subarray(at, at + WINDOW).reduce((sum, value) => sum + Math.abs(value), 0));
  }
  const loudest = Math.max(...levels);
  const last = levels.findLastIndex((level) => level > QUIET_SHARE * loudest);
  return { pcm, speechEndMs: (last + 1) * 10 };
}

export const CLIPS = ["lights.wav", "question.wav", "time.wav", "timer.wav"] as const;

export function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}
