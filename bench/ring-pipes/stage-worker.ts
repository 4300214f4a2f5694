/** One stage on its own thread: takes frames, copies them on. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { createClock } from "../../src/base/clock.js";
import { FrameView } from "../../src/frames/index.js";
import { Bell, BellRope, RingReader, RingWriter } from "../../src/ring/index.js";
import { writeAudioFrame } from "../../src/runtime/frame-writer.js";
import { InLink } from "../../src/runtime/in-link.js";
import { OutLink } from "../../src/runtime/out-link.js";
import { emptyEnvelope } from "./links-pipe.js";
import type { StageData } from "./pipe.js";
import type { CloneMessage } from "./post-message-pipe.js";

interface PostMessageData {
  readonly kind: "post-message";
  readonly next?: MessagePort;
  readonly previous?: MessagePort;
}

const PARK_MS = 250;
const WAIT_MS = 1_000;

function postMessages({ next, previous }: PostMessageData): void {
  const target = next ?? parentPort!;
  (previous ?? parentPort!).on("message", (message: CloneMessage) => target.postMessage(message));
}

/** Sleeps between bursts until it is told to stop. */
function drive(bellBuffer: SharedArrayBuffer, hasInput: () => boolean, step: () => void): void {
  const bell = new Bell(bellBuffer);
  while (!bell.isStopRequested) {
    if (hasInput()) {
      step();
      continue;
    }
    bell.prepareToPark("futex");
    if (hasInput() || bell.isStopRequested) bell.cancelPark();
    else bell.wait(PARK_MS);
  }
}

function relayRecords(data: StageData): void {
  const reader = new RingReader(data.input);
  const writer = new RingWriter(data.output);
  const rope = new BellRope(data.nextBell, data.isLast ? parentPort! : undefined);
  const step = (): void => {
    reader.begin();
    while (reader.next()) {
      const { byteCount } = reader;
      let to = writer.claim(byteCount);
      if (to < 0) {
        if (writer.flush()) rope.ring();
        if (!writer.waitForSpace(byteCount, WAIT_MS)) throw new Error("the next stage takes nothing");
        to = writer.claim(byteCount);
      }
      const source = reader.i32;
      const target = writer.i32;
      const end = (reader.offset + byteCount) >> 2;
      for (let from = reader.offset >> 2, at = to >> 2; from < end; from++, at++) target[at] = source[from]!;
      writer.commit(byteCount, reader.word, reader.slot, reader.generation, reader.sequence, 0, reader.timestamp);
    }
    if (writer.flush()) rope.ring();
    reader.ack();
  };
  drive(data.bell, () => reader.refresh() > 0, step);
}

function relayFrames(data: StageData): void {
  const clock = createClock();
  const nowUs = (): number => clock.nowUs();
  const inbound = new InLink({ from: 0, to: 1, data: data.input, priority: data.urgentInput });
  const port = data.isLast ? parentPort! : undefined;
  const wire = { from: 1, to: 2, data: data.output, priority: data.urgentOutput };
  const out = new OutLink(wire, data.nextBell, "wait", nowUs, port);
  const envelope = emptyEnvelope();
  const view = new FrameView();
  const step = (): void => {
    const { reader } = inbound.data;
    const takenUs = nowUs();
    inbound.data.begin();
    while (reader.next()) {
      view.load(reader, takenUs);
      envelope.slot = view.slot;
      envelope.position = view.position;
      if (!writeAudioFrame(out, envelope, view, undefined, undefined, false)) throw new Error("a frame was lost");
    }
    out.flush();
    inbound.ack();
  };
  drive(data.bell, () => inbound.look(), step);
}

const data = workerData as StageData | PostMessageData;
parentPort!.postMessage("listening");
if (data.kind === "post-message") postMessages(data as PostMessageData);
else if (data.kind === "ring") relayRecords(data as StageData);
else relayFrames(data as StageData);
