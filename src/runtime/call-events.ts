/**
 * Turns the frames that a call's nodes send to main into the events that its owner sees, and keeps the books that this
 * needs: playback, interruption, receipts. Main thread. Split from `call.ts`, which owns the call's life.
 */
import type { Resampler } from "../audio/resampler.js";
import { ERRORS, SyrinxError } from "../base/errors.js";
import type { PlanGraph } from "../config/plan.js";
import type { AlignmentEvent, CallEvent, ReplyEvent, TranscriptEvent } from "../frames/events.js";
import type { FrameView, MetaOf, Transcript } from "../frames/index.js";
import { STALL_FENCE } from "./call.js";
import type { Hub, HubCall } from "./hub.js";
import { replyNumber } from "./loop-call.js";
import { PlaybackContext } from "./playback.js";
import { positionMs, ReceiptBook } from "./receipts.js";

export interface CallEventsSpec {
  readonly call: HubCall;
  readonly hub: Hub;
  readonly graph: PlanGraph;
  readonly createOutputResampler: ((fromRateHz: number) => Resampler) | undefined;
  readonly reportPlayback: boolean;
  readonly deliver: (event: CallEvent) => void;
  readonly informWorkers: (meta: MetaOf<"interrupt">) => void;
  readonly onClosePassed: (edge: number) => void;
  readonly onFatal: (code: string) => void;
}

export class CallEvents {
  readonly #spec: CallEventsSpec;
  readonly #book = new ReceiptBook();
  readonly #fenceArrivals = new Map<string, number>();
  #context: PlaybackContext | undefined;
  #resampler: Resampler | undefined;
  /** Samples of the context handed on so far, at the rate that the owner asked for. */
  #outSamples = 0;
  #isSpeaking = false;
  /** Frames of the reply side that are older than this are dropped: their owner was told that they would not come. */
  #acknowledged: number;

  constructor(spec: CallEventsSpec) {
    this.#spec = spec;
    this.#acknowledged = spec.call.born;
  }

  /** Samples up to this position are on their way. */
  arrived(endSample: number): void {
    this.#book.arrivals.add(endSample, this.#spec.hub.clock.nowUs());
  }

