/**
 * The word on which one consumer *thread* sleeps, however many rings it reads.
 *
 * ```
 *  consumer                                  producer
 *    drain every ring; nothing there           commit records
 *    prepareToPark: STATE = futex | port       flush: HEAD = …
 *    look at every ring, stop and control      ring: STATE ≠ 0?  exchange it with 0,
 *      again; something? cancelPark                  then notify, or post one message
 *    else wait(), or return to the event loop
 * ```
 *
 * Each side stores first and looks second, all four sequentially consistent (Dekker). So either the consumer's second
 * look finds the record, or the producer finds the consumer parked: no wake-up is lost. A producer that rings before it
 * flushes, or a consumer that looks only once, breaks this.
 *
 * While the consumer is awake, ringing costs one atomic load and no system call; a burst of records is one ring.
 *
 * ```
 *  byte  0  STATE  STOP  CONTROL     written from both sides, rarely
 *       64  HEARTBEAT                written by the consumer, each time around its loop
 * ```
 */
import { assert } from "../base/assert.js";

export const BELL_BYTES = 128;

const STATE_WORD = 0;
const STOP_WORD = 1;
const CONTROL_WORD = 2;
const HEARTBEAT_WORD = 16;

const AWAKE = 0;
/** Asleep in `Atomics.wait` on STATE: for threads that own nothing but their computation. */
const PARKED_FUTEX = 1;
/** Back in the event loop, to be woken by a message on a port: for main and for threads that do I/O. */
const PARKED_PORT = 2;

/** How a thread sleeps: blocked on the word itself, or in its event loop until a message comes. */
export type ParkState = "futex" | "port";

/** The one method of a MessagePort that a rope needs. */
export interface Doorbell {
  postMessage(value: number): void;
}

/** One per consumer thread. A restarted thread gets the old buffer, since the ropes that producers hold lead to it. */
export function createBellBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(BELL_BYTES);
}

/** What either side may look at, on any thread. */
class BellWords {
  protected readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    assert(buffer.byteLength === BELL_BYTES, "the shared buffer is a bell");
    this.words = new Int32Array(buffer);
  }

  /**
   * The consumer sleeps or is about to. A snapshot: it may wake at once. A consumer that has been told to stop and is
   * parked is not inside native code, so its thread may be ended; one that is not parked may not.
   */
  get isParked(): boolean {
    return Atomics.load(this.words, STATE_WORD) !== AWAKE;
  }

  /** Once true, true for good. */
  get isStopRequested(): boolean {
    return Atomics.load(this.words, STOP_WORD) !== 0;
  }

  /** Free-running int32; two equal readings a while apart mean that the consumer's loop did not come around. */
  get heartbeat(): number {
    return Atomics.load(this.words, HEARTBEAT_WORD);
  }
}

/** The sleeper's side. Used by the consumer thread alone. */
export class Bell extends BellWords {
  #seenControl = 0;

  /** Announces sleep. *After* this the caller looks at everything once more: all rings, stop, control. */
  prepareToPark(state: ParkState): void {
    Atomics.store(this.words, STATE_WORD, state === "futex" ? PARKED_FUTEX : PARKED_PORT);
  }

  /**
   * Takes the announcement back, because the second look found work or because something other than the bell (a timer,
   * a socket) woke the event loop. A producer may have rung already: then an idle message arrives at the port.
   */
  cancelPark(): void {
    Atomics.store(this.words, STATE_WORD, AWAKE);
  }

  /**
   * Sleeps in `Atomics.wait` until the bell is rung, or returns at once when it was since `prepareToPark("futex")`.
   * **Blocks the thread**: no timer, port or promise of it runs meanwhile. Compute workers only, and with a bounded
   * timeout, so that the thread sees its event loop now and then. Afterwards the bell is awake, whatever the answer.
   */
  wait(timeoutMs: number): "rung" | "timed-out" {
    if (Atomics.wait(this.words, STATE_WORD, PARKED_FUTEX, timeoutMs) !== "timed-out") return "rung";
    // A ring in the last moment counts: its producer has taken the parked state away and will not ring again.
    return Atomics.exchange(this.words, STATE_WORD, AWAKE) === AWAKE ? "rung" : "timed-out";
  }

  /**
   * Sleeps for a moment without announcing it: no producer will ring, so none pays for ringing. Blocks the thread.
   * For waiting on purpose while there is work, not for want of it.
   */
  nap(ms: number): void {
    Atomics.wait(this.words, STATE_WORD, AWAKE, ms);
  }

  /** Moves the heartbeat; once per turn of the loop. */
  beat(): void {
    Atomics.add(this.words, HEARTBEAT_WORD, 1);
  }

  /**
   * True once after any number of `announceControl`: a message waits in the event loop's queue, so yield to it (one
   * `setImmediate`) before the next batch or sleep. The first look of a restarted thread may say true without cause.
   */
  takeControl(): boolean {
    const control = Atomics.load(this.words, CONTROL_WORD);
    if (control === this.#seenControl) return false;
    this.#seenControl = control;
    return true;
  }
}

/** The waker's side: one per producer thread, and one for whoever supervises the consumer. Never blocks. */
export class BellRope extends BellWords {
  readonly #port: Doorbell | undefined;

  /** @param port leads to the consumer's event loop; needed when, and only when, the consumer parks as "port" */
  constructor(buffer: SharedArrayBuffer, port?: Doorbell) {
    super(buffer);
    this.#port = port;
  }

  /**
   * Wakes the consumer if it is parked; true if this call did. Call it once per burst, after `flush` said true. Of
   * several producers that ring at once exactly one does the waking.
   */
  ring(): boolean {
    if (Atomics.load(this.words, STATE_WORD) === AWAKE) return false;
    const state = Atomics.exchange(this.words, STATE_WORD, AWAKE);
    if (state === AWAKE) return false;
    if (state === PARKED_FUTEX) {
      Atomics.notify(this.words, STATE_WORD, 1);
    } else {
      assert(this.#port !== undefined, "a rope to a consumer that parks in its event loop has a port");
      this.#port.postMessage(0);
    }
    return true;
  }

  /** Asks the consumer to leave its loop, and wakes it for that. It goes when its current step is done. */
  requestStop(): void {
    Atomics.store(this.words, STOP_WORD, 1);
    this.ring();
  }

  /** Says that a message was posted to the consumer's event loop, and wakes it. Call it *after* posting. */
  announceControl(): void {
    Atomics.add(this.words, CONTROL_WORD, 1);
    this.ring();
  }
}
