/** Bits, most significant first, into bytes that the caller bounds. */
export class BitWriter {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #byteCount = 0;
  #held = 0;
  #heldBits = 0;

  constructor(byteCountMax: number) {
    this.bytes = new Uint8Array(byteCountMax);
  }

  /** Whole bytes so far. */
  get byteCount(): number {
    return this.#byteCount;
  }

  clear(): void {
    this.#byteCount = 0;
    this.#held = 0;
    this.#heldBits = 0;
  }

  /** The lowest `bitCount` bits of `value`, at most 24. */
  write(value: number, bitCount: number): void {
    this.#held = (this.#held << bitCount) | (value & ((1 << bitCount) - 1));
    this.#heldBits += bitCount;
    while (this.#heldBits >= 8) {
      this.#heldBits -= 8;
      this.bytes[this.#byteCount++] = this.#held >>> this.#heldBits;
    }
    this.#held &= (1 << this.#heldBits) - 1;
  }

  /** `count` zeros and a one. */
  writeUnary(count: number): void {
    let left = count;
    for (; left >= 16; left -= 16) this.write(0, 16);
    this.write(1, left + 1);
  }

  /** Zeros up to the next whole byte. */
  align(): void {
    if (this.#heldBits > 0) this.write(0, 8 - this.#heldBits);
  }
}
