/**
 * The consumer's end of an edge between two threads, and the protocol that loses nothing: what was taken is acknowledged
 * only after the outputs that came of it were published. Any thread; one thread at a time.
 *
 * Order matters in `lookAtAll`: the data lanes' HEADs are read first, of all links, and the priority lanes' after them.
 * A call's `open` is published to every worker before its first data frame to any, so whoever sees the frame, from
 * whatever thread it comes, also sees the `open`.
 */
import { LIMITS } from "../base/limits.js";
import { RECORD_HEADER_BYTES, RingReader } from "../ring/index.js";
import type { MeshLink } from "./mesh.js";

/** What to do with the first record of a ring after its consumers died on it; see RingReader, "Poison". */
export type Delivery = "batch" | "single" | "skip";

/** One lane of a link: a reader that knows how carefully its next records must be delivered. */
export class InLane {
  readonly reader: RingReader;
  #delivery: Delivery;
  /** Bytes that were there when a successor found a guilty batch; behind them the ring is trusted again. */
  #suspectBytes: number;
  #begun = false;

  constructor(buffer: SharedArrayBuffer) {
    this.reader = new RingReader(buffer);
    const deaths = this.reader.attempts;
    this.#delivery = deaths > LIMITS.batchAttempts ? "skip" : deaths === LIMITS.batchAttempts ? "single" : "batch";
    this.#suspectBytes = this.#delivery === "batch" ? 0 : this.reader.refresh();
  }

  get delivery(): Delivery {
    return this.#delivery;
  }

  /** Call before the first `next` of a batch. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.reader.begin(this.#delivery === "single" ? LIMITS.batchAttempts + 1 : 1);
  }

  /** Acknowledges what was taken. After a skip, or behind the last suspect, the ring is trusted again. */
  ack(): void {
    if (!this.#begun) return;
    this.#begun = false;
    const left = this.#suspectBytes;
    this.reader.ack();
    if (this.#delivery === "batch") return;
    this.#suspectBytes = left - recordBytes(this.reader.byteCount);
    this.#delivery = this.#suspectBytes > 0 && this.#delivery === "single" ? "single" : "batch";
  }
}

/** A lower bound (padding not counted): a suspect too many costs one small batch, one too few a restart. */
function recordBytes(payloadByteCount: number): number {
  return RECORD_HEADER_BYTES + payloadByteCount;
}

export class InLink {
  readonly from: number;
  readonly data: InLane;
  readonly priority: InLane;

  constructor(link: MeshLink) {
    this.from = link.from;
    this.data = new InLane(link.data);
    this.priority = new InLane(link.priority);
  }

  /** As {@link lookAtAll}, for a thread with this one link. */
  look(): boolean {
    const dataBytes = this.data.reader.refresh();
    const priorityBytes = this.priority.reader.refresh();
    return dataBytes > 0 || priorityBytes > 0;
  }

  ack(): void {
    this.priority.ack();
    this.data.ack();
  }
}

/**
 * Reads all HEADs, those of the data lanes first, and of these the last link's first: whoever sees what follows from a
 * frame then also sees the frame, if links are in graph order. True if there is anything to take.
 */
export function lookAtAll(links: readonly InLink[]): boolean {
  let any = false;
  for (let index = links.length - 1; index >= 0; index--) any = links[index]!.data.reader.refresh() > 0 || any;
  for (const link of links) any = link.priority.reader.refresh() > 0 || any;
  return any;
}
