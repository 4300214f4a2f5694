/**
 * Receipts: where a turn's milliseconds went. Pure bookkeeping on the main thread, fed by the call with what it sees.
 *
 * The critical path of a turn is a chain of consecutive instants: the caller's last voiced sample arrives; silence passes;
 * the frame that ends the turn is queued, taken, computed by one node after another (each leaves a hop in the frame's
 * trail); the first audio reaches main and is handed to the client. The stages are the differences of neighbours in that
 * chain, so they sum to the whole by construction.
 */
import { GRAPH_RATE_HZ } from "../base/units.js";
import type { ReceiptEvent, ReceiptStage } from "../frames/events.js";
import type { Hop } from "../frames/kinds.js";

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
  readonly speechEndUs: number;
  readonly vadStopUs: number | undefined;
  readonly turnEndUs: number;
  sttFinalUs: number | undefined;
  readonly trail: readonly Hop[];
  firstTokenUs: number | undefined;
  contextId: number;
}

export class ReceiptBook {
  readonly arrivals = new ArrivalLog();
  #vadStopUs: number | undefined;
  #lastFinal: { readonly turnIndex: number; readonly writtenUs: number } | undefined;
  #turn: OpenTurn | undefined;

  vadStopped(writtenUs: number): void {
    this.#vadStopUs = writtenUs;
  }

  /** A final transcript of that turn. Comes from another worker than the turn's end, so either may be the first. */
  transcribed(turnIndex: number, writtenUs: number): void {
    if (this.#turn?.turnIndex === turnIndex) this.#turn.sttFinalUs = writtenUs;
    else this.#lastFinal = { turnIndex, writtenUs };
  }

  /** The verdict that a turn ended. `atSample` is where its speech ended. */
  turnEnded(turnIndex: number, atSample: number, trail: readonly Hop[]): void {
    const verdict = trail.at(-1);
    if (verdict === undefined) return;
    const speechEndUs = Math.min(this.arrivals.timeOf(atSample) ?? verdict.enqueuedUs, trail[0]!.enqueuedUs);
    this.#turn = {
      turnIndex,
      speechEndUs,
      vadStopUs: this.#vadStopUs,
      turnEndUs: verdict.emittedUs,
      sttFinalUs: this.#lastFinal?.turnIndex === turnIndex ? this.#lastFinal.writtenUs : undefined,
      trail,
      firstTokenUs: undefined,
      contextId: -1,
    };
    this.#vadStopUs = undefined;
    this.#lastFinal = undefined;
  }

  replyText(contextId: number, trail: readonly Hop[] | undefined): void {
    if (this.#turn === undefined || this.#turn.firstTokenUs !== undefined) return;
    this.#turn.contextId = contextId;
    this.#turn.firstTokenUs = trail?.at(-1)?.emittedUs;
  }

  /** The first audio of the turn's reply was handed on. Closes the turn; `undefined` if none was open. */
  firstAudio(contextId: number, trail: readonly Hop[], takenUs: number, sentUs: number): ReceiptEvent | undefined {
    return this.#finish(contextId, trail, takenUs, sentUs, true);
  }

  /** The turn ends without audio: no answer, or nobody to answer. */
  ended(
    contextId: number,
    trail: readonly Hop[] | undefined,
    takenUs: number,
    sentUs: number,
  ): ReceiptEvent | undefined {
    const hops = trail !== undefined && trail.length > 0 ? trail : this.#turn?.trail;
    return hops === undefined ? undefined : this.#finish(contextId, hops, takenUs, sentUs, false);
  }

  get hasOpenTurn(): boolean {
    return this.#turn !== undefined;
  }

  #finish(
    contextId: number,
    trail: readonly Hop[],
    takenUs: number,
    sentUs: number,
    hasAudio: boolean,
  ): ReceiptEvent | undefined {
    const turn = this.#turn;
    const first = trail[0];
    if (turn === undefined || first === undefined) return undefined;
    this.#turn = undefined;
    const stages: ReceiptStage[] = [stage("endpointing", 0, 0, 0, toMs(first.enqueuedUs - turn.speechEndUs), 0)];
    let leftUs = first.enqueuedUs;
    for (const hop of trail) {
      const queueMs = toMs(hop.dequeuedUs - leftUs);
      const batchWaitMs = toMs(hop.startedUs - hop.dequeuedUs);
      stages.push(stage(hop.node, queueMs, batchWaitMs, toMs(hop.emittedUs - hop.startedUs), 0, hop.batchSize));
      leftUs = hop.emittedUs;
    }
    stages.push(stage("egress", toMs(takenUs - leftUs), 0, toMs(sentUs - takenUs), 0, 1));
    const since = (us: number | undefined): number | undefined =>
      us === undefined ? undefined : toMs(us - turn.speechEndUs);
    const last = trail.at(-1)!;
    return {
      type: "receipt",
      turnIndex: turn.turnIndex,
      contextId,
      totalMs: toMs(sentUs - turn.speechEndUs),
      stages,
      milestones: withoutUndefined({
        vadStopMs: since(turn.vadStopUs),
        turnEndMs: since(turn.turnEndUs),
        sttFinalMs: since(turn.sttFinalUs),
        firstTokenMs: since(turn.firstTokenUs),
        firstTextMs: hasAudio ? since(last.enqueuedUs) : undefined,
        firstPcmMs: hasAudio ? since(last.emittedUs) : undefined,
        firstByteSentMs: hasAudio ? since(sentUs) : undefined,
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
