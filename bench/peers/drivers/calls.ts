/**
 * What all drivers in Node share: N calls that send 20 ms of audio at times fixed beforehand, whatever the system does
 * (open loop), and the account of how late each frame was done. Calls begin at places spread evenly over 20 ms, and hear
 * the recording from places of their own.
 */
import { readFileSync } from "node:fs";
import { decodeAudio } from "../../../src/audio/decode.js";
import { Numbers } from "../../harness/statistics.js";

export const FRAME_MS = 20;
export const FRAME_SAMPLES = 320;
/** Not counted: programs are compiled, models allocate. */
const WARM_UP_MS = 2_000;

export interface DriverOptions {
  readonly calls: number;
  readonly seconds: number;
  readonly model: string;
  readonly audio: string;
}

/** What a driver prints, as one line of JSON. */
export interface DriverReport {
  readonly driver: string;
  readonly version: string;
  readonly calls: number;
  /** From when a frame was due to when the detector was done with it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From when a frame was due to when it was sent. */
  readonly latenessP99Ms: number;
  readonly doneShare: number;
  /** Of all the driver's threads and processes, its generator's share included. */
  readonly cores: number;
  readonly rssMiB: number;
  /** Beginnings of speech that were reported, of all calls. */
  readonly speechStarts: number;
}

export function driverOptions(): DriverOptions {
  const [calls, seconds, model, audio] = process.argv.slice(2);
  return { calls: Number(calls), seconds: Number(seconds), model: model!, audio: audio! };
}

export class Calls {
  readonly #options: DriverOptions;
  readonly #pcm: Int16Array;
  readonly #latencies = new Numbers();
  readonly #lateness = new Numbers();
  #startMs = 0;
  #dueCount = 0;
  speechStarts = 0;

  private constructor(options: DriverOptions, pcm: Int16Array) {
    this.#options = options;
    this.#pcm = pcm;
  }

  static async open(options: DriverOptions): Promise<Calls> {
    return new Calls(options, (await decodeAudio(readFileSync(options.audio), options.audio)).pcm);
  }

  #dueMs(call: number, frame: number): number {
    return this.#startMs + frame * FRAME_MS + (call * FRAME_MS) / this.#options.calls;
  }

  /** The samples of a call's frame. */
  frame(call: number, frame: number): Int16Array {
    const places = Math.floor(this.#pcm.length / FRAME_SAMPLES);
    const at = ((call * 7 + frame) % places) * FRAME_SAMPLES;
    return this.#pcm.subarray(at, at + FRAME_SAMPLES);
  }

  /** The detector is done with a call's frame. */
  done(call: number, frame: number): void {
    const dueMs = this.#dueMs(call, frame);
    if (dueMs - this.#startMs >= WARM_UP_MS) this.#latencies.push(performance.now() - dueMs);
  }

  /** Sends every frame at its time or as soon after it as this thread can; then waits for stragglers. */
  async run(
    send: (call: number, frame: number) => void,
    cpuSeconds: () => number,
  ): Promise<{ readonly cores: number }> {
    const { calls, seconds } = this.#options;
    const frames = (WARM_UP_MS + seconds * 1000) / FRAME_MS;
    const next = new Int32Array(calls);
    this.#startMs = performance.now() + 100;
    let cpuBefore = 0;
    let cpuAtMs = 0;
    for (let remaining = calls * frames; remaining > 0; ) {
      const nowMs = performance.now();
      if (cpuAtMs === 0 && nowMs - this.#startMs >= WARM_UP_MS) {
        cpuBefore = cpuSeconds();
        cpuAtMs = nowMs;
      }
      for (let call = 0; call < calls; call++) {
        while (next[call]! < frames && this.#dueMs(call, next[call]!) <= nowMs) {
          const frame = next[call]!++;
          remaining -= 1;
          const lateMs = performance.now() - this.#dueMs(call, frame);
          if (frame * FRAME_MS >= WARM_UP_MS) {
            this.#lateness.push(lateMs);
            this.#dueCount += 1;
          }
          send(call, frame);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const cores = (cpuSeconds() - cpuBefore) / ((performance.now() - cpuAtMs) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return { cores };
  }

  report(driver: string, version: string, cores: number, rssBytes: number): DriverReport {
    return {
      driver,
      version,
      calls: this.#options.calls,
      p50Ms: this.#latencies.quantile(0.5),
      p99Ms: this.#latencies.quantile(0.99),
      latenessP99Ms: this.#lateness.quantile(0.99),
      doneShare: this.#latencies.count / this.#dueCount,
      cores,
      rssMiB: rssBytes / 2 ** 20,
      speechStarts: this.speechStarts,
    };
  }
}

/** CPU of this process, all threads. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
