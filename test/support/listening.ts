/** A call that hears: what a voice detector, a turn detector and a recogniser tell of random speech, as the runtime orders it. */
import type { Prng } from "../../src/base/prng.js";
import type { CallEvent, EventWord, TranscriptEvent } from "../../src/frames/events.js";
import type { ClientMessage, FaceCodec, Outbound } from "../../src/transport/faces/face.js";

const WORDS = ["set", "a", "timer", "for", "ten", "minutes", "please"];

export interface ListeningOptions {
  readonly hasTurns?: boolean;
  readonly endMs?: number;
  readonly eagerMs?: number;
  /** Whether a recogniser says when it heard each word. */
  readonly hasWordTimes?: boolean;
}

/** One channel's call. What the recogniser tells lags behind what the detectors tell, and keeps its order. */
class Hearing {
  positionMs = 0;
  isSpeaking = false;
  stoppedMs = 0;
  isTurnOpen = false;
  isEager = false;
  turnIndex = 0;
  segmentId = 0;
  segmentStartMs = 0;
  words: EventWord[] = [];
  readonly lagging: CallEvent[] = [];
  /** All words of its finals. */
  readonly said: string[] = [];

  transcript(final: boolean, hasWordTimes: boolean): TranscriptEvent {
    const text = this.words.map((word) => word.text).join(" ");
    return {
      type: "transcript",
      final,
      segmentId: this.segmentId,
      turnIndex: this.turnIndex,
      text,
      stableChars: 0,
      words: hasWordTimes ? [...this.words] : [],
      startMs: this.segmentStartMs,
      endMs: this.positionMs,
      confidence: 0.5,
    };
  }
}

export class Listening {
  /** Messages to the client, in order. */
  readonly told: Outbound[] = [];
  readonly #codec: FaceCodec;
  readonly #chance: Prng;
  readonly #options: Required<ListeningOptions>;
  readonly #channels: readonly Hearing[];
  isClosed = false;

  constructor(codec: FaceCodec, chance: Prng, options: ListeningOptions = {}) {
    this.#codec = codec;
    this.#chance = chance;
    this.#options = { hasTurns: false, endMs: 600, eagerMs: 300, hasWordTimes: true, ...options };
    this.#channels = Array.from({ length: codec.call?.channels ?? 1 }, () => new Hearing());
    this.told.push(...codec.encode({ type: "ready", callId: "call", graph: "graph" }, 0));
  }

  get messages(): Record<string, unknown>[] {
    return this.told.map((message) => JSON.parse(String(message)) as Record<string, unknown>);
  }

  /** What was said in a channel, as far as it is final. */
  said(channel = 0): string {
    return this.#channels[channel]!.said.join(" ");
  }

