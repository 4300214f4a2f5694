/** Gathers what a call says. */
import { SyrinxError } from "../base/errors.js";
import type { AudioEvent, CallEvent } from "../frames/events.js";

export interface CollectedAudio {
  readonly pcm: Int16Array;
  readonly rateHz: number;
}

export function joinAudio(events: readonly AudioEvent[]): CollectedAudio {
  const sampleCount = events.reduce((sum, event) => sum + event.pcm.length, 0);
  const pcm = new Int16Array(sampleCount);
  let at = 0;
  for (const event of events) {
    pcm.set(event.pcm, at);
    at += event.pcm.length;
  }
  return { pcm, rateHz: events[0]?.rateHz ?? 16_000 };
}

/** Reads events until the first reply has ended; its audio. Throws the call's error if it has one. */
export async function collectReply(events: AsyncIterable<CallEvent>): Promise<CollectedAudio> {
  const audio: AudioEvent[] = [];
  for await (const event of events) {
    if (event.type === "audio") audio.push(event);
    if (event.type === "reply" && event.what === "end") break;
    if (event.type === "error") throw new SyrinxError("CALL_FAILED", { code: event.code, reason: event.message });
    if (event.type === "close") break;
  }
  return joinAudio(audio);
}
