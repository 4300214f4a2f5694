/** For tests of the load tool: a clock that moves when told, and a server in memory that answers as scripted. */
import type { DialOptions, LoadCall, LoadDriver, LoadEvent, LoadListener } from "../../src/cli/load/driver.js";
import type { LoadClock } from "../../src/cli/load/frame-schedule.js";
import { makeRecording, type Recording } from "../../src/cli/load/recordings.js";

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class FakeClock implements LoadClock {
  #nowMs = 1_000;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Time passes without anybody noticing: the thread was held up. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Calls what falls due in the next `ms`, in order, and lets promises settle in between. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settled();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Runs until the promise has settled. */
  async runUntil<T>(promise: Promise<T>, stepMs = 100, stepsMax = 20_000): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (let step = 0; !isSettled && step < stepsMax; step++) await this.run(stepMs);
    return promise;
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (first === undefined || timer.atMs < first.atMs)) first = timer;
    }
    return first;
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Speech of constant loudness between two silences. */
export function toneRecording(name: string, speechMs: number, text?: string): Recording {
  const pcm = new Int16Array(16 * (400 + speechMs + 400));
  for (let at = 16 * 400; at < 16 * (400 + speechMs); at++) pcm[at] = at % 2 === 0 ? 8_000 : -8_000;
  return makeRecording(name, pcm, text)!;
}

/** What a call of the fake server is given to talk with. */
export interface FakeCall {
  readonly number: number;
  readonly clock: FakeClock;
  /** Milliseconds of audio that came. */
  streamMs: number;
  tell(event: LoadEvent): void;
}

/** What the fake server does. Times of speech are where it ended in the call's stream. */
export interface FakeScript {
  /** 300 ms of silence after speech were heard. */
  onSpeechEnd?(call: FakeCall, endMs: number): void;
  onSpeechStart?(call: FakeCall): void;
  onFinalize?(call: FakeCall): void;
  /** False refuses. */
  admits?(number: number): boolean;
}

export interface FakeServer {
  readonly driver: LoadDriver;
  readonly dialled: DialOptions[];
  readonly calls: FakeCall[];
  /** Lengths of all frames, by call. */
  readonly frames: number[][];
  readonly closed: number[];
  readonly aborted: number[];
  openCount(): number;
}

const END_MS = 300;

export function fakeServer(clock: FakeClock, script: FakeScript): FakeServer {
  const calls: FakeCall[] = [];
  const frames: number[][] = [];
  const [closed, aborted]: [number[], number[]] = [[], []];
  const dialled: DialOptions[] = [];
  const open = (listener: LoadListener): LoadCall => {
    const call: FakeCall = {
      number: calls.length,
      clock,
      streamMs: 0,
      tell: (event) => listener(event, clock.nowMs()),
    };
    calls.push(call);
    const sent: number[] = [];
    frames.push(sent);
    let speechEndMs: number | undefined;
    return {
      send(pcm) {
        sent.push(clock.nowMs());
        const last = pcm.findLastIndex((sample) => sample !== 0);
        if (last >= 0) {
          if (speechEndMs === undefined) script.onSpeechStart?.(call);
          speechEndMs = call.streamMs + (last + 1) / 16;
        }
        call.streamMs += pcm.length / 16;
        if (speechEndMs === undefined || call.streamMs - speechEndMs < END_MS) return;
        const endMs = speechEndMs;
        speechEndMs = undefined;
        script.onSpeechEnd?.(call, endMs);
      },
      finalize: () => script.onFinalize?.(call),
      setReading() {},
      async close() {
        closed.push(call.number);
        call.tell({ type: "close", code: 1000 });
      },
      abort: () => void aborted.push(call.number),
    };
  };
  let dialCount = 0;
  const driver: LoadDriver = {
    input: "audio",
    connects: true,
    async open(options, listener) {
      dialled.push(options);
      if (script.admits?.(dialCount++) === false) throw new Error("full");
      return open(listener);
    },
  };
  const openCount = (): number => calls.length - closed.length - aborted.length;
  return { driver, dialled, calls, frames, closed, aborted, openCount };
}

/** A whole reply, at once: text, `count` chunks of 100 ms of sound, and its end. */
export function reply(call: FakeCall, turnIndex: number, count: number): void {
  const contextId = turnIndex + 1;
  call.tell({ type: "reply_start", contextId, turnIndex });
  call.tell({ type: "reply_text", contextId });
  for (let chunk = 0; chunk < count; chunk++) {
    call.tell({ type: "audio", contextId, rateHz: 16_000, pcm: new Int16Array(1_600).fill(5_000) });
  }
  call.tell({ type: "reply_end", contextId, reason: "completed" });
}
