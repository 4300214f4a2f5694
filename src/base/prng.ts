/** A seeded source of chance (mulberry32, public domain, by T. Ettinger). The only one in `src/` and `test/`. */
export interface Prng {
  /** Uniform in [0, 1). */
  next(): number;
  /** Integer in [from, to). */
  integer(from: number, to: number): number;
  pick<T>(items: readonly T[]): T;
}

export function seeded(seed: number): Prng {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const integer = (from: number, to: number): number => from + Math.floor(next() * (to - from));
  return { next, integer, pick: (items) => items[integer(0, items.length)]! };
}
