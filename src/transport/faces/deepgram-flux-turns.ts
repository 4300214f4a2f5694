/**
 * Turns as Flux tells them. A pure state machine from a call's turn events and transcripts to `TurnInfo`s:
 *
 * ```
 *            first words                eager_end, with words
 *   waiting ─────────────► ongoing ───────────────────────────► probably over
 *      ▲     StartOfTurn    │    ▲        EagerEndOfTurn          │       │
 *      │                    │    └────────────────────────────────┘       │
 *      │      EndOfTurn     │      TurnResumed: speech, or other words    │
 *      └────────────────────┴─────────────────────────────────────────────┘
 * ```
 *
 * A turn is told from its first word on: what has no words is none. The detector's word that a turn is over comes before
 * the words that stood before it, so it waits here until those are known: `transcribed` says so.
 */
import type { TranscriptEvent, TurnEvent } from "../../frames/events.js";
import { type Alternative, alternativeOf, wordsOf } from "./deepgram-words.js";

export type TurnInfoEvent = "Update" | "StartOfTurn" | "EagerEndOfTurn" | "TurnResumed" | "EndOfTurn";

export interface TurnInfo {
  readonly event: TurnInfoEvent;
  readonly turnIndex: number;
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  readonly heard: Alternative;
  /** Of the detector; absent where nothing was judged. */
  readonly cause?: TurnEvent;
}

/** An `Update` stands for at least so much new audio: the recogniser's partials come every 200 ms. */
export const UPDATE_MS = 200;

/** The words of one of the detector's turns. */
interface Words {
  readonly finals: TranscriptEvent[];
  partial: TranscriptEvent | undefined;
}

interface Waiting {
  readonly event: TurnEvent;
  /** Place among the events that wait for words; undefined: it only waits for those before it. */
  readonly number: number | undefined;
}

export class FluxTurns {
  /** Whether the client wants to know of ends that are only probable. */
  tellsEager = false;
  #turnIndex = 0;
  #isOngoing = false;
  /** What the last EagerEndOfTurn said, while it holds. */
  #eagerText: string | undefined;
  #windowStartMs = 0;
  #windowEndMs = 0;
  #toldMs = 0;
  #toldText = "";
  /** By the detector's own turn index: words of the next turn may come before the last one was told to be over. */
  readonly #words = new Map<number, Words>();
  /** The detector's turn that is told now. */
  #current = 0;
  #waiting: Waiting[] = [];
  #joinCount = 0;

  /** Whether this event waits for words: whoever asks says `transcribed` when they have come. */
  static needsWords({ what }: TurnEvent): boolean {
    return what === "end" || what === "eager_end";
  }

