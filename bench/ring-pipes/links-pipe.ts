/** The runtime's own ends of an edge, with frames in them, and nothing of the runtime above. */
import { createClock } from "../../src/base/clock.js";
import { FrameView } from "../../src/frames/index.js";
import { Bell } from "../../src/ring/index.js";
import { writeAudioFrame } from "../../src/runtime/frame-writer.js";
import { InLink } from "../../src/runtime/in-link.js";
import { type Envelope, OutLink } from "../../src/runtime/out-link.js";
import type { OpenPipe } from "./pipe.js";
import { openStages } from "./ring-pipe.js";

const NO_WORDS = new Int32Array(0);

export function emptyEnvelope(): Envelope {
  return { kind: "audio.in", flags: 0, edge: 0, slot: 0, generation: 0, sequence: 0, position: 0 };
}

export const openLinksPipe: OpenPipe = async (_callCount, received) => {
  const stages = await openStages("links");
  const [first, , last] = stages.rings;
  const clock = createClock();
  const nowUs = (): number => clock.nowUs();
  const out = new OutLink(
    { from: 0, to: 1, data: first!.data, priority: first!.urgent },
    stages.bells[1]!,
    "hold",
    nowUs,
  );
  const inbound = new InLink({ from: 2, to: 0, data: last!.data, priority: last!.urgent });
  const bell = new Bell(stages.bells[0]!);
  const view = new FrameView();
  const envelope = emptyEnvelope();
  const drain = (): void => {
    bell.cancelPark();
    for (;;) {
      if (!inbound.look()) {
        bell.prepareToPark("port");
        if (!inbound.look()) return;
        bell.cancelPark();
      }
      const { reader } = inbound.data;
      const takenUs = nowUs();
      inbound.data.begin();
      while (reader.next()) {
        view.load(reader, takenUs);
        received(view.slot, view.samples, view.offset, view.count);
      }
      inbound.ack();
    }
  };
  stages.workers.at(-1)!.on("message", drain);
  drain();
  return {
    send(slot, samples) {
      envelope.slot = slot;
      const source = { samples, words: NO_WORDS, offset: 0, count: samples.length };
      return writeAudioFrame(out, envelope, source, undefined, undefined, true);
    },
    flush: () => out.flush(),
    close: () => stages.close(),
  };
};