  playback(contextId: number, playedMs: number): void {
    if (this.#context?.contextId !== contextId) return;
    const nowUs = this.#spec.hub.clock.nowUs();
    this.#context.reported(playedMs, nowUs);
    // At once, not at the next sweep: speech that follows the report interrupts nothing.
    this.sweep(nowUs);
  }

  /**
   * A question was put in writing: from now on an answer is being made, though no turn has ended. Replies are counted by
   * the thread that ends turns; this one counts once more as the last of them.
   * @returns that turn's index, −1 if there was none.
   */
  asked(): number {
    const turnIndex = Math.max(-1, this.#spec.hub.words.replyStarted(this.#spec.call.slot) - replyNumber(0));
    this.#reopenReply(turnIndex);
    return turnIndex;
  }

  /** The reply to this turn, or the lack of one, is not the last word on it. */
  #reopenReply(turnIndex: number): void {
    const { hub, call } = this.#spec;
    const begun = Math.min(replyNumber(turnIndex), hub.words.replyStarted(call.slot));
    hub.words.setReplyFinished(call.slot, begun - 1);
  }

  /** True once if speech had begun and not ended: the caller of this ends it. */
  takeOpenSpeech(): boolean {
    const wasSpeaking = this.#isSpeaking;
    this.#isSpeaking = false;
    return wasSpeaking;
  }

  sweep(nowUs: number): void {
    const context = this.#context;
    if (context === undefined) return;
    const isComplete = context.isHeard(nowUs);
    if (this.#spec.reportPlayback) this.#tellPlayback(context, isComplete, nowUs);
    if (!isComplete) return;
    this.#markReplied(context.turnIndex);
    this.#context = undefined;
  }

  #tellPlayback(context: PlaybackContext, isComplete: boolean, nowUs: number): void {
    const words = context.takeSpoken(nowUs);
    if (words.length === 0 && !isComplete) return;
    const playedMs = Math.round(context.heardMs(nowUs));
    this.#spec.deliver({ type: "playback", contextId: context.contextId, playedMs, words, isComplete });
  }

  /**
   * The call's generation was bumped. From here on nothing of the old reply is handed on; the owner is told, and the
   * nodes that keep a history learn what was heard.
   */
  interrupted(reason: "speech" | "client" | "restart"): void {
    const { hub, call, deliver, informWorkers } = this.#spec;
    this.#acknowledged = hub.words.generation(call.slot);
    const nowUs = hub.clock.nowUs();
    const context = this.#context;
    const playedMs = Math.round(context?.heardMs(nowUs) ?? 0);
    const spokenText = context?.spokenText(nowUs) ?? "";
    const contextId = context?.contextId ?? -1;
    informWorkers({ reason, contextId, playedMs, spokenText });
    deliver({ type: "interrupted", reason, contextId, playedMs, spokenText });
    if (context !== undefined && !context.isComplete) {
      const { turnIndex, askId } = context;
      deliver(replyEvent({ what: "end", contextId, turnIndex, reason: "interrupted", askId }));
    }
    // A turn that was cut off before its answer began has a receipt too: up to the verdict.
    this.#receipt(contextId, undefined, nowUs);
    hub.words.setReplyFinished(call.slot, hub.words.replyStarted(call.slot));
    this.#context = undefined;
  }

  receive(view: FrameView): void {
    switch (view.kind) {
      case "audio.out":
        if (this.#isCurrent(view)) this.#audio(view);
        return;
      case "vad":
        this.#vad(view);
        return;
      case "turn":
        this.#turn(view);
        return;
      case "transcript.partial":
        this.#spec.deliver(transcriptEvent(view.meta("transcript.partial"), false));
        return;
      case "transcript.final":
        this.#book.transcribed(view.meta("transcript.final").turnIndex, view.enqueuedUs);
        this.#spec.deliver(transcriptEvent(view.meta("transcript.final"), true));
        return;
      case "text":
        if (this.#isCurrent(view)) this.#text(view);
        return;
      case "reply":
        if (this.#isCurrent(view)) this.#reply(view);
        return;
      case "alignment":
        if (this.#isCurrent(view)) this.#alignment(view);
        return;
      case "fence":
        this.#fence(view);
        return;
      case "close":
        this.#spec.onClosePassed(view.edge);
        return;
      case "interrupt":
        this.interrupted(view.meta("interrupt").reason);
        return;
      case "error":
        this.#error(view.meta("error"));
        return;
      default:
        return;
    }
  }

  /** Two looks: the shared word, because a bump may be seen before its news; and what the owner was promised. */
  #isCurrent(view: FrameView): boolean {
    const { hub, call } = this.#spec;
    if (hub.words.isStale(call.slot, view.generation)) return false;
    return ((view.generation - this.#acknowledged) | 0) >= 0;
  }

  #vad(view: FrameView): void {
    const { what, atSample, probability } = view.meta("vad");
    this.#isSpeaking = what === "start";
    if (what === "stop") this.#book.vadStopped(view.enqueuedUs);
    this.#spec.deliver({ type: "vad", what, atMs: positionMs(atSample), probability });
  }

  #turn(view: FrameView): void {
    const { what, turnIndex, atSample, confidence, trigger, trail } = view.meta("turn");
    if (what === "end") this.#isSpeaking = false;
    if (what === "end") this.#book.turnEnded(turnIndex, atSample, trail ?? []);
    this.#spec.deliver({ type: "turn", what, turnIndex, atMs: positionMs(atSample), confidence, trigger });
    if (what === "end" && !this.#spec.graph.hasAgent) this.#receipt(-1, trail, view.dequeuedUs);
  }

  #text(view: FrameView): void {
    const { contextId, text, trail } = view.meta("text");
    this.#book.replyText(contextId, trail);
    this.#contextOf(contextId, -1).said(text);
    this.#spec.deliver({ type: "text", contextId, text });
  }

  #reply(view: FrameView): void {
    const meta = view.meta("reply");
    const { what, contextId, turnIndex, askId, trail } = meta;
    if (what === "start") {
      // The agent says that it begins, and the voice passes that on: one of them is enough.
      if (this.#context?.contextId === contextId) return;
      this.#context = new PlaybackContext(contextId, turnIndex, askId);
      // The reply before it may have ended since it was asked for, and with it the last of all that were known.
      if (askId !== undefined) this.#reopenReply(turnIndex);
      this.#spec.deliver(replyEvent(meta));
      return;
    }
    const isFromVoice = this.#spec.graph.terminalEdges.includes(view.edge);
    if (!isFromVoice) return;
    this.#flushAudio(contextId);
    this.#spec.deliver(replyEvent(meta));
    const context = this.#contextOf(contextId, turnIndex);
    context.isComplete = true;
    if (!context.hasAudio) {
      this.#receipt(contextId, trail, view.dequeuedUs);
      this.#markReplied(turnIndex);
      this.#context = undefined;
    }
  }

  #audio(view: FrameView): void {
    const { deliver, hub } = this.#spec;
    const { contextId, position } = view;
    const context = this.#contextOf(contextId, -1);
    if (position === 0) {
      this.#outSamples = 0;
      this.#resampler = this.#spec.createOutputResampler?.(view.rateHz);
    }
    const rateHz = this.#resampler?.toRateHz ?? view.rateHz;
    const pcm = this.#convert(view);
    if (pcm.length > 0) deliver({ type: "audio", contextId, rateHz, offsetSamples: this.#outSamples, pcm });
    this.#outSamples += pcm.length;
    const sentUs = hub.clock.nowUs();
    context.sent((view.count * 1000) / view.rateHz, sentUs);
    if (position !== 0) return;
    const receipt = this.#book.firstAudio(contextId, view.meta("audio.out").trail ?? [], view.dequeuedUs, sentUs);
    if (receipt !== undefined) deliver(receipt);
  }

  /** The owner's own copy, at the owner's rate. */
  #convert(view: FrameView): Int16Array {
    const resampler = this.#resampler;
    if (resampler === undefined) return view.samples.slice(view.offset, view.offset + view.count);
    const output = new Int16Array(Math.ceil((view.count * resampler.toRateHz) / resampler.fromRateHz) + 64);
    // `samples` may be a view of shared memory that is far larger; the resampler only reads the frame's part.
    return output.subarray(0, resampler.process(view.samples, view.offset, view.count, output));
  }

  #flushAudio(contextId: number): void {
    const resampler = this.#resampler;
    if (resampler === undefined || this.#outSamples === 0) return;
    const output = new Int16Array(resampler.toRateHz / 10);
    const made = resampler.flush(output);
    const pcm = output.subarray(0, made);
    const rateHz = resampler.toRateHz;
    if (made > 0) this.#spec.deliver({ type: "audio", contextId, rateHz, offsetSamples: this.#outSamples, pcm });
    this.#outSamples = 0;
  }

  #alignment(view: FrameView): void {
    const { contextId, unit, rateHz, spans } = view.meta("alignment");
    const toMs = (sample: number): number => Math.round((sample * 10_000) / rateHz) / 10;
    const inMs: AlignmentEvent["spans"] = spans.map(({ text, startSample, endSample }) => ({
      text,
      startMs: toMs(startSample),
      endMs: toMs(endSample),
    }));
    this.#contextOf(contextId, -1).aligned(inMs);
    this.#spec.deliver({ type: "alignment", contextId, unit, spans: inMs });
  }

  #fence(view: FrameView): void {
    const { id, reason } = view.meta("fence");
    const { graph, deliver } = this.#spec;
    const edges = reason === "finalize" ? graph.finalizeEdges : graph.terminalEdges;
    if (!edges.includes(view.edge)) return;
    const count = (this.#fenceArrivals.get(id) ?? 0) + 1;
    if (count < edges.length) {
      this.#fenceArrivals.set(id, count);
      return;
    }
    this.#fenceArrivals.delete(id);
    if (id === STALL_FENCE || reason === "probe" || reason === "configure") return;
    deliver(reason === "finalize" ? { type: "finalized", id } : { type: "mark", id });
  }

  #error(meta: MetaOf<"error">): void {
    const { code, fatal, node } = meta;
    const known = code in ERRORS ? new SyrinxError(code as keyof typeof ERRORS, { node, attempts: 3 }) : undefined;
    const message = meta.message === "" ? (known?.message ?? code) : meta.message;
    const hint = meta.hint === "" ? (known?.hint ?? "") : meta.hint;
    this.#spec.deliver({ type: "error", code, message, hint, fatal });
    if (fatal) this.#spec.onFatal(code);
  }

  #contextOf(contextId: number, turnIndex: number): PlaybackContext {
    if (this.#context?.contextId !== contextId) this.#context = new PlaybackContext(contextId, turnIndex);
    return this.#context;
  }

  #receipt(contextId: number, trail: MetaOf<"turn">["trail"], takenUs: number): void {
    const receipt = this.#book.ended(contextId, trail, takenUs, this.#spec.hub.clock.nowUs());
    if (receipt !== undefined) this.#spec.deliver(receipt);
  }

  #markReplied(turnIndex: number): void {
    this.#spec.hub.words.setReplyFinished(this.#spec.call.slot, replyNumber(turnIndex));
  }
}

function replyEvent({ what, contextId, turnIndex, reason, askId }: Omit<MetaOf<"reply">, "trail">): ReplyEvent {
  return {
    type: "reply",
    what,
    contextId,
    turnIndex,
    ...(reason === undefined ? {} : { reason }),
    ...(askId === undefined ? {} : { askId }),
  };
}

function transcriptEvent(meta: Transcript, final: boolean): TranscriptEvent {
  const { segmentId, turnIndex, text, stableChars, confidence } = meta;
  const words = meta.words.map((word) => ({
    text: word.text,
    startMs: positionMs(word.startSample),
    endMs: positionMs(word.endSample),
    confidence: word.confidence,
  }));
  const startMs = positionMs(meta.startSample);
  const endMs = positionMs(meta.endSample);
  return { type: "transcript", final, segmentId, turnIndex, text, stableChars, words, startMs, endMs, confidence };
}
