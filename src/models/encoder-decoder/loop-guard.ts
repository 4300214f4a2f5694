/** Recognisers that write token by token may fall into a loop and say the same words until they are stopped. */

/** Longest round that is looked for, in tokens. */
export const LOOP_TOKENS_MAX = 24;
/** A round is a loop if it was said so often in a row, and over so many tokens: people do say "no, no, no, no". */
export const LOOP_ROUNDS = 4;
export const LOOP_SPAN_TOKENS = 16;

/**
 * Where to cut if the tokens end in a loop: behind its first round. Undefined if they do not. Meant to be called after
 * every token, so that a loop is found as soon as it is one.
 */
export function loopStart(tokens: readonly number[]): number | undefined {
  for (let period = 1; period <= LOOP_TOKENS_MAX; period += 1) {
    const span = Math.max(LOOP_ROUNDS * period, Math.ceil(LOOP_SPAN_TOKENS / period) * period);
    if (span > tokens.length) continue;
    const start = tokens.length - span;
    if (isPeriodic(tokens, start, period)) return start + period;
  }
  return undefined;
}

function isPeriodic(tokens: readonly number[], start: number, period: number): boolean {
  for (let i = tokens.length - 1; i >= start + period; i -= 1) {
    if (tokens[i] !== tokens[i - period]) return false;
  }
  return true;
}
