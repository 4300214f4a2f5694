import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SyrinxError } from "../../base/errors.js";
import type { TransportLimits } from "../limits.js";

/** Where uploads lie, and how much of them there may be at once. One per server. */
export class UploadRoom {
  readonly memoryBytes: number;
  readonly #limits: TransportLimits;
  /** Of bodies that are being read or whose answer is being made. */
  #heldBytes = 0;
  #count = 0;
  #folder: Promise<string> | undefined;

  constructor(limits: TransportLimits) {
    this.#limits = limits;
    this.memoryBytes = limits.restMemoryBytes;
  }

  /** Room for a body, taken as it comes. */
  reserve(): BodyRoom {
    return new BodyRoom(this.#limits, (byteCount) => this.#take(byteCount));
  }

  /** Made when the first file needs it. Only the server's user can look into it. */
  folder(): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), "syrinx-uploads-"));
    return this.#folder;
  }

  nextName(): string {
    this.#count += 1;
    return String(this.#count);
  }

  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(await this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  #take(byteCount: number): void {
    const { restBodyBytesTotal } = this.#limits;
    if (this.#heldBytes + byteCount > restBodyBytesTotal) {
      throw new SyrinxError("HTTP_BUSY", { what: `${restBodyBytesTotal} bytes of recordings`, retryAfterMs: 1_000 });
    }
    this.#heldBytes += byteCount;
  }
}

/** One body's part of the room. */
export class BodyRoom {
  readonly #limits: TransportLimits;
  readonly #take: (byteCount: number) => void;
  #byteCount = 0;

  constructor(limits: TransportLimits, take: (byteCount: number) => void) {
    this.#limits = limits;
    this.#take = take;
  }

  /** Throws HTTP_BODY_SIZE, HTTP_BUSY. */
  grow(byteCount: number, limit: number = this.#limits.restBodyBytes): void {
    if (this.#byteCount + byteCount > limit) throw new SyrinxError("HTTP_BODY_SIZE", { part: "body", limit });
    this.#take(byteCount);
    this.#byteCount += byteCount;
  }

  free(): void {
    this.#take(-this.#byteCount);
    this.#byteCount = 0;
  }
}
