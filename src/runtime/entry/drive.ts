/**
 * How a worker spends its time. Compute workers sleep in `Atomics.wait`: they run models, have no sockets, and wake
 * fastest that way. I/O workers sleep in their event loop and are woken by a message that says nothing but "look".
 *
 * Both leave when the stop flag is up and the step under way is done: never in the middle of a model run, which would
 * abort the process.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { BroadcastChannel } from "node:worker_threads";
import { LIMITS } from "../../base/limits.js";
import type { Bell } from "../../ring/index.js";
import type { ActorLoop } from "../loop.js";
import type { LoopObserver } from "../loop-observer.js";

export interface DriveSpec {
  readonly loop: ActorLoop;
  readonly bell: Bell;
  readonly observer: LoopObserver;
  /** Control requests under way: while there are any, the worker must not block its event loop. */
  readonly pending: { readonly count: number };
  /** The worker found nothing to do for a while: time for what may take some. */
  readonly idle: () => void;
}

/** How soon frames that a full ring refused are tried again. */
const HOLD_RETRY_MS = 5;
/**
 * A batch that waits for company looks this often who came. It does not listen for the bell meanwhile: every frame would
 * ring, at a system call for its producer and a switch of threads, which is what waiting is to save. So the end of speech,
 * which closes a batch, may be seen this much later.
 */
const NAP_MS = 2;

export async function driveCompute({ loop, bell, observer, pending, idle }: DriveSpec): Promise<void> {
  while (!bell.isStopRequested) {
    bell.beat();
    // A message of comlink is handled in the event loop's poll phase, so one turn of the loop takes it.
    if (bell.takeControl() || pending.count > 0) await nextTurn();
    if (loop.gather()) {
      const waitMs = loop.waitUs() / 1000;
      if (waitMs > 0) bell.nap(Math.min(waitMs, NAP_MS));
      else await loop.run();
      continue;
    }
    bell.prepareToPark("futex");
    // After the park is announced and before the sleep: whoever wrote before the announcement is seen here, whoever
    // writes after it rings.
    const isAsked = bell.takeControl();
    if (isAsked || loop.hasInput() || bell.isStopRequested || pending.count > 0) {
      bell.cancelPark();
      if (isAsked) await nextTurn();
      continue;
    }
    const isRung = bell.wait(loop.isHolding ? HOLD_RETRY_MS : LIMITS.parkMs) === "rung";
    observer.parked(isRung);
    if (!isRung && !loop.isHolding) idle();
  }
}

export async function driveEventLoop({ loop, bell, observer }: DriveSpec, doorbellName: string): Promise<void> {
  const doorbell = new BroadcastChannel(doorbellName);
  let wake: (() => void) | undefined;
  doorbell.onmessage = () => wake?.();
  const heartbeat = setInterval(() => wake?.(), LIMITS.parkMs);
  try {
    while (!bell.isStopRequested) {
      bell.beat();
      bell.takeControl();
      if (await loop.step()) {
        // Sockets and timers of the actors must get their turn between two batches.
        await nextTurn();
        continue;
      }
      loop.publishNow();
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      loopWakers.set(loop, () => wake?.());
      bell.prepareToPark("port");
      if (loop.hasInput() || bell.isStopRequested) {
        bell.cancelPark();
        continue;
      }
      if (loop.isHolding) setTimeout(() => wake?.(), HOLD_RETRY_MS).unref();
      await woken;
      observer.parked(!bell.isParked);
      bell.cancelPark();
    }
  } finally {
    clearInterval(heartbeat);
    doorbell.close();
  }
}

/** Emission outside of a step must end the event loop's sleep, so that it is published. */
const loopWakers = new WeakMap<ActorLoop, () => void>();

export function wakeLoop(loop: ActorLoop): void {
  const waker = loopWakers.get(loop);
  if (waker !== undefined) queueMicrotask(waker);
}
