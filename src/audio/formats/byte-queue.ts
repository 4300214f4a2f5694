/**
 * Bytes of a stream that could not be used yet. Holds what its user leaves in it, so the user bounds it; bytes that are
 * to be skipped are never held.
 */
export class ByteQueue {
  #bytes = new Uint8Array(1024);
  #from = 0;
  #to = 0;
  #skip = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  /** Of the bytes at hand; holds until the next call of any method. */
  get view(): Uint8Array {
    return this.#bytes.subarray(this.#from, this.#to);
  }

  push(bytes: Uint8Array): void {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    const rest = skipped === 0 ? bytes : bytes.subarray(skipped);
    this.#reserve(rest.length);
    this.#bytes.set(rest, this.#to);
    this.#to += rest.length;
  }

  /** Drops bytes from the front, those still to come included. */
  drop(byteCount: number): void {
    const here = Math.min(byteCount, this.length);
    this.#from += here;
    this.#skip += byteCount - here;
  }

  #reserve(byteCount: number): void {
    if (this.#to + byteCount <= this.#bytes.length) return;
    const held = this.view;
    const larger = held.length + byteCount > this.#bytes.length ? held.length + byteCount : 0;
    if (larger === 0) this.#bytes.copyWithin(0, this.#from, this.#to);
    else {
      this.#bytes = new Uint8Array(2 * larger);
      this.#bytes.set(held);
    }
    this.#to = held.length;
    this.#from = 0;
  }
}
