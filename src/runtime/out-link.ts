/**
 * The producer's end of an edge between two threads: a data ring, a priority ring, the consumer's bell and the policy for
 * a full ring. One per consumer thread; all calls and edges that lead there share it. Any thread; one thread at a time.
 *
 * What happens when a ring is full:
 * - `audio.in` on a `drop-newest` edge is dropped and counted; the next frame of that call carries the gap;
 * - anything else waits. A compute worker sleeps until the consumer makes room (it has nothing better to do); main and
 *   I/O workers must not block, so they hold the frame back, in order, and try again at the next flush.
 */
import { LIMITS } from "../base/limits.js";
import { packWord } from "../frames/codec.js";
import { FRAME_KINDS, type FrameKind } from "../frames/kinds.js";
import { BellRope, type Doorbell, RingWriter } from "../ring/index.js";
import type { MeshLink } from "./mesh.js";

/** How the owner treats a full ring: see the head of this file. */
export type FullPolicy = "wait" | "hold";

/** Header fields of a record, less those that follow from the frame. */
export interface Envelope {
  kind: FrameKind;
  flags: number;
  edge: number;
  slot: number;
  generation: number;
  sequence: number;
  position: number;
}

interface Held {
  readonly envelope: Envelope;
  readonly bytes: Uint8Array;
}

export class OutLink {
  readonly to: number;
  readonly data: RingWriter;
  readonly priority: RingWriter;
  readonly #rope: BellRope;
  readonly #policy: FullPolicy;
  readonly #nowUs: () => number;
  /** Frames that found no room, oldest first; at most LIMITS.heldFrames. */
  #held: Held[] = [];
  /** Frames lost because even holding had its limit, or the wait its end. A metric; each is also a call's error. */
  lostCount = 0;
  /** The priority lane was published and the consumer not woken yet. */
  #isUrgent = false;

  constructor(link: MeshLink, bell: SharedArrayBuffer, policy: FullPolicy, nowUs: () => number, port?: Doorbell) {
    this.to = link.to;
    this.data = new RingWriter(link.data);
    this.priority = new RingWriter(link.priority);
    this.#rope = new BellRope(bell, port);
    this.#policy = policy;
    this.#nowUs = nowUs;
  }

  /** True while frames are held back: the owner should flush again soon. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /**
   * Room for a media frame that may be dropped: the payload's byte offset in `data`, or -1. Fill it and `commit`.
   * Never waits; -1 also while frames are held back, so that order is kept.
   */
  claimMedia(byteCount: number): number {
    return this.#held.length > 0 ? -1 : this.data.claim(byteCount);
  }

  /** Room for media that may not be dropped: waits as the policy allows; -1 means the caller must use `write`. */
  claimWaiting(byteCount: number): number {
    if (this.#held.length > 0) return -1;
    const offset = this.data.claim(byteCount);
    if (offset >= 0 || this.#policy === "hold") return offset;
    this.flush();
    return this.data.waitForSpace(byteCount, LIMITS.ringWaitMs) ? this.data.claim(byteCount) : -1;
  }

  commit(byteCount: number, envelope: Envelope): void {
    this.#commit(this.data, byteCount, envelope);
  }

  /** Writes a whole payload. Returns false if it was lost: the limit of what may be held or waited for was reached. */
  write(envelope: Envelope, payload: Uint8Array): boolean {
    const ring = FRAME_KINDS[envelope.kind].lane === "priority" ? this.priority : this.data;
    let offset = ring === this.data ? this.claimWaiting(payload.length) : this.#claimPriority(payload.length);
    if (offset < 0 && this.#policy === "hold") return this.#hold(envelope, payload);
    if (offset < 0) {
      this.lostCount++;
      ring.countDropped();
      return false;
    }
    ring.u8.set(payload, offset);
    this.#commit(ring, payload.length, envelope);
    offset = -1;
    return true;
  }

  /** Publishes what was committed, in both lanes, and wakes the consumer if it sleeps. Priority first. */
  flush(): void {
    this.publishUrgent();
    const any = this.data.flush();
    if (this.#isUrgent || any) this.#rope.ring();
    this.#isUrgent = false;
  }

  /**
   * The priority lane's half of `flush`, which must follow. Who writes to several links publishes it on all of them
   * first: a call's `open` is then everywhere before its first frame is anywhere, whatever way that frame takes.
   */
  publishUrgent(): void {
    this.#retryHeld();
    this.#isUrgent = this.priority.flush() || this.#isUrgent;
  }

  #claimPriority(byteCount: number): number {
    const offset = this.priority.claim(byteCount);
    if (offset >= 0 || this.#policy === "hold") return offset;
    this.flush();
    return this.priority.waitForSpace(byteCount, LIMITS.ringWaitMs) ? this.priority.claim(byteCount) : -1;
  }

  #commit(ring: RingWriter, byteCount: number, envelope: Envelope): void {
    const word = packWord(FRAME_KINDS[envelope.kind].tag, envelope.flags, envelope.edge);
    const { slot, generation, sequence, position } = envelope;
    ring.commit(byteCount, word, slot, generation, sequence, this.#nowUs() | 0, position);
  }

  #hold(envelope: Envelope, payload: Uint8Array): boolean {
    if (this.#held.length >= LIMITS.heldFrames) {
      this.lostCount++;
      return false;
    }
    this.#held.push({ envelope: { ...envelope }, bytes: payload.slice() });
    return true;
  }

  /** In order; only a priority frame may pass held data frames, because no `open` may be passed. */
  #retryHeld(): void {
    if (this.#held.length === 0) return;
    const rest: Held[] = [];
    let dataBlocked = false;
    let priorityBlocked = false;
    for (const held of this.#held) {
      const urgent = FRAME_KINDS[held.envelope.kind].lane === "priority";
      const ring = urgent ? this.priority : this.data;
      const offset = priorityBlocked || (dataBlocked && !urgent) ? -1 : ring.claim(held.bytes.length);
      if (offset < 0) {
        if (urgent) priorityBlocked = true;
        else dataBlocked = true;
        rest.push(held);
        continue;
      }
      ring.u8.set(held.bytes, offset);
      this.#commit(ring, held.bytes.length, held.envelope);
    }
    this.#held = rest;
  }
}
