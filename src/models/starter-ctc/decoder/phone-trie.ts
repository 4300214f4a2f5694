/** A trie over pronunciations in typed arrays: what the beam search walks. Built without recursion. */
import { LABEL_COUNT } from "./phones.js";

/** Words that may end at one node; rarer homophones are left out. */
export const HOMOPHONES_MAX = 4;

/** Nodes are numbered breadth first, so the children of `n` are `firstChild[n] … firstChild[n + 1] - 1`. Node 0 is the root. */
export interface PhoneTrie {
  readonly nodeCount: number;
  /** The label on the edge into each node; 0 for the root. */
  readonly labelOf: Uint8Array;
  /** Phones from the root to each node. */
  readonly depthOf: Uint8Array;
  readonly firstChild: Int32Array;
  /** The words that end at `n` are `wordIds[firstWord[n] … firstWord[n + 1] - 1]`, the likeliest first. */
  readonly firstWord: Int32Array;
  readonly wordIds: Int32Array;
  /** The best unigram score of any word at or below each node (0 for the root): the search's look-ahead. */
  readonly lookahead: Float32Array;
}

/** All pronunciations: that of entry `i` is `labels[starts[i] … starts[i + 1] - 1]` and belongs to `words[i]`. */
export interface Pronunciations {
  readonly words: Int32Array;
  readonly starts: Int32Array;
  readonly labels: Uint8Array;
}

/** @param scoreOf natural-log unigram score of a word id */
export function buildTrie(entries: Pronunciations, scoreOf: (wordId: number) => number): PhoneTrie {
  const draft = new DraftTrie(entries.labels.length + 1);
  const endOf = new Int32Array(entries.words.length);
  for (let entry = 0; entry < entries.words.length; entry += 1) {
    let node = 0;
    for (let at = entries.starts[entry]!; at < entries.starts[entry + 1]!; at += 1) {
      node = draft.childOf(node, entries.labels[at]!);
    }
    endOf[entry] = node;
  }
  const { newIdOf, labelOf, depthOf, firstChild, parentOf } = draft.breadthFirst();
  const nodeCount = draft.nodeCount;
  const { firstWord, wordIds } = placeWords(entries.words, endOf, newIdOf, nodeCount, scoreOf);
  const lookahead = new Float32Array(nodeCount).fill(Number.NEGATIVE_INFINITY);
  // Children have higher numbers than their parents, so one backward pass carries every maximum to the root.
  for (let node = nodeCount - 1; node > 0; node -= 1) {
    for (let at = firstWord[node]!; at < firstWord[node + 1]!; at += 1) {
      lookahead[node] = Math.max(lookahead[node]!, scoreOf(wordIds[at]!));
    }
    const parent = parentOf[node]!;
    lookahead[parent] = Math.max(lookahead[parent]!, lookahead[node]!);
  }
  lookahead[0] = 0;
  return { nodeCount, labelOf, depthOf, firstChild, firstWord, wordIds, lookahead };
}

/** Grows by linked lists of siblings in ascending label order; node numbers are in order of creation. */
class DraftTrie {
  nodeCount = 1;
  private readonly label: Uint8Array;
  private readonly eldest: Int32Array;
  private readonly sibling: Int32Array;

  constructor(capacity: number) {
    this.label = new Uint8Array(capacity);
    this.eldest = new Int32Array(capacity).fill(-1);
    this.sibling = new Int32Array(capacity).fill(-1);
  }

  childOf(node: number, label: number): number {
    let before = -1;
    let child = this.eldest[node]!;
    while (child >= 0 && this.label[child]! < label) {
      before = child;
      child = this.sibling[child]!;
    }
    if (child >= 0 && this.label[child] === label) return child;
    const made = this.nodeCount;
    this.nodeCount += 1;
    this.label[made] = label;
    this.sibling[made] = child;
    if (before < 0) this.eldest[node] = made;
    else this.sibling[before] = made;
    return made;
  }

  breadthFirst() {
    const count = this.nodeCount;
    const order = new Int32Array(count);
    const newIdOf = new Int32Array(count);
    const labelOf = new Uint8Array(count);
    const depthOf = new Uint8Array(count);
    const parentOf = new Int32Array(count);
    const firstChild = new Int32Array(count + 1);
    let filled = 1;
    for (let id = 0; id < count; id += 1) {
      firstChild[id] = filled;
      for (let child = this.eldest[order[id]!]!; child >= 0; child = this.sibling[child]!) {
        order[filled] = child;
        newIdOf[child] = filled;
        labelOf[filled] = this.label[child]!;
        depthOf[filled] = depthOf[id]! + 1;
        parentOf[filled] = id;
        filled += 1;
      }
    }
    firstChild[count] = filled;
    return { newIdOf, labelOf, depthOf, parentOf, firstChild };
  }
}

function placeWords(
  words: Int32Array,
  endOf: Int32Array,
  newIdOf: Int32Array,
  nodeCount: number,
  scoreOf: (wordId: number) => number,
): { firstWord: Int32Array; wordIds: Int32Array } {
  const byScore = Array.from(words.keys()).sort((a, b) => scoreOf(words[b]!) - scoreOf(words[a]!) || a - b);
  const countAt = new Uint8Array(nodeCount);
  const kept: number[] = [];
  for (const entry of byScore) {
    const node = newIdOf[endOf[entry]!]!;
    if (countAt[node]! >= HOMOPHONES_MAX) continue;
    countAt[node] = countAt[node]! + 1;
    kept.push(entry);
  }
  const firstWord = new Int32Array(nodeCount + 1);
  for (let node = 0; node < nodeCount; node += 1) firstWord[node + 1] = firstWord[node]! + countAt[node]!;
  const next = firstWord.slice();
  const wordIds = new Int32Array(kept.length);
  for (const entry of kept) {
    const node = newIdOf[endOf[entry]!]!;
    wordIds[next[node]!] = words[entry]!;
    next[node] = next[node]! + 1;
  }
  return { firstWord, wordIds };
}

/** True if every label can stand in a trie: none is the blank, none is beyond the label set. */
export function labelsAreValid(labels: Uint8Array): boolean {
  return labels.every((label) => label > 0 && label < LABEL_COUNT);
}
