/**
 * A call's events as what a Pipecat bot says: RTVI messages, and frames of audio between them.
 *
 * What the bot says is told when it is known, what was heard of it when it was heard: `bot-stopped-speaking`, `bot-tts-text`
 * and the progress of `bot-output` follow the call's `playback` events, since the audio itself leaves faster than it plays.
 */
import type { AudioEvent, PlaybackEvent, ReplyEvent, TranscriptEvent } from "../../frames/events.js";
import type { GraphFacts, Outbound, ServerEvent } from "./face.js";
import { encodeAudio, encodeInterruption } from "./pipecat-frames.js";
import { type Caption, type CaptionProgress, Captions } from "./rtvi-captions.js";
import { rtviMetrics } from "./rtvi-metrics.js";
import { rtvi } from "./rtvi-out.js";

/** Audio of one frame: what Pipecat's own transports send at a time. */
export const AUDIO_FRAME_MS = 40;

export interface RtviSpeakerSpec {
  readonly graph: GraphFacts;
  readonly vadEvents: boolean;
  readonly epochMs: number;
}

/** A reply being made or heard. */
interface Reply {
  readonly contextId: number;
  readonly captions: Captions;
  /** The client wants its audio. */
  readonly isWanted: boolean;
  /** There will be audio of its text. */
  readonly isSpoken: boolean;
  isSounding: boolean;
  /** What was said before there was sound. */
  waiting: Caption[];
}

const SILENT = "silent-";

/** The id of a question in writing; its reply bears it, and so tells whether the client wants to hear it. */
export function askIdOf(count: number, isHeard: boolean): string {
  return `${isHeard ? "text-" : SILENT}${count}`;
}

type SaidEvent = Exclude<ServerEvent, { type: "ready" | "finalized" }>;

export class RtviSpeaker {
  /** The client speaks version 1. */
  isLegacy = false;
  readonly #spec: RtviSpeakerSpec;
  readonly #hasTurns: boolean;
  readonly #hasVoice: boolean;
  #frameCount = 0;
  #captionCount = 0;
  readonly #nextCaption = (): number => this.#captionCount++;
  /** Final transcripts since the last reply. */
  #said: string[] = [];
  #reply: Reply | undefined;
  #isThinking = false;
  #isVoicing = false;
  #isSpeaking = false;

  constructor(spec: RtviSpeakerSpec) {
    this.#spec = spec;
    this.#hasTurns = spec.graph.nodes.some((node) => node.actor === "turn");
    this.#hasVoice = spec.graph.nodes.some((node) => node.actor === "tts");
  }

