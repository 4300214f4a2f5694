/** The process's own signs of load. Main thread; the histogram is filled by the event loop itself. */
import { availableParallelism } from "node:os";
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { ProcessProbe } from "./load-meter.js";

const RESOLUTION_MS = 20;
/** The delay's percentile is of the last window and of the present one, whichever is worse. */
const WINDOW_MS = 2_000;

export class RealProcessProbe implements ProcessProbe {
  readonly coreCount = availableParallelism();
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #utilization = performance.eventLoopUtilization();
  #windowSinceMs = performance.now();
  #formerP99Ms = 0;

  constructor() {
    this.#delays.enable();
  }

  cpuSeconds(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  }

  mainShare(): number {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    return utilization;
  }

  mainDelayP99Ms(): number {
    const p99Ms = this.#presentP99Ms();
    const nowMs = performance.now();
    if (nowMs - this.#windowSinceMs < WINDOW_MS) return Math.max(p99Ms, this.#formerP99Ms);
    this.#windowSinceMs = nowMs;
    this.#formerP99Ms = p99Ms;
    this.#delays.reset();
    return p99Ms;
  }

  stop(): void {
    this.#delays.disable();
  }

  /** The histogram holds intervals, which are as long as asked for when nothing is late. */
  #presentP99Ms(): number {
    return Math.max(0, this.#delays.percentile(99) / 1_000_000 - RESOLUTION_MS);
  }
}
