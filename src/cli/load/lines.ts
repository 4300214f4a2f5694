/** Lines of a load: each dials when its time has come, holds a call, hangs up, and may dial again. */
import { isSyrinxError, reasonOf } from "../../base/errors.js";
import { type Prng, seeded } from "../../base/prng.js";
import { Caller, type CallerSpec } from "./caller.js";
import { exponential } from "./chance.js";
import type { DialOptions, LoadCall, LoadDriver, LoadEvent } from "./driver.js";
import type { FrameSchedule, LoadClock } from "./frame-schedule.js";
import { Requester } from "./requester.js";
import type { TurnTrace } from "./trace.js";

/** How a line treats the server. Only turns of polite ones are measured. */
export type LineKind = "polite" | "slow-reader" | "abrupt";

/** What became of calls. */
export interface CallCounts {
  opened: number;
  /** The server did not take them. */
  refused: number;
  /** The server ended them, or the connection broke. */
  lost: number;
}

export interface LineSpec {
  readonly kind: LineKind;
  readonly seed: number;
  readonly driver: LoadDriver;
  readonly dial: DialOptions;
  readonly schedule: FrameSchedule;
  readonly clock: LoadClock;
  /** Intended instant of its first dialling. */
  readonly arrivesMs: number;
  /** Mean length of calls; `undefined`: they last as long as the load. */
  readonly callMs: number | undefined;
  /** Resolves when streams may begin: at once, or when all lines are open. */
  readonly mayBegin: (isOpen: boolean) => Promise<void>;
  readonly callerSpec: (prng: Prng, call: number) => Omit<CallerSpec, "onTurn" | "onDone">;
  readonly nextCallNumber: () => number;
  readonly onTurn: (turn: TurnTrace, kind: LineKind) => void;
  readonly onSetup: (setupMs: number) => void;
  readonly onTrouble: (code: string) => void;
  readonly onGap: (durationMs: number) => void;
}

/** Mean of the time between two calls of a line. */
const REDIAL_MS = 1_000;
/** Mean length of the calls of those who vanish. */
const ABRUPT_CALL_MS = 4_000;
/** Slow readers read one message, then nothing for this long. */
const SLOW_READ_MS = 1_000;
/** After a close in good order; later the line is cut. */
const CLOSE_MS_MAX = 15_000;

/** Whoever streams or asks on a call. */
interface Talker {
  readonly onEvent: Caller["onEvent"];
  finish(): void;
  end(): void;
}

export class Line {
  readonly counts: CallCounts = { opened: 0, refused: 0, lost: 0 };
  readonly #spec: LineSpec;
  readonly #prng: Prng;
  #isStopping = false;
  #talker: Talker | undefined;
  #wake: (() => void) | undefined;

  constructor(spec: LineSpec) {
    this.#spec = spec;
    this.#prng = seeded(spec.seed);
  }

  get kind(): LineKind {
    return this.#spec.kind;
  }

  /** A call is open now. */
  get isOpen(): boolean {
    return this.#talker !== undefined;
  }

  /** Begins nothing new. */
  stop(): void {
    this.#isStopping = true;
    this.#talker?.finish();
    this.#wake?.();
  }

  /** Gives up what is under way. */
  cut(): void {
    this.#talker?.end();
  }

  /** Resolves when the line is on the hook for good. */
  async run(): Promise<void> {
    let dueMs = this.#spec.arrivesMs;
    while (!this.#isStopping) {
      await this.#sleepUntil(dueMs);
      if (this.#isStopping) return;
      await this.#hold(dueMs);
      dueMs = this.#spec.clock.nowMs() + exponential(this.#prng, REDIAL_MS);
    }
  }

  async #hold(dueMs: number): Promise<void> {
    const { driver, dial, clock, kind, mayBegin } = this.#spec;
    const early: [LoadEvent, number][] = [];
    let hear = (event: LoadEvent, atMs: number): void => void early.push([event, atMs]);
    let call: LoadCall;
    try {
      call = await driver.open(dial, (event, atMs) => {
        if (event.type === "error") this.#spec.onTrouble(event.code);
        if (event.type === "gap") this.#spec.onGap(event.durationMs);
        hear(event, atMs);
      });
    } catch (error) {
      this.counts.refused += 1;
      this.#spec.onTrouble(isSyrinxError(error) ? error.code : reasonOf(error));
      await mayBegin(false);
      return;
    }
    this.counts.opened += 1;
    if (driver.connects) this.#spec.onSetup(Math.max(0, clock.nowMs() - dueMs));
    await mayBegin(true);
    const isOurs = await new Promise<boolean>((resolve) => {
      let isOver = false;
      const over = (ours: boolean): void => {
        if (isOver) return;
        isOver = true;
        resolve(ours);
      };
      const talker = this.#talk(call, () => over(true));
      hear = (event, atMs) => {
        if (event.type === "close") over(false);
        talker.onEvent(event, atMs);
      };
      for (const [event, atMs] of early) hear(event, atMs);
    });
    this.#talker = undefined;
    hear = () => {};
    if (!isOurs) this.counts.lost += 1;
    else if (kind === "abrupt") call.abort();
    else await this.#hangUp(call);
  }

  /** Sets somebody to talk on the call, and to hang up when it has lasted long enough. */
  #talk(call: LoadCall, onDone: () => void): Talker {
    const { driver, kind, schedule, clock, callMs, onTurn } = this.#spec;
    const number = this.#spec.nextCallNumber();
    const cancels: (() => void)[] = [];
    const spec: CallerSpec = {
      ...this.#spec.callerSpec(seeded(this.#prng.integer(0, 2 ** 31)), number),
      onTurn: (turn) => onTurn(turn, kind),
      onDone: () => {
        for (const cancel of cancels) cancel();
        onDone();
      },
    };
    const talker =
      driver.input === "audio" ? this.#stream(spec, call) : new Requester(spec, call, driver.input, schedule, clock);
    this.#talker = talker;
    if (this.#isStopping) talker.finish();
    const lengthMs = kind === "abrupt" ? ABRUPT_CALL_MS : callMs;
    if (lengthMs !== undefined) {
      const hangUp = (): void => (kind === "abrupt" ? talker.end() : talker.finish());
      cancels.push(clock.after(exponential(this.#prng, lengthMs), hangUp));
    }
    if (kind === "slow-reader") cancels.push(this.#readSlowly(call));
    return talker;
  }

  #stream(spec: CallerSpec, call: LoadCall): Caller {
    let caller: Caller | undefined;
    const startMs = this.#spec.schedule.add({ sendFrame: (frame, dueMs) => caller!.sendFrame(frame, dueMs) });
    caller = new Caller(spec, call, startMs);
    return caller;
  }

  /** Opens the tap for an instant now and then. Returns how to stop that. */
  #readSlowly(call: LoadCall): () => void {
    const { clock } = this.#spec;
    let isReading = false;
    let cancel = (): void => {};
    const turn = (): void => {
      call.setReading?.(isReading);
      cancel = clock.after(isReading ? 1 : SLOW_READ_MS, turn);
      isReading = !isReading;
    };
    turn();
    return () => cancel();
  }

  async #hangUp(call: LoadCall): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#spec.clock.after(CLOSE_MS_MAX, resolve);
    });
    await Promise.race([call.close(), late.then(() => call.abort())]);
    cancel();
  }

  #sleepUntil(atMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#spec.clock.after(Math.max(0, atMs - this.#spec.clock.nowMs()), resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
