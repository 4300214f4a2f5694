/**
 * The load of the batching bench: streams that join by a Poisson process and then send a frame every 20 ms, whatever
 * becomes of those before. Every frame has the time at which it was meant to come; latencies are taken from there.
 */
import { readFileSync } from "node:fs";
import { decodeAudio } from "../../src/audio/decode.js";
import { type Prng, seeded } from "../../src/base/prng.js";
import { FRAME_MS, FRAME_SAMPLES } from "../../src/base/units.js";
import { samplePath } from "../harness/plans.js";

const FRAME_US = FRAME_MS * 1000;
const SAMPLES = ["timer.wav", "question.wav", "lights.wav", "time.wav"];

export interface TraceStream {
  readonly slot: number;
  readonly joinUs: number;
  /** Where in the audio it begins. */
  readonly offset: number;
}

export interface Arrival {
  readonly stream: TraceStream;
  /** Of the stream, from 0. */
  readonly frame: number;
  readonly dueUs: number;
}

export class Trace {
  readonly streams: readonly TraceStream[];
  /** Ordered by when in a frame's time they send. */
  readonly #byPhase: readonly TraceStream[];
  #round = 0;
  #place = 0;

  /** @param joinUs the time within which most have joined */
  constructor(seed: number, streamCount: number, joinUs: number, audioSamples: number) {
    const prng = seeded(seed);
    let atUs = 0;
    this.streams = Array.from({ length: streamCount }, (_, slot) => {
      atUs += exponential(prng, joinUs / streamCount);
      return { slot, joinUs: Math.round(atUs), offset: prng.integer(0, audioSamples) };
    });
    this.#byPhase = [...this.streams].sort((a, b) => (a.joinUs % FRAME_US) - (b.joinUs % FRAME_US));
  }

  /** The next frame that was meant to come by `untilUs`, in the order of those times; undefined if there is none. */
  next(untilUs: number): Arrival | undefined {
    for (;;) {
      const stream = this.#byPhase[this.#place]!;
      const dueUs = this.#round * FRAME_US + (stream.joinUs % FRAME_US);
      if (dueUs > untilUs) return undefined;
      this.#place++;
      if (this.#place === this.#byPhase.length) {
        this.#place = 0;
        this.#round++;
      }
      if (dueUs >= stream.joinUs) return { stream, frame: (dueUs - stream.joinUs) / FRAME_US, dueUs };
    }
  }

  /** When the frame after the last one given comes, or a stream could have sent one. */
  get nextUs(): number {
    return this.#round * FRAME_US + (this.#byPhase[this.#place]!.joinUs % FRAME_US);
  }
}

/** When the frame came that holds the sample before `position` of the stream. */
export function arrivalUsOf({ joinUs }: TraceStream, position: number): number {
  return joinUs + Math.max(0, Math.ceil(position / FRAME_SAMPLES) - 1) * FRAME_US;
}

function exponential(prng: Prng, mean: number): number {
  return -mean * Math.log(1 - prng.next());
}

/** Requests with the pauses between them, cut into whole frames. */
export async function traceAudio(): Promise<Int16Array> {
  const parts: Int16Array[] = [];
  for (const name of SAMPLES) parts.push((await decodeAudio(readFileSync(samplePath(name)), name)).pcm);
  const total = parts.reduce((sum, { length }) => sum + length, 0);
  const audio = new Int16Array(Math.floor(total / FRAME_SAMPLES) * FRAME_SAMPLES);
  let at = 0;
  for (const part of parts) {
    audio.set(part.subarray(0, audio.length - at), at);
    at += part.length;
  }
  return audio;
}
