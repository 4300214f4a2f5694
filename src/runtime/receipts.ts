/**
 * Receipts: where a turn's milliseconds went. Pure bookkeeping on the main thread, fed by the call with what it sees.
 *
 * The critical path of a turn is a chain of consecutive instants: the caller's last voiced sample arrives; silence passes;
 * the frame that ends the turn is queued, taken, computed by one node after another (each leaves a hop in the frame's
 * trail); the first audio reaches main and is handed to the client. The stages are the differences of neighbours in that
 * chain, so they sum to the whole by construction.
 *
 * A graph that only listens answers with a verdict and a final transcript: its turn is accounted for when both are there. A
 * graph without turns has a receipt for each final.
 */
import { GRAPH_RATE_HZ } from "../base/units.js";
import type { ReceiptEvent, ReceiptStage } from "../frames/events.js";
import type { Hop, Transcript } from "../frames/kinds.js";
import { Speeches } from "./speeches.js";

/** Frames whose arrival is remembered: 20 s of 20 ms frames. Older positions answer with the oldest time known. */
export const ARRIVALS_KEPT = 1024;

/** Remembers when samples arrived: one entry per written frame, the oldest overwritten. */
export class ArrivalLog {
  readonly #ends = new Float64Array(ARRIVALS_KEPT);
  readonly #timesUs = new Float64Array(ARRIVALS_KEPT);
  #count = 0;

  /** `endSample` is the position behind the frame's last sample. Allocates nothing. */
  add(endSample: number, nowUs: number): void {
    const index = this.#count++ % ARRIVALS_KEPT;
    this.#ends[index] = endSample;
    this.#timesUs[index] = nowUs;
  }

