/** Sends a trace through one worker whose batches are formed in one of several ways, and notes how late answers are. */
import { FRAME_SAMPLES } from "../../src/base/units.js";
import type { FrameView } from "../../src/frames/index.js";
import type { Model } from "../../src/models/family.js";
import { Numbers } from "../harness/statistics.js";
import type { BatchedTask } from "./models.js";
import { type BatchWay, TimedWorker } from "./timed-worker.js";
import { arrivalUsOf, Trace } from "./trace.js";

/** A stream's final is asked for so often. */
const FINAL_EVERY_FRAMES = 50;
/** How often a worker that lets its batch wait looks who came. */
const NAP_US = 2_000;

export interface Way extends Omit<BatchWay, "options"> {
  /** A batch closes when its oldest frame is so old. */
  readonly windowMs?: number;
}

export interface Load {
  readonly task: BatchedTask;
  readonly way: Way;
  readonly model: Model;
  readonly audio: Int16Array;
  readonly seed: number;
  readonly joinUs: number;
  readonly measureUs: number;
  /** Answers may be so late; at four times that, the worker is given up. */
  readonly limitMs: number;
}

export interface Outcome {
  readonly lagMs: Numbers;
  readonly finalLagMs: Numbers;
  readonly isOverrun: boolean;
  /** Share of the time at work, and streams in a step. */
  readonly busy: number;
  readonly batch: number;
}

/** Sends the trace of so many streams through one worker. */
export async function serve(load: Load, streamCount: number): Promise<Outcome> {
  const { task, way, model, audio, seed, joinUs, measureUs } = load;
  const trace = new Trace(seed, streamCount, joinUs, audio.length / FRAME_SAMPLES);
  const options = task === "stt" ? { partialMs: 200 } : {};
  const worker = await TimedWorker.start(task, model, { ...way, options }, streamCount);
  const { clock, loop } = worker;
  for (const { slot } of trace.streams) worker.open(slot);
  worker.flush();
  await loop.step();
  const lagMs = new Numbers();
  const finalLagMs = new Numbers();
  const window = new FixedWindow(way);
  let busyUs = 0;
  let batches = 0;
  let frames = 0;
  const endUs = joinUs + measureUs;
  const limitUs = load.limitMs * 1000;
  let isOverrun = false;
  while (clock.nowUs() < endUs && !isOverrun) {
    const nowUs = clock.nowUs();
    for (let next = trace.next(nowUs); next !== undefined; next = trace.next(nowUs)) {
      const { stream, frame, dueUs } = next;
      const offset = ((stream.offset + frame) * FRAME_SAMPLES) % audio.length;
      worker.audio(stream.slot, frame * FRAME_SAMPLES, dueUs, audio, offset);
      if (task === "stt" && frame % FINAL_EVERY_FRAMES === FINAL_EVERY_FRAMES - 1) {
        worker.finalize(stream.slot, String(frame), dueUs);
        window.note(stream.slot, Number.NEGATIVE_INFINITY);
      }
      window.note(stream.slot, dueUs);
      frames++;
    }
    worker.flush();
    if (!loop.gather()) {
      clock.moveTo(trace.nextUs);
      continue;
    }
    const waitUs = way.windowMs === undefined ? loop.waitUs() : window.waitUs(nowUs);
    if (waitUs > 0) {
      clock.moveTo(nowUs + Math.min(waitUs, NAP_US));
      continue;
    }
    window.reset();
    batches++;
    busyUs += await clock.runs(() => loop.run());
    const publishedUs = clock.nowUs();
    worker.receive((view) => {
      const cameUs = cameUsOf(view, trace);
      if (cameUs === undefined) return;
      // Far too late: what follows is later still.
      if (publishedUs - cameUs > 4 * limitUs) isOverrun = true;
      if (cameUs < joinUs) return;
      lagMs.push((publishedUs - cameUs) / 1000);
      if (view.kind === "fence") finalLagMs.push((publishedUs - cameUs) / 1000);
    });
  }
  isOverrun ||= worker.droppedCount > 0;
  return { lagMs, finalLagMs, isOverrun, busy: busyUs / clock.nowUs(), batch: frames / batches };
}

/** When the frame was meant to come that this answers; undefined if it is no answer. A final comes before its fence. */
function cameUsOf(view: FrameView, { streams }: Trace): number | undefined {
  const stream = streams[view.slot]!;
  if (view.kind === "audio.in") return arrivalUsOf(stream, view.position + view.count);
  if (view.kind === "transcript.partial") return arrivalUsOf(stream, view.meta(view.kind).endSample);
  if (view.kind === "fence") return arrivalUsOf(stream, (Number(view.meta("fence").id) + 1) * FRAME_SAMPLES);
  return undefined;
}

/** What servers with a fixed window do. Finals close it, as with the other ways. */
class FixedWindow {
  readonly #windowUs: number;
  readonly #max: number;
  readonly #slots = new Set<number>();
  #oldestUs = Number.POSITIVE_INFINITY;

  constructor({ windowMs = 0, max }: Way) {
    this.#windowUs = windowMs * 1000;
    this.#max = max;
  }

  note(slot: number, us: number): void {
    this.#slots.add(slot);
    this.#oldestUs = Math.min(this.#oldestUs, us);
  }

  waitUs(nowUs: number): number {
    return this.#slots.size >= this.#max ? 0 : Math.max(0, this.#oldestUs + this.#windowUs - nowUs);
  }

  reset(): void {
    this.#slots.clear();
    this.#oldestUs = Number.POSITIVE_INFINITY;
  }
}
