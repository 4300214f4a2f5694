/**
 * The hypotheses of one slot in typed arrays, and the table in which those of the next slot are gathered, merged by key
 * and cut to the beam. Candidate tables are scratch: one per thread serves every decoder on it.
 */
const NEVER = Number.NEGATIVE_INFINITY;

/** Structure of arrays; row `i` is one hypothesis. */
export class Hypotheses {
  count = 0;
  /** Node of the pronunciation trie (or of the key terms' trie, offset). */
  node: Int32Array;
  /** Id of the last complete word. */
  lastWord: Int32Array;
  /** Record of the last complete word in the history. */
  record: Int32Array;
  /** Hash of the complete words. */
  hash: Int32Array;
  /** Log-probability of all alignments that end in a blank, and of those that end in the node's phone. */
  blank: Float64Array;
  phone: Float64Array;
  /** Weighted language model score of the complete words. */
  language: Float64Array;
  /** Slot of the unfinished word's first phone, and of the last phone so far. */
  startSlot: Int32Array;
  phoneSlot: Int32Array;

  constructor(readonly capacity: number) {
    this.node = new Int32Array(capacity);
    this.lastWord = new Int32Array(capacity);
    this.record = new Int32Array(capacity);
    this.hash = new Int32Array(capacity);
    this.blank = new Float64Array(capacity);
    this.phone = new Float64Array(capacity);
    this.language = new Float64Array(capacity);
    this.startSlot = new Int32Array(capacity);
    this.phoneSlot = new Int32Array(capacity);
  }

  copyRow(to: number, source: Hypotheses, from: number): void {
    this.node[to] = source.node[from]!;
    this.lastWord[to] = source.lastWord[from]!;
    this.record[to] = source.record[from]!;
    this.hash[to] = source.hash[from]!;
    this.blank[to] = source.blank[from]!;
    this.phone[to] = source.phone[from]!;
    this.language[to] = source.language[from]!;
    this.startSlot[to] = source.startSlot[from]!;
    this.phoneSlot[to] = source.phoneSlot[from]!;
  }
}

/**
 * Candidates for the next slot. Two with the same last word and node are one: with the same words their probabilities
 * add up; with other words before, only the better one can ever win (a bigram sees no further back) and the other goes.
 */
export class Candidates {
  readonly rows: Hypotheses;
  /** The hypothesis that a candidate came from. */
  readonly origin: Int32Array;
  /** The word that it completes, or −1. */
  readonly completed: Int32Array;
  private readonly table: Int32Array;
  /** The pass that wrote each place of the table: clearing is one addition. */
  private readonly stamps: Int32Array;
  private pass = 1;
  private readonly tableMask: number;
  private readonly order: Int32Array;
  private readonly scores: Float64Array;

  constructor(capacity: number) {
    this.rows = new Hypotheses(capacity);
    this.origin = new Int32Array(capacity);
    this.completed = new Int32Array(capacity);
    const tableSize = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.table = new Int32Array(tableSize);
    this.stamps = new Int32Array(tableSize);
    this.tableMask = tableSize - 1;
    this.order = new Int32Array(capacity);
    this.scores = new Float64Array(capacity);
  }

  get isFull(): boolean {
    return this.rows.count === this.rows.capacity;
  }

  clear(): void {
    this.rows.count = 0;
    this.pass = (this.pass + 1) | 0;
    if (this.pass === 0) {
      this.stamps.fill(0);
      this.pass = 1;
    }
  }

  /**
   * Adds probability to the candidate with this key, or makes it.
   * @returns the row if the given alignment is now the row's leading one, so that the caller notes its times; else −1.
   */
  add(lastWord: number, node: number, hash: number, blank: number, phone: number, language: number): number {
    const { rows } = this;
    const place = this.placeOf(lastWord, node);
    const row = this.table[place]!;
    if (this.stamps[place] !== this.pass) {
      if (this.isFull) return -1;
      const made = rows.count;
      rows.count += 1;
      this.table[place] = made;
      this.stamps[place] = this.pass;
      this.write(made, lastWord, node, hash, blank, phone, language);
      return made;
    }
    const before = Math.max(rows.blank[row]!, rows.phone[row]!);
    const given = Math.max(blank, phone);
    if (rows.hash[row] === hash) {
      rows.blank[row] = logAdd(rows.blank[row]!, blank);
      rows.phone[row] = logAdd(rows.phone[row]!, phone);
      return given > before ? row : -1;
    }
    if (given + language <= before + rows.language[row]!) return -1;
    this.write(row, lastWord, node, hash, blank, phone, language);
    return row;
  }

  /**
   * Rows in descending score, at most `limit`, none worse than the best by more than `margin`.
   * @param lookaheadOf what the unfinished word promises, weighted
   * @returns how many; their rows are then `ranked(0) …`
   */
  rank(limit: number, margin: number, lookaheadOf: (node: number) => number): number {
    const { rows, order, scores } = this;
    let kept = 0;
    for (let row = 0; row < rows.count; row += 1) {
      const score = logAdd(rows.blank[row]!, rows.phone[row]!) + rows.language[row]! + lookaheadOf(rows.node[row]!);
      // NaN and −∞ fail this comparison too.
      if (!(score > NEVER) || (kept === limit && !(score > scores[order[kept - 1]!]!))) continue;
      scores[row] = score;
      let at = kept < limit ? kept : kept - 1;
      while (at > 0 && scores[order[at - 1]!]! < score) {
        order[at] = order[at - 1]!;
        at -= 1;
      }
      order[at] = row;
      if (kept < limit) kept += 1;
    }
    if (kept === 0) return 0;
    const floor = scores[order[0]!]! - margin;
    while (scores[order[kept - 1]!]! < floor) kept -= 1;
    return kept;
  }

  ranked(place: number): number {
    return this.order[place]!;
  }

  private write(
    row: number,
    lastWord: number,
    node: number,
    hash: number,
    blank: number,
    phone: number,
    language: number,
  ): void {
    const { rows } = this;
    rows.lastWord[row] = lastWord;
    rows.node[row] = node;
    rows.hash[row] = hash;
    rows.blank[row] = blank;
    rows.phone[row] = phone;
    rows.language[row] = language;
  }

  /** Open addressing: where the key is, or the free place where it belongs. */
  private placeOf(lastWord: number, node: number): number {
    const { rows, table, stamps, tableMask, pass } = this;
    const mixed = Math.imul(lastWord + 1, 0x9e3779b1) ^ Math.imul(node + 1, 0x85ebca6b);
    let place = (mixed ^ (mixed >>> 15)) & tableMask;
    while (stamps[place] === pass) {
      const row = table[place]!;
      if (rows.lastWord[row] === lastWord && rows.node[row] === node) break;
      place = (place + 1) & tableMask;
    }
    return place;
  }
}

/** ln(eᵃ + eᵇ). */
export function logAdd(a: number, b: number): number {
  const high = Math.max(a, b);
  const distance = high - Math.min(a, b);
  // Beyond 30 nats the smaller one is lost in rounding; also keeps −∞ − −∞ away.
  return distance < 30 ? high + Math.log1p(Math.exp(-distance)) : high;
}
