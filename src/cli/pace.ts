/** Real time for clients: audio leaves in frames of 20 ms on an absolute schedule, so lateness does not add up. */
import { FRAME_MS } from "../base/units.js";

export interface PacedSource {
  /** The next frame to send, or `undefined` to stop. Called once per frame. */
  next(): Int16Array | undefined;
}

/** Sends until the source ends. Resolves when it did; never sends two frames for the same instant unless it was late. */
export function sendPaced(source: PacedSource, send: (pcm: Int16Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    let sentCount = 0;
    const step = (): void => {
      try {
        while (performance.now() - startMs >= sentCount * FRAME_MS) {
          const pcm = source.next();
          if (pcm === undefined) {
            resolve();
            return;
          }
          send(pcm);
          sentCount++;
        }
      } catch (error) {
        reject(error as Error);
        return;
      }
      setTimeout(step, Math.max(1, startMs + sentCount * FRAME_MS - performance.now()));
    };
    step();
  });
}

/** A recording, then silence until `isOver` says so: a caller who waits for the answer. */
export function recordingThenSilence(pcm: Int16Array, frameSamples: number, isOver: () => boolean): PacedSource {
  const silence = new Int16Array(frameSamples);
  let position = 0;
  return {
    next() {
      if (isOver()) return undefined;
      if (position >= pcm.length) return silence;
      const frame = new Int16Array(frameSamples);
      frame.set(pcm.subarray(position, position + frameSamples));
      position += frameSamples;
      return frame;
    },
  };
}