  /** When the sample at `position` arrived; `undefined` before any audio. */
  timeOf(position: number): number | undefined {
    const known = Math.min(this.#count, ARRIVALS_KEPT);
    let foundUs: number | undefined;
    for (let age = 1; age <= known; age++) {
      const index = (this.#count - age) % ARRIVALS_KEPT;
      if (this.#ends[index]! < position) break;
      foundUs = this.#timesUs[index]!;
    }
    return foundUs ?? (known > 0 ? this.#timesUs[(this.#count - 1) % ARRIVALS_KEPT] : undefined);
  }
}

interface OpenTurn {
  readonly turnIndex: number;
  readonly speechStartUs: number | undefined;
  readonly speechEndUs: number;
  readonly vadStopUs: number | undefined;
  readonly turnEndUs: number | undefined;
  final: Final | undefined;
  /** How the verdict came about; taken by main and handed on at these times. */
  readonly trail: readonly Hop[];
  readonly takenUs: number;
  readonly sentUs: number;
  firstTokenUs: number | undefined;
}

interface Final {
  readonly turnIndex: number;
  readonly writtenUs: number;
  readonly sentUs: number;
}

export class ReceiptBook {
  readonly arrivals = new ArrivalLog();
  readonly #speeches = new Speeches();
  #turnStartUs: number | undefined;
  #vadStopUs: number | undefined;
  #lastFinal: Final | undefined;
  #turn: OpenTurn | undefined;

  vadStarted(atSample: number): void {
    this.#speeches.began(atSample, this.arrivals.timeOf(atSample));
  }

  vadStopped(atSample: number, writtenUs: number): void {
    this.#vadStopUs = writtenUs;
    this.#speeches.stopped(atSample, writtenUs);
  }

  turnStarted(atSample: number): void {
    this.#turnStartUs = this.arrivals.timeOf(atSample);
  }

  /** A final transcript of that turn. Comes from another worker than the turn's end, so either may be the first. */
  transcribed(turnIndex: number, writtenUs: number, sentUs: number): void {
    const final = { turnIndex, writtenUs, sentUs };
    if (this.#turn?.turnIndex === turnIndex) this.#turn.final = final;
    else this.#lastFinal = final;
  }

  /** The verdict that a turn ended. `atSample` is where its speech ended. */
  turnEnded(turnIndex: number, atSample: number, trail: readonly Hop[], takenUs: number, sentUs: number): void {
    const verdict = trail.at(-1);
    if (verdict === undefined) return;
    const speechEndUs = Math.min(this.arrivals.timeOf(atSample) ?? verdict.enqueuedUs, trail[0]!.enqueuedUs);
    this.#turn = {
      turnIndex,
      speechStartUs: this.#turnStartUs,
      speechEndUs,
      vadStopUs: this.#vadStopUs,
      turnEndUs: verdict.emittedUs,
      final: this.#lastFinal?.turnIndex === turnIndex ? this.#lastFinal : undefined,
      trail,
      takenUs,
      sentUs,
      firstTokenUs: undefined,
    };
    this.#turnStartUs = undefined;
    this.#vadStopUs = undefined;
    this.#lastFinal = undefined;
  }

  /** A final transcript where there are no turns: a turn of its own. `undefined` without a trail. */
  finalAlone(final: Transcript, writtenUs: number, takenUs: number, sentUs: number): ReceiptEvent | undefined {
    const { turnIndex, words, endSample, trail = [] } = final;
    const first = trail[0];
    if (first === undefined) return undefined;
    const speech = this.#speeches.take(endSample);
    // Without a voice detector's word, the recogniser's.
    const speechEnd = speech?.stop?.atSample ?? words.at(-1)?.endSample ?? endSample;
    this.#turn = {
      turnIndex,
      speechStartUs: speech?.startUs,
      speechEndUs: Math.min(this.arrivals.timeOf(speechEnd) ?? first.enqueuedUs, first.enqueuedUs),
      vadStopUs: speech?.stop?.writtenUs,
      turnEndUs: undefined,
      final: { turnIndex, writtenUs, sentUs },
      trail,
      takenUs,
      sentUs,
      firstTokenUs: undefined,
    };
    return this.#finish(-1, trail, takenUs, sentUs, "final");
  }

  replyText(trail: readonly Hop[] | undefined): void {
    if (this.#turn === undefined || this.#turn.firstTokenUs !== undefined) return;
    this.#turn.firstTokenUs = trail?.at(-1)?.emittedUs;
  }

  /** The first audio of the turn's reply was handed on. Closes the turn; `undefined` if none was open. */
  firstAudio(contextId: number, trail: readonly Hop[], takenUs: number, sentUs: number): ReceiptEvent | undefined {
    return this.#finish(contextId, trail, takenUs, sentUs, "audio");
  }

  /** The turn ends without audio: no answer, or nobody to answer. */
  ended(
    contextId: number,
    trail: readonly Hop[] | undefined,
    takenUs: number,
    sentUs: number,
  ): ReceiptEvent | undefined {
    const hops = trail !== undefined && trail.length > 0 ? trail : this.#turn?.trail;
    return hops === undefined ? undefined : this.#finish(contextId, hops, takenUs, sentUs, "nothing");
  }

  /**
   * Of a graph that only listens: the open turn, if all that it waits for is there.
   * @param final the transcript that has just been handed on, if that is why
   * @param isOver nothing more will come: the turn is closed as it is.
   */
  listened(final: Transcript | undefined, takenUs: number, sentUs: number, isOver: boolean): ReceiptEvent | undefined {
    const turn = this.#turn;
    if (turn === undefined) return undefined;
    const isLast = final !== undefined && final.turnIndex === turn.turnIndex && (final.trail?.length ?? 0) > 0;
    if (isLast) return this.#finish(-1, final.trail!, takenUs, sentUs, "final");
    if (turn.final === undefined && !isOver) return undefined;
    return this.#finish(-1, turn.trail, turn.takenUs, turn.sentUs, "final");
  }

  #finish(
    contextId: number,
    trail: readonly Hop[],
    takenUs: number,
    sentUs: number,
    answer: "audio" | "final" | "nothing",
  ): ReceiptEvent | undefined {
    const turn = this.#turn;
    const first = trail[0];
    if (turn === undefined || first === undefined) return undefined;
    this.#turn = undefined;
    const speechEndUs = Math.min(turn.speechEndUs, first.enqueuedUs);
    const stages: ReceiptStage[] = [stage("endpointing", 0, 0, 0, toMs(first.enqueuedUs - speechEndUs), 0)];
    let leftUs = first.enqueuedUs;
    for (const hop of trail) {
      const queueMs = toMs(hop.dequeuedUs - leftUs);
      const batchWaitMs = toMs(hop.startedUs - hop.dequeuedUs);
      stages.push(stage(hop.node, queueMs, batchWaitMs, toMs(hop.emittedUs - hop.startedUs), 0, hop.batchSize));
      leftUs = hop.emittedUs;
    }
    stages.push(stage("egress", toMs(takenUs - leftUs), 0, toMs(sentUs - takenUs), 0, 1));
    const since = (us: number | undefined): number | undefined =>
      us === undefined ? undefined : toMs(us - speechEndUs);
    const last = trail.at(-1)!;
    const hasAudio = answer === "audio";
    const { speechStartUs } = turn;
    return {
      type: "receipt",
      turnIndex: turn.turnIndex,
      contextId,
      ...(speechStartUs === undefined ? {} : { speechMs: Math.max(0, toMs(speechEndUs - speechStartUs)) }),
      totalMs: toMs(sentUs - speechEndUs),
      stages,
      milestones: withoutUndefined({
        vadStopMs: since(turn.vadStopUs),
        turnEndMs: since(turn.turnEndUs),
        sttFinalMs: since(turn.final?.writtenUs),
        firstTokenMs: since(turn.firstTokenUs),
        firstTextMs: hasAudio ? since(last.enqueuedUs) : undefined,
        firstPcmMs: hasAudio ? since(last.emittedUs) : undefined,
        firstByteSentMs: hasAudio ? since(sentUs) : undefined,
        finalSentMs: answer === "final" ? since(turn.final?.sentUs) : undefined,
      }),
    };
  }
}

function stage(
  name: string,
  queueMs: number,
  batchWaitMs: number,
  computeMs: number,
  waitMs: number,
  batchSize: number,
): ReceiptStage {
  return { stage: name, queueMs, batchWaitMs, computeMs, waitMs, batchSize };
}

function toMs(us: number): number {
  return Math.round(us) / 1000;
}

function withoutUndefined<T extends Record<string, number | undefined>>(record: T): { [K in keyof T]?: number } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: number;
  };
}

/** Milliseconds of the stream clock, from a sample position. */
export function positionMs(sample: number): number {
  return Math.round((sample * 1_000_000) / GRAPH_RATE_HZ) / 1000;
}
