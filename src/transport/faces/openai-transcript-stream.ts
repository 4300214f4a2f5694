import type { TranscriptEvent } from "../../frames/events.js";
import { textOf, usageOf } from "./openai-transcript.js";
import type { TranscriptionCodec } from "./rest.js";
import { sse } from "./sse.js";

/** A transcript as it grows, in deltas that are never taken back: of a partial, only what will not be revised. */
export function streamedCodec(): TranscriptionCodec {
  let isEmpty = true;
  let segmentId = -1;
  /** Of the segment, what the client has. */
  let told = "";

  const encode = (event: TranscriptEvent): string | undefined => {
    if (event.segmentId !== segmentId) {
      segmentId = event.segmentId;
      told = "";
    }
    const settled = event.final ? event.text : event.text.slice(0, event.stableChars);
    if (settled.length <= told.length || !settled.startsWith(told)) return undefined;
    const more = settled.slice(told.length);
    const delta = told === "" && !isEmpty ? ` ${more}` : more;
    told = settled;
    isEmpty = false;
    return sse({ type: "transcript.text.delta", delta });
  };

  return {
    contentType: "text/event-stream",
    isStreamed: true,
    encode,
    end({ durationMs, channels }) {
      const done = { type: "transcript.text.done", text: textOf(channels[0] ?? []), usage: usageOf(durationMs) };
      return `${sse(done)}data: [DONE]\n\n`;
    },
  };
}