  transcript(event: TranscriptEvent): TurnInfo[] {
    const words = this.#words.get(event.turnIndex) ?? { finals: [], partial: undefined };
    if (event.turnIndex >= this.#current) this.#words.set(event.turnIndex, words);
    if (event.final) words.finals.push(event);
    words.partial = event.final ? undefined : event;
    return event.turnIndex === this.#current ? this.#spoken(event.endMs) : [];
  }

  turn(event: TurnEvent): TurnInfo[] {
    const number = FluxTurns.needsWords(event) ? this.#joinCount++ : undefined;
    this.#waiting.push({ event, number });
    return this.#settle((waiting) => waiting === undefined);
  }

  /** All words before the n-th event that needs them have come, counted from 0. */
  transcribed(upTo: number): TurnInfo[] {
    return this.#settle((number) => number === undefined || number <= upTo);
  }

  /** Nothing comes any more: what waits is told, and the turn that is open ends; so does one whose words came ahead. */
  end(): TurnInfo[] {
    const infos = this.#settle(() => true);
    while (this.#isOngoing) infos.push(...this.#ended(undefined));
    return infos;
  }

  #settle(isReady: (number: number | undefined) => boolean): TurnInfo[] {
    const infos: TurnInfo[] = [];
    for (let next = this.#waiting[0]; next !== undefined && isReady(next.number); next = this.#waiting[0]) {
      this.#waiting.shift();
      infos.push(...this.#judged(next.event));
    }
    return infos;
  }

  #judged(event: TurnEvent): TurnInfo[] {
    // A detector that begins a turn has ended the one before; should its end be missing, it ends here.
    const missed: TurnInfo[] = [];
    while (this.#current < event.turnIndex) missed.push(...this.#ended(undefined));
    if (event.turnIndex < this.#current || event.what === "start") return missed;
    if (event.what === "end") return [...missed, ...this.#ended(event)];
    return [...missed, ...(event.what === "resumed" ? this.#resumed(event) : this.#eager(event))];
  }

  /** Words came, or changed. */
  #spoken(endMs: number): TurnInfo[] {
    const text = this.#text;
    this.#windowEndMs = Math.max(this.#windowEndMs, endMs);
    if (!this.#isOngoing) return text === "" ? [] : [this.#start()];
    const isNews = text !== "" && text !== this.#toldText && this.#windowEndMs - this.#toldMs >= UPDATE_MS;
    return isNews && this.#eagerText === undefined ? [this.#info("Update")] : [];
  }

  #start(): TurnInfo {
    this.#isOngoing = true;
    return this.#info("StartOfTurn");
  }

  #eager(event: TurnEvent): TurnInfo[] {
    if (!this.tellsEager || !this.#isOngoing || this.#text === "" || this.#eagerText !== undefined) return [];
    const info = this.#info("EagerEndOfTurn", event);
    this.#eagerText = info.heard.transcript;
    return [info];
  }

  #resumed(event: TurnEvent | undefined): TurnInfo[] {
    if (this.#eagerText === undefined) return [];
    this.#eagerText = undefined;
    return [this.#info("TurnResumed", event)];
  }

  #ended(event: TurnEvent | undefined): TurnInfo[] {
    const infos: TurnInfo[] = [];
    if (!this.#isOngoing && this.#text !== "") infos.push(this.#start());
    if (this.#eagerText !== undefined && this.#text !== this.#eagerText) infos.push(...this.#resumed(event));
    if (this.#isOngoing) {
      infos.push(this.#info("EndOfTurn", event));
      this.#turnIndex += 1;
      this.#windowStartMs = this.#windowEndMs;
    }
    this.#goTo(this.#current + 1);
    const next = this.#words.get(this.#current);
    const last = next?.partial ?? next?.finals.at(-1);
    return last === undefined ? infos : [...infos, ...this.#spoken(last.endMs)];
  }

  #goTo(turnIndex: number): void {
    this.#isOngoing = false;
    this.#eagerText = undefined;
    this.#toldText = "";
    this.#current = turnIndex;
    for (const known of this.#words.keys()) if (known < turnIndex) this.#words.delete(known);
  }

  get #transcripts(): readonly TranscriptEvent[] {
    const words = this.#words.get(this.#current);
    if (words === undefined) return [];
    return words.partial === undefined ? words.finals : [...words.finals, words.partial];
  }

  get #text(): string {
    return this.#transcripts
      .filter(({ text }) => text !== "")
      .map(({ text }) => text)
      .join(" ");
  }

  #info(event: TurnInfoEvent, cause?: TurnEvent): TurnInfo {
    const transcripts = this.#transcripts;
    const lastMs = Math.max(cause?.atMs ?? 0, ...transcripts.map(({ endMs }) => endMs));
    this.#windowEndMs = Math.max(this.#windowEndMs, lastMs);
    this.#toldMs = this.#windowEndMs;
    this.#toldText = this.#text;
    const startMs = Math.min(this.#windowStartMs, ...transcripts.flatMap((each) => wordsOf(each)[0]?.startMs ?? []));
    return {
      event,
      turnIndex: this.#turnIndex,
      windowStartMs: this.#windowStartMs,
      windowEndMs: this.#windowEndMs,
      heard: alternativeOf(transcripts, { startMs, endMs: this.#windowEndMs }),
      ...(cause === undefined ? {} : { cause }),
    };
  }
}
