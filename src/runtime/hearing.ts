/**
 * How promptly a recogniser answers, measured where both ends of the measure are known exactly: on main, at the arrival of
 * samples and at the handing on of transcripts. Names and definitions are those of the metrics of the same name.
 */
import type { Transcript } from "../frames/kinds.js";
import type { ArrivalLog } from "./receipts.js";

export type HearingFigure = "first_partial" | "partial_lag" | "final_after_endpoint" | "final_after_finalize";

export class Hearing {
  readonly #arrivals: ArrivalLog;
  readonly #hasTurns: boolean;
  readonly #tell: (figure: HearingFigure, seconds: number) => void;
  /** Arrival of the first sample of speech that no text has followed yet. */
  #speechStartUs: number | undefined;
  /** The verdict whose final has not come yet. */
  #endpoint: { readonly turnIndex: number; readonly atUs: number } | undefined;
  /** Turn of the last final, until a verdict asks. */
  #lastFinalTurn = -1;
  #finalize: { readonly id: string; readonly askedUs: number; finalUs: number | undefined } | undefined;

  /** @param hasTurns verdicts of turns are told; otherwise the end of speech is the verdict. */
  constructor(arrivals: ArrivalLog, hasTurns: boolean, tell: (figure: HearingFigure, seconds: number) => void) {
    this.#arrivals = arrivals;
    this.#hasTurns = hasTurns;
    this.#tell = tell;
  }

  speechBegan(atSample: number): void {
    this.#speechStartUs ??= this.#arrivals.timeOf(atSample);
  }

  turnEnded(turnIndex: number, sentUs: number): void {
    if (this.#lastFinalTurn === turnIndex) this.#tell("final_after_endpoint", 0);
    else this.#endpoint = { turnIndex, atUs: sentUs };
  }

  /** Of one finalize at a time: a further one before it came back is not measured. */
  finalizeAsked(id: string, nowUs: number): void {
    this.#finalize ??= { id, askedUs: nowUs, finalUs: undefined };
  }

  finalized(id: string): void {
    if (this.#finalize?.id !== id) return;
    const { askedUs, finalUs } = this.#finalize;
    this.#finalize = undefined;
    if (finalUs !== undefined) this.#tell("final_after_finalize", (finalUs - askedUs) / 1e6);
  }

  partial({ text, words }: Transcript, sentUs: number): void {
    if (text === "") return;
    this.#firstText(sentUs);
    const last = words.at(-1);
    const heardUs = last === undefined ? undefined : this.#arrivals.timeOf(last.endSample);
    if (heardUs !== undefined) this.#tell("partial_lag", (sentUs - heardUs) / 1e6);
  }

  final({ text, turnIndex, trail }: Transcript, sentUs: number): void {
    if (text !== "") this.#firstText(sentUs);
    this.#speechStartUs = undefined;
    if (this.#finalize !== undefined) this.#finalize.finalUs = sentUs;
    if (!this.#hasTurns) {
      // The stage before the recogniser passed on what ended the speech. A finalize has no such stage.
      const verdict = trail?.at(-2);
      if (verdict !== undefined) this.#tell("final_after_endpoint", (sentUs - verdict.emittedUs) / 1e6);
      return;
    }
    this.#lastFinalTurn = turnIndex;
    if (this.#endpoint?.turnIndex !== turnIndex) return;
    this.#tell("final_after_endpoint", (sentUs - this.#endpoint.atUs) / 1e6);
    this.#endpoint = undefined;
  }

  #firstText(sentUs: number): void {
    if (this.#speechStartUs === undefined) return;
    this.#tell("first_partial", (sentUs - this.#speechStartUs) / 1e6);
    this.#speechStartUs = undefined;
  }
}
