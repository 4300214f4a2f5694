import type { IncomingMessage } from "node:http";
import { SyrinxError } from "../../base/errors.js";

/**
 * A request's body as it comes. Throws HTTP_BODY_TIMEOUT if nothing comes for `stallMs`, HTTP_BODY_INVALID if the client
 * goes in the middle of it. Whatever happens, the socket stays open for an answer.
 */
export async function* chunksOf(request: IncomingMessage, stallMs: number): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  let stalled: (error: SyrinxError) => void = () => {};
  const stall = new Promise<never>((_resolve, reject) => {
    stalled = reject;
  });
  // Nobody waits for it while a chunk is being worked on.
  stall.catch(() => {});
  const timer = setTimeout(() => stalled(new SyrinxError("HTTP_BODY_TIMEOUT", { stallMs })), stallMs);
  try {
    for (;;) {
      timer.refresh();
      const next = chunks.next().catch((error: unknown) => {
        throw new SyrinxError("HTTP_BODY_INVALID", { problem: "the connection broke in the middle of it" }, error);
      });
      const { value, done } = await Promise.race([next, stall]);
      if (done === true) return;
      yield value as Buffer;
    }
  } finally {
    clearTimeout(timer);
    // Gives the request back, so that whoever answers can throw away what still comes.
    chunks.return?.().catch(() => {});
  }
}
