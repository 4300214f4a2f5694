/**
 * How far each graph is degraded, for every thread to see: one int32 word per graph. Main writes a few times a minute;
 * workers look once per batch. A reader sees a new level at its next look: nobody is told, nothing is sent.
 */
export function createGraphLevelsBuffer(graphCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(1, graphCount) * Int32Array.BYTES_PER_ELEMENT);
}

/** Any thread, any number of instances over one buffer. Level 0 is undegraded. */
export class GraphLevels {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** @param graph its position in the plan */
  level(graph: number): number {
    return Atomics.load(this.#words, graph);
  }

  /** Main alone. */
  set(graph: number, level: number): void {
    Atomics.store(this.#words, graph, level);
  }
}
