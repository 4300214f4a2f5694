/**
 * One call of the generator: says a recording, is silent for as long as an answer takes, says the next one. Every frame has
 * a time at which it is meant to be sent, fixed when the call opens, and latencies count from there: a late answer is late
 * whether the server was slow to take the audio, slow to think or slow to speak.
 */

import { FRAME_MS, FRAME_SAMPLES } from "../../base/units.js";
import type { ClientEvent, SyrinxClient } from "../../client/index.js";

/** From the last sample of a recording to the first of the next: for the answer. */
const PAUSE_MS = 2_500;
const MARK_EVERY_MS = 500;
const TEXT_EVERY_MS = 4_000;
const TEXT = "The kitchen lights are on, and the timer is set for ten minutes.";

/** Where latencies go. */
export interface Gauge {
  final(ms: number): void;
  ttfa(ms: number): void;
  lag(ms: number): void;
  sendLate(ms: number): void;
  fault(reason: string): void;
}

export interface Script {
  readonly recordings: readonly Int16Array[];
  readonly isMarked: boolean;
}

export class PacedCall {
  readonly #client: SyrinxClient;
  readonly #gauge: Gauge;
  readonly #script: Script;
  /** When the first frame is meant to be sent. */
  readonly #startMs: number;
  /** By recording: the least silence that ended a turn, which is what ends it by design. */
  readonly #waits: Map<number, number>;
  readonly #frame = new Int16Array(FRAME_SAMPLES);
  readonly #turnEnds = new Map<number, number>();
  readonly #firstAudio = new Map<number, number>();
  readonly #recordingAt: { readonly fromMs: number; readonly index: number }[] = [];
  #sent = 0;
  #recording: number;
  #recordingFrame = 0;
  #isClosing = false;

  /** @param waits shared by all calls of the run */
  constructor(
    client: SyrinxClient,
    script: Script,
    waits: Map<number, number>,
    first: number,
    gauge: Gauge,
    startMs: number,
  ) {
    this.#client = client;
    this.#script = script;
    this.#waits = waits;
    this.#gauge = gauge;
    this.#startMs = startMs;
    this.#recording = first % Math.max(1, script.recordings.length);
    this.#recordingAt.push({ fromMs: 0, index: this.#recording });
    void this.#read();
  }

  /** Sends all frames that are due. Returns when the next one is. */
  send(nowMs: number): number {
    for (let dueMs = this.#dueMs(); dueMs <= nowMs; dueMs = this.#dueMs()) {
      this.#gauge.sendLate(nowMs - dueMs);
      if (this.#script.recordings.length > 0) this.#client.send(this.#nextFrame());
      else if ((this.#sent * FRAME_MS) % TEXT_EVERY_MS === 0) this.#say(dueMs);
      if (this.#script.isMarked && (this.#sent * FRAME_MS) % MARK_EVERY_MS === 0) this.#client.mark(`${dueMs}`);
      this.#sent++;
    }
    return this.#dueMs();
  }

  get isClosed(): boolean {
    return this.#client.isClosed;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#client.close();
  }

  #dueMs(): number {
    return this.#startMs + this.#sent * FRAME_MS;
  }

  /** When the frame that holds the last sample before this position was meant to be sent. */
  #sentMs(positionMs: number): number {
    return this.#startMs + FRAME_MS * Math.max(0, Math.ceil(positionMs / FRAME_MS) - 1);
  }

  #nextFrame(): Int16Array {
    const pcm = this.#script.recordings[this.#recording]!;
    const from = this.#recordingFrame * FRAME_SAMPLES;
    this.#frame.fill(0);
    if (from < pcm.length) this.#frame.set(pcm.subarray(from, from + FRAME_SAMPLES));
    this.#recordingFrame++;
    if (from >= pcm.length + (PAUSE_MS / FRAME_MS) * FRAME_SAMPLES) {
      this.#recordingFrame = 0;
      this.#recording = (this.#recording + 1) % this.#script.recordings.length;
      this.#recordingAt.push({ fromMs: (this.#sent + 1) * FRAME_MS, index: this.#recording });
      if (this.#recordingAt.length > 8) this.#recordingAt.shift();
    }
    return this.#frame;
  }

  #say(dueMs: number): void {
    this.#turnEnds.set(this.#turnEnds.size, dueMs);
    this.#client.say(TEXT);
  }

  async #read(): Promise<void> {
    for await (const event of this.#client) this.#hear(event, performance.now());
    if (!this.#isClosing) this.#gauge.fault(`the call ended with code ${this.#client.closeCode}`);
  }

  #hear(event: ClientEvent, nowMs: number): void {
    switch (event.type) {
      case "transcript":
        if (event.final) this.#gauge.final(nowMs - this.#sentMs(event.endMs));
        return;
      case "turn":
        // A turn that the end of its call cut short waited for less than was meant, and says nothing of the rest.
        if (event.what === "end" && event.trigger !== "manual") this.#turnEnds.set(event.turnIndex, event.atMs);
        return;
      case "audio":
        if (!this.#firstAudio.has(event.contextId)) this.#began(event.contextId, nowMs);
        return;
      case "receipt":
        this.#answered(event.turnIndex, event.contextId, event.stages);
        return;
      case "mark":
        this.#gauge.lag(nowMs - Number(event.id));
        return;
      case "gap":
        this.#gauge.fault("audio was lost");
        return;
      case "error":
        this.#gauge.fault(`${event.code}: ${event.message}`);
        return;
      default:
        return;
    }
  }

  #began(contextId: number, nowMs: number): void {
    this.#firstAudio.set(contextId, nowMs);
    const saidMs = this.#turnEnds.get(contextId);
    // A text is a context of its own; a turn's audio waits for its receipt, which says how long it was meant to wait.
    if (this.#script.recordings.length === 0 && saidMs !== undefined) this.#gauge.ttfa(nowMs - saidMs);
  }

  #answered(turnIndex: number, contextId: number, stages: readonly { readonly waitMs: number }[]): void {
    const atMs = this.#turnEnds.get(turnIndex);
    const audioMs = this.#firstAudio.get(contextId);
    this.#turnEnds.delete(turnIndex);
    if (atMs === undefined || audioMs === undefined) return;
    const waitedMs = stages.reduce((sum, stage) => sum + stage.waitMs, 0);
    const recording = this.#recordingAt.findLast(({ fromMs }) => fromMs <= atMs)?.index ?? 0;
    const waitMs = Math.min(waitedMs, this.#waits.get(recording) ?? waitedMs);
    this.#waits.set(recording, waitMs);
    this.#gauge.ttfa(audioMs - this.#sentMs(atMs) - waitMs);
  }
}
