/** A broken assertion is a programmer's error: it ends the worker, and the supervisor starts another. Never caught. */
export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new AssertionFailure(claim);
}

export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}
