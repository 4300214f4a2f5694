/** What one would write without this project: structured clones over message ports. */
import { MessageChannel, Worker } from "node:worker_threads";
import type { OpenPipe } from "./pipe.js";

export interface CloneMessage {
  readonly slot: number;
  /** When it was written, milliseconds. */
  readonly ts: number;
  readonly pcm: Int16Array;
}

const ENTRY = new URL("./stage-worker.js", import.meta.url);

export const openPostMessagePipe: OpenPipe = async (_callCount, received) => {
  const between = new MessageChannel();
  const first = new Worker(ENTRY, {
    workerData: { kind: "post-message", next: between.port1 },
    transferList: [between.port1],
  });
  const second = new Worker(ENTRY, {
    workerData: { kind: "post-message", previous: between.port2 },
    transferList: [between.port2],
  });
  await Promise.all([online(first), online(second)]);
  second.on("message", ({ slot, pcm }: CloneMessage) => received(slot, pcm, 0, pcm.length));
  return {
    send(slot, pcm) {
      first.postMessage({ slot, ts: performance.now(), pcm } satisfies CloneMessage);
      return true;
    },
    flush: () => {},
    close: async () => {
      await Promise.all([first.terminate(), second.terminate()]);
    },
  };
};

/** Resolves when the worker says that it listens. Errors after that are nobody's: they end the process, as they should. */
export function online(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", () => {
      worker.off("error", reject);
      resolve();
    });
  });
}