  encode(event: SaidEvent): readonly Outbound[] {
    switch (event.type) {
      case "vad":
        return this.#vad(event.what);
      case "turn":
        if (event.what === "start") return [rtvi("user-started-speaking")];
        return event.what === "end" ? [rtvi("user-stopped-speaking")] : [];
      case "transcript":
        return this.#transcript(event);
      case "reply":
        return event.what === "start" ? this.#replyStarted(event) : this.#replyEnded(event);
      case "text":
        return this.#text(event.contextId, event.text);
      case "audio":
        return this.#audio(event);
      case "playback":
        return this.#heard(event);
      case "interrupted":
        return this.#interrupted();
      case "receipt":
        return [rtvi("metrics", rtviMetrics(event, this.#spec.graph))];
      case "error":
        return [rtvi("error", { error: `${event.message}. ${event.hint}`, fatal: event.fatal })];
      default:
        return [];
    }
  }

  #vad(what: "start" | "stop"): Outbound[] {
    const messages: Outbound[] = [];
    const did = what === "start" ? "started" : "stopped";
    if (this.#spec.vadEvents) messages.push(rtvi(`vad-user-${did}-speaking`));
    // Where nothing makes turns, speech is all there is to tell.
    if (!this.#hasTurns) messages.push(rtvi(`user-${did}-speaking`));
    return messages;
  }

  #transcript({ text, final, endMs }: TranscriptEvent): Outbound[] {
    if (text === "") return [];
    if (final) this.#said.push(text);
    const timestamp = new Date(this.#spec.epochMs + endMs).toISOString();
    return [rtvi("user-transcription", { text, user_id: "", timestamp, final })];
  }

  #replyStarted({ contextId, askId }: ReplyEvent): Outbound[] {
    const messages = this.#leaveReply();
    this.#begin(contextId, !(askId?.startsWith(SILENT) ?? false));
    this.#isThinking = true;
    if (this.#said.length > 0) messages.push(rtvi("user-llm-text", { text: this.#said.join(" ") }));
    this.#said = [];
    messages.push(rtvi("bot-llm-started"));
    return messages;
  }

  /** The reply before this one is not followed any more: its voice goes on with the next. */
  #leaveReply(): Outbound[] {
    const reply = this.#reply;
    this.#reply = undefined;
    return reply?.isSounding ? this.#progress(reply, reply.captions.complete()) : [];
  }

  #text(contextId: number, text: string): Outbound[] {
    const reply = this.#replyOf(contextId);
    const messages = this.#isThinking ? [rtvi("bot-llm-text", { text })] : [];
    return [...messages, ...this.#captions(reply, reply.captions.push(text))];
  }

  #captions(reply: Reply, captions: readonly Caption[]): Outbound[] {
    const messages = captions.map(({ text }) => rtvi("bot-transcription", { text }));
    if (!reply.isSpoken || reply.isSounding)
      return [...messages, ...captions.map((caption) => this.#output(reply, caption))];
    reply.waiting.push(...captions);
    return messages;
  }

  #output({ isSpoken }: Pick<Reply, "isSpoken">, { text, segmentId }: Caption): Outbound {
    if (this.isLegacy) return rtvi("bot-output", { text, aggregated_by: "sentence", spoken: false });
    const output = { text, aggregated_by: "sentence", segment_id: segmentId, will_be_spoken: isSpoken };
    if (!isSpoken) return rtvi("bot-output", output);
    const progress = { accumulated_text: "", remaining_text: text };
    return rtvi("bot-output", { ...output, spoken_status: "new", spoken_progress: progress });
  }

  #audio({ contextId, rateHz, pcm }: AudioEvent): Outbound[] {
    const reply = this.#replyOf(contextId);
    if (!reply.isWanted) return [];
    const messages: Outbound[] = [];
    if (!reply.isSounding) {
      reply.isSounding = true;
      this.#isVoicing = true;
      messages.push(rtvi("bot-tts-started"));
      if (!this.#isSpeaking) messages.push(rtvi("bot-started-speaking"));
      this.#isSpeaking = true;
      for (const caption of reply.waiting) messages.push(this.#output(reply, caption));
      reply.waiting = [];
    }
    const step = (rateHz * AUDIO_FRAME_MS) / 1000;
    for (let at = 0; at < pcm.length; at += step) {
      messages.push(encodeAudio(this.#nextFrame(), pcm.subarray(at, at + step), rateHz));
    }
    return messages;
  }

  #replyEnded({ contextId }: ReplyEvent): Outbound[] {
    const reply = this.#reply;
    if (reply?.contextId !== contextId) return [];
    const messages = this.#captions(reply, reply.captions.finish());
    // Nothing of it was heard, and nothing will be.
    if (!reply.isSounding) messages.push(...reply.waiting.map((caption) => this.#output({ isSpoken: false }, caption)));
    reply.waiting = [];
    return [...messages, ...this.#stopMaking()];
  }

  #stopMaking(): Outbound[] {
    const messages: Outbound[] = [];
    if (this.#isThinking) messages.push(rtvi("bot-llm-stopped"));
    if (this.#isVoicing) messages.push(rtvi("bot-tts-stopped"));
    this.#isThinking = false;
    this.#isVoicing = false;
    return messages;
  }

  #heard({ contextId, words, isComplete }: PlaybackEvent): Outbound[] {
    const reply = this.#reply;
    if (reply?.contextId !== contextId || !reply.isSounding) return [];
    const messages = words.flatMap((text) => this.#word(text));
    messages.push(...this.#progress(reply, isComplete ? reply.captions.complete() : reply.captions.heard(words)));
    if (!isComplete) return messages;
    this.#reply = undefined;
    return [...messages, ...this.#stopSpeaking()];
  }

  #word(text: string): Outbound[] {
    const message = rtvi("bot-tts-text", { text });
    if (!this.isLegacy) return [message];
    return [rtvi("bot-output", { text, aggregated_by: "word", spoken: true }), message];
  }

  #progress({ isSpoken }: Reply, progress: readonly CaptionProgress[]): Outbound[] {
    if (this.isLegacy || !isSpoken) return [];
    return progress.map(({ caption: { text, segmentId }, accumulated, remaining }) =>
      rtvi("bot-output", {
        text,
        aggregated_by: "sentence",
        segment_id: segmentId,
        will_be_spoken: true,
        spoken_status: remaining === "" ? "completed" : "in-progress",
        spoken_progress: { accumulated_text: accumulated, remaining_text: remaining },
      }),
    );
  }

  #interrupted(): Outbound[] {
    this.#reply = undefined;
    const messages = [encodeInterruption(this.#nextFrame()), rtvi("bot-interrupted")];
    return [...messages, ...this.#stopMaking(), ...this.#stopSpeaking()];
  }

  #stopSpeaking(): Outbound[] {
    if (!this.#isSpeaking) return [];
    this.#isSpeaking = false;
    return [rtvi("bot-stopped-speaking")];
  }

  /** A voice without an agent speaks unannounced. */
  #replyOf(contextId: number): Reply {
    return this.#reply?.contextId === contextId ? this.#reply : this.#begin(contextId, true);
  }

  #begin(contextId: number, isWanted: boolean): Reply {
    const captions = new Captions(this.#nextCaption);
    const isSpoken = isWanted && this.#hasVoice;
    this.#reply = { contextId, captions, isWanted, isSpoken, isSounding: false, waiting: [] };
    return this.#reply;
  }

  #nextFrame(): number {
    return ++this.#frameCount;
  }
}