  /** What the connection does with a client's message. */
  send(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (const message of this.#codec.decode(bytes, typeof data !== "string")) this.#apply(message);
  }

  /** The call goes on by so much audio in each channel; detectors judge it, the recogniser catches up by chance. */
  hear(ms: number): void {
    for (const [channel, hearing] of this.#channels.entries()) {
      hearing.positionMs += ms;
      this.#listen(hearing, channel, ms);
      while (hearing.lagging.length > 0 && this.#chance.next() < 0.6) this.#tell(hearing.lagging.shift()!, channel);
    }
  }

  /** The recogniser catches up. */
  settle(): void {
    for (const [channel, hearing] of this.#channels.entries()) {
      for (let event = hearing.lagging.shift(); event !== undefined; event = hearing.lagging.shift()) {
        this.#tell(event, channel);
      }
    }
  }

  /** The call closes in good order. */
  close(): void {
    for (const [channel, hearing] of this.#channels.entries()) {
      if (hearing.isSpeaking) this.#stop(hearing, channel);
      this.#endTurn(hearing, channel, "manual");
    }
    this.settle();
    const farewell = this.#codec.end({ reason: "client", closeCode: 1000 });
    this.told.push(...farewell.messages);
    this.isClosed = true;
  }

  #apply(message: ClientMessage): void {
    if (message.type === "finalize") {
      for (const [channel, hearing] of this.#channels.entries()) {
        if (message.channel !== undefined && message.channel !== channel) continue;
        this.#endTurn(hearing, channel, "manual");
        this.#endSegment(hearing);
        hearing.lagging.push({ type: "finalized", id: message.id! });
      }
    } else if (message.type === "mark") {
      for (const hearing of this.#channels) hearing.lagging.push({ type: "mark", id: message.id });
    } else if (message.type === "answer") {
      this.told.push(...message.messages);
    } else if (message.type === "configure") {
      this.told.push(...this.#codec.encode({ type: "configured" }, 0));
    } else if (message.type === "close") {
      this.close();
    }
  }

  #listen(hearing: Hearing, channel: number, ms: number): void {
    const { positionMs } = hearing;
    const { endMs, eagerMs } = this.#options;
    if (hearing.isSpeaking) {
      if (this.#chance.next() < 0.5) {
        const text = this.#chance.pick(WORDS);
        hearing.words.push({ text, startMs: positionMs - ms, endMs: positionMs, confidence: 0.5 });
        if (this.#chance.next() < 0.7) this.#lag(hearing, false);
      }
      if (this.#chance.next() < 0.15) this.#stop(hearing, channel);
    } else if (this.#chance.next() < 0.12) {
      hearing.isSpeaking = true;
      hearing.segmentStartMs = Math.max(hearing.segmentStartMs, positionMs - 200);
      this.#tell({ type: "vad", what: "start", atMs: positionMs - 40, probability: 1 }, channel);
      if (!hearing.isTurnOpen) this.#turn(hearing, channel, "start", "model");
      else if (hearing.isEager) this.#turn(hearing, channel, "resumed", "model");
      hearing.isTurnOpen = true;
      hearing.isEager = false;
    } else if (hearing.isTurnOpen && positionMs - hearing.stoppedMs >= endMs) {
      this.#endTurn(hearing, channel, "timeout");
    } else if (hearing.isTurnOpen && !hearing.isEager && positionMs - hearing.stoppedMs >= eagerMs) {
      hearing.isEager = true;
      this.#turn(hearing, channel, "eager_end", "model");
    }
  }

  #stop(hearing: Hearing, channel: number): void {
    hearing.isSpeaking = false;
    hearing.stoppedMs = hearing.positionMs;
    // The verdict overtakes the final on its way here, but whatever is asked because of it comes behind the final.
    this.#endSegment(hearing);
    this.#tell({ type: "vad", what: "stop", atMs: hearing.positionMs - 60, probability: 0 }, channel);
  }

  #endSegment(hearing: Hearing): void {
    if (hearing.words.length > 0) {
      hearing.said.push(...hearing.words.map((word) => word.text));
      this.#lag(hearing, true);
      hearing.segmentId += 1;
    }
    hearing.words = [];
    hearing.segmentStartMs = hearing.positionMs;
  }

  #endTurn(hearing: Hearing, channel: number, trigger: "timeout" | "manual"): void {
    if (!hearing.isTurnOpen) return;
    this.#endSegment(hearing);
    this.#turn(hearing, channel, "end", trigger);
    hearing.isTurnOpen = false;
    hearing.isEager = false;
    hearing.turnIndex += 1;
  }

  #turn(
    hearing: Hearing,
    channel: number,
    what: "start" | "eager_end" | "resumed" | "end",
    trigger: "model" | "timeout" | "manual",
  ): void {
    if (!this.#options.hasTurns) return;
    const { turnIndex, positionMs: atMs } = hearing;
    this.#tell({ type: "turn", what, turnIndex, atMs, confidence: 1, trigger }, channel);
  }

  #lag(hearing: Hearing, final: boolean): void {
    hearing.lagging.push(hearing.transcript(final, this.#options.hasWordTimes));
  }

  #tell(event: CallEvent, channel: number): void {
    if (event.type === "close") return;
    const reaction = this.#codec.react?.(event, channel) ?? [];
    this.told.push(...this.#codec.encode(event, channel));
    for (const message of reaction) this.#apply(message);
  }
}
