/**
 * Where whole lines go from a worker thread, or to a terminal: straight to the file descriptor, at once, so that no line is
 * lost when the thread dies and the lines of several threads do not mix (a pipe keeps writes of up to 4 KiB whole).
 *
 * The thread never waits for the log's reader. A pipe that is full for now (workers share a descriptor that Node makes
 * non-blocking) leaves lines behind here; they go out with the next line, or by way of the main thread when this one ends.
 */
import { writeSync } from "node:fs";

/** Bytes that wait for a slow reader of the log, per thread. At it: new lines are dropped and counted. */
export const LOG_BUFFER_BYTES = 1024 * 1024;

type Write = (bytes: Uint8Array) => number;

export class LineSink {
  readonly #write: Write;
  /** Lines, in order; the first may have gone out in part. */
  #waiting: Uint8Array[] = [];
  #waitingByteCount = 0;
  #isBroken = false;
  #droppedCount = 0;

  constructor(fd: number, write: Write = (bytes) => writeSync(fd, bytes)) {
    this.#write = write;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  write(line: string): void {
    const bytes = new TextEncoder().encode(line);
    if (this.#isBroken || this.#waitingByteCount + bytes.length > LOG_BUFFER_BYTES) {
      this.#droppedCount += 1;
    } else {
      this.#waiting.push(bytes);
      this.#waitingByteCount += bytes.length;
    }
    this.#drain();
  }

  /** For a thread that ends: tries once more, then gives what waits to `heir`. */
  end(heir: (text: string) => void): void {
    this.#drain();
    if (this.#waiting.length > 0) heir(Buffer.concat(this.#waiting).toString());
    this.#waiting = [];
    this.#waitingByteCount = 0;
  }

  #drain(): void {
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting[0]!;
      const byteCount = this.#tryWrite(bytes);
      this.#waitingByteCount -= byteCount;
      if (byteCount === bytes.length) this.#waiting.shift();
      else if (byteCount > 0) this.#waiting[0] = bytes.subarray(byteCount);
      else return;
    }
  }

  #tryWrite(bytes: Uint8Array): number {
    try {
      return this.#write(bytes);
    } catch (error) {
      // EAGAIN: full for now. Everything else (the reader has gone): full for ever.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#breakOff();
      return 0;
    }
  }

  #breakOff(): void {
    this.#isBroken = true;
    this.#droppedCount += this.#waiting.length;
    this.#waiting = [];
    this.#waitingByteCount = 0;
  }
}
