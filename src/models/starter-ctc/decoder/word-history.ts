/**
 * What the hypotheses of one segment have said so far, as a tree of word records with links to the record before.
 * Records that no hypothesis needs any more are swept when the arrays are full, so memory follows the live tree: at
 * most (hypotheses × words of the segment).
 */
/** The record before the first word. */
export const NO_WORDS = 0;

export class WordHistory {
  private count = 1;
  private parents: Int32Array;
  private words: Int32Array;
  private depths: Int32Array;
  private hashes: Int32Array;
  private starts: Int32Array;
  private ends: Int32Array;
  private phones: Int32Array;
  private acoustics: Float64Array;

  /** @param capacity records before the first sweep; after any sweep at least half of the room is free */
  constructor(capacity: number) {
    this.parents = new Int32Array(capacity);
    this.words = new Int32Array(capacity).fill(-1);
    this.depths = new Int32Array(capacity);
    this.hashes = new Int32Array(capacity);
    this.starts = new Int32Array(capacity);
    this.ends = new Int32Array(capacity);
    this.phones = new Int32Array(capacity);
    this.acoustics = new Float64Array(capacity);
  }

  get recordCount(): number {
    return this.count;
  }

  get capacity(): number {
    return this.parents.length;
  }

  parentOf(record: number): number {
    return this.parents[record]!;
  }

  wordOf(record: number): number {
    return this.words[record]!;
  }

  /** Words up to and with this record. */
  depthOf(record: number): number {
    return this.depths[record]!;
  }

  /** Equal for equal word sequences, whatever their timing (32 bits: a collision merges two hypotheses, no worse). */
  hashOf(record: number): number {
    return this.hashes[record]!;
  }

  startSlotOf(record: number): number {
    return this.starts[record]!;
  }

  endSlotOf(record: number): number {
    return this.ends[record]!;
  }

  phoneCountOf(record: number): number {
    return this.phones[record]!;
  }

  /** Log-probability of the labels from the segment's start to the end of this word, over all alignments. */
  acousticOf(record: number): number {
    return this.acoustics[record]!;
  }

  /** The caller makes room first: {@link sweep} when fewer are left than it will add. */
  add(parent: number, word: number, startSlot: number, endSlot: number, phoneCount: number, acoustic: number): number {
    const record = this.count;
    this.count += 1;
    this.parents[record] = parent;
    this.words[record] = word;
    this.depths[record] = this.depths[parent]! + 1;
    this.hashes[record] = nextHash(this.hashes[parent]!, word);
    this.starts[record] = startSlot;
    this.ends[record] = endSlot;
    this.phones[record] = phoneCount;
    this.acoustics[record] = acoustic;
    return record;
  }

  /** The length in words of the longest beginning that both records share. */
  commonDepth(first: number, second: number): number {
    let [a, b] = [first, second];
    while (this.depths[a]! > this.depths[b]!) a = this.parents[a]!;
    while (this.depths[b]! > this.depths[a]!) b = this.parents[b]!;
    // Compared by words, not by record: the same words with other times are the same text.
    while (this.hashes[a] !== this.hashes[b]) {
      a = this.parents[a]!;
      b = this.parents[b]!;
    }
    return this.depths[a]!;
  }

  /** Drops all records but those that `roots[0 … rootCount - 1]` lead to, renumbers those in `roots`, and grows if few were dropped. */
  sweep(roots: Int32Array, rootCount: number): void {
    const kept = new Int32Array(this.count).fill(-1);
    kept[NO_WORDS] = NO_WORDS;
    for (let root = 0; root < rootCount; root += 1) {
      for (let record = roots[root]!; kept[record]! < 0; record = this.parents[record]!) kept[record] = 1;
    }
    let filled = 1;
    // Parents have lower numbers than their children, so a parent is renumbered before any child asks for it.
    for (let record = 1; record < this.count; record += 1) {
      if (kept[record]! < 0) continue;
      kept[record] = filled;
      this.move(record, filled, kept[this.parents[record]!]!);
      filled += 1;
    }
    this.count = filled;
    for (let root = 0; root < rootCount; root += 1) roots[root] = kept[roots[root]!]!;
    if (filled * 2 > this.parents.length) this.grow();
  }

  private move(from: number, to: number, parent: number): void {
    this.parents[to] = parent;
    this.words[to] = this.words[from]!;
    this.depths[to] = this.depths[from]!;
    this.hashes[to] = this.hashes[from]!;
    this.starts[to] = this.starts[from]!;
    this.ends[to] = this.ends[from]!;
    this.phones[to] = this.phones[from]!;
    this.acoustics[to] = this.acoustics[from]!;
  }

  private grow(): void {
    const larger = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.parents = larger(this.parents);
    this.words = larger(this.words);
    this.depths = larger(this.depths);
    this.hashes = larger(this.hashes);
    this.starts = larger(this.starts);
    this.ends = larger(this.ends);
    this.phones = larger(this.phones);
    const acoustics = new Float64Array(this.acoustics.length * 2);
    acoustics.set(this.acoustics);
    this.acoustics = acoustics;
  }
}

/** The hash of a word sequence made one word longer. */
export function nextHash(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ (word + 1), 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) | 0;
}
