import type { CallSocket } from "./call-socket.js";
import type { FaceCodec, Farewell, Outbound, ServerEvent } from "./faces/face.js";
import type { TransportLimits } from "./limits.js";
import type { TransportMetrics } from "./metrics.js";
import type { OutPace } from "./out-pace.js";
import { OutQueue } from "./out-queue.js";

/** Holds audio back for clients that need it. */
export interface Pacing {
  readonly pace: OutPace;
  readonly nowMs: () => number;
}

/** All that leaves for one client. Hands the socket only as much as it can soon send, so that the rest can be recalled. */
export class Outlet {
  readonly #socket: CallSocket;
  readonly #codec: FaceCodec;
  readonly #limits: TransportLimits;
  readonly #metrics: TransportMetrics;
  readonly #queue = new OutQueue();
  readonly #pacing: Pacing | undefined;
  #paceTimer: NodeJS.Timeout | undefined;
  /** Called with each send: runs when the socket has passed those bytes on, or failed. */
  readonly #onSent = (): void => this.#pump();
  #isOpen = false;
  #onEmpty: (() => void) | undefined;
  #handedBytes = 0;
  #slowSinceMs: number | undefined;
  #sentBytesThen = 0;

  constructor(
    socket: CallSocket,
    codec: FaceCodec,
    limits: TransportLimits,
    metrics: TransportMetrics,
    pacing?: Pacing,
  ) {
    this.#socket = socket;
    this.#codec = codec;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#pacing = pacing;
  }

  /** Bytes that wait for the client, here and in the socket; without those that wait for their time. */
  get waitingBytes(): number {
    return this.#queue.byteCount + this.#socket.bufferedAmount;
  }

  /** Sends `first` ahead of all events that came so far; from then on events flow. */
  open(first: ServerEvent): void {
    this.now(first);
    this.#isOpen = true;
    this.#pump();
  }

  /** In order, when the socket has room. @returns false if too much waits already: the connection must end. */
  push(event: ServerEvent, channel = 0): boolean {
    if (this.#pacing?.pace.hold(event, channel) !== true) this.#queue.push(event, channel);
    this.#pump();
    return this.waitingBytes < this.#limits.waitingBytes;
  }

  /** At once, before what waits: for answers of the connection that are no part of the call's order. */
  now(event: ServerEvent, channel = 0): void {
    this.say(this.#codec.encode(event, channel));
  }

  /** At once, as it is. */
  say(messages: readonly Outbound[]): void {
    for (const message of messages) this.#send(message);
  }

  /** An interruption: audio, text and alignment that still wait here will never be sent. */
  discardReply(channel = 0): void {
    const held = this.#pacing?.pace.discardReply(channel, this.#queue) ?? 0;
    const byteCount = held + this.#queue.discardReply(channel);
    if (byteCount > 0) this.#metrics.audioDiscarded(byteCount);
  }

  /** Calls `then`, once, when all events have been handed to the socket. */
  whenEmpty(then: () => void): void {
    this.#onEmpty = then;
    this.#pump();
  }

  /** Drops what waits and sends the last messages. Nothing can be sent after. */
  finish(farewell: Farewell): void {
    this.drop();
    this.say(farewell.messages);
    this.#isOpen = false;
  }

  /** Drops what waits: nobody will read it. */
  drop(): void {
    this.#queue.clear();
    this.#pacing?.pace.clear();
    clearTimeout(this.#paceTimer);
    this.#onEmpty = undefined;
  }

  /** @returns true if the client hardly reads what it is sent. Call it at each tick. */
  isStuck(nowMs: number): boolean {
    if (this.waitingBytes < this.#limits.slowBytes) {
      this.#slowSinceMs = undefined;
      return false;
    }
    const sentBytes = this.#handedBytes - this.#socket.bufferedAmount;
    if (this.#slowSinceMs === undefined || sentBytes - this.#sentBytesThen >= this.#limits.slowProgressBytes) {
      this.#slowSinceMs = nowMs;
      this.#sentBytesThen = sentBytes;
      return false;
    }
    return nowMs - this.#slowSinceMs >= this.#limits.slowMs;
  }

  #pump(): void {
    if (!this.#isOpen) return;
    const isHeld = this.#release();
    while (!this.#queue.isEmpty && this.#socket.bufferedAmount < this.#limits.socketBytes) {
      const { channel } = this.#queue;
      const event = this.#queue.shift();
      if (event !== undefined) this.now(event, channel);
    }
    if (isHeld || !this.#queue.isEmpty || this.#onEmpty === undefined) return;
    const then = this.#onEmpty;
    this.#onEmpty = undefined;
    then();
  }

  /** What is due joins the queue. @returns whether something still waits for its time. */
  #release(): boolean {
    if (this.#pacing === undefined) return false;
    const { pace, nowMs } = this.#pacing;
    const waitMs = pace.release(nowMs(), this.#queue);
    clearTimeout(this.#paceTimer);
    if (waitMs === undefined) return false;
    this.#paceTimer = setTimeout(() => this.#pump(), waitMs);
    this.#paceTimer.unref();
    return true;
  }

  #send(message: Outbound): void {
    const binary = typeof message !== "string";
    const byteCount = binary ? message.byteLength : Buffer.byteLength(message);
    this.#handedBytes += byteCount;
    this.#metrics.message("out", binary ? "audio" : "control", byteCount);
    this.#socket.send(message, { binary }, this.#onSent);
  }
}
