/** The bare rings of `src/ring`: no frames, no sequence numbers. */
import { Worker } from "node:worker_threads";
import { Bell, BellRope, createBellBuffer, createRingBuffer, RingReader, RingWriter } from "../../src/ring/index.js";
import { FRAME_BYTES, type OpenPipe, type Pipe, type Received, RING_BYTES, type StageData } from "./pipe.js";
import { online } from "./post-message-pipe.js";

const ENTRY = new URL("./stage-worker.js", import.meta.url);
const URGENT_BYTES = 64 * 1024;

export interface Stages {
  readonly workers: readonly Worker[];
  /** Main's bell, then those of the stages. */
  readonly bells: readonly SharedArrayBuffer[];
  /** Data and priority rings: main → first, first → second, …, last → main. */
  readonly rings: readonly { readonly data: SharedArrayBuffer; readonly urgent: SharedArrayBuffer }[];
  close(): Promise<void>;
}

/** Workers in a row behind rings. Resolves when all listen. */
export async function openStages(kind: "ring" | "links", count = 2): Promise<Stages> {
  const places = Array.from({ length: count + 1 }, (_, index) => index);
  const bells = places.map(() => createBellBuffer());
  const rings = places.map(() => ({ data: createRingBuffer(RING_BYTES), urgent: createRingBuffer(URGENT_BYTES) }));
  const stage = (index: number): Worker => {
    const data: StageData = {
      kind,
      bell: bells[index]!,
      nextBell: bells[(index + 1) % bells.length]!,
      input: rings[index - 1]!.data,
      output: rings[index]!.data,
      urgentInput: rings[index - 1]!.urgent,
      urgentOutput: rings[index]!.urgent,
      isLast: index === count,
    };
    return new Worker(ENTRY, { workerData: data });
  };
  const workers = places.slice(1).map(stage);
  await Promise.all(workers.map(online));
  return {
    workers,
    bells,
    rings,
    async close() {
      const exits = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
      for (const index of places.slice(1)) new BellRope(bells[index]!).requestStop();
      await Promise.all(exits);
    },
  };
}

export const openRingPipe: OpenPipe = (_callCount, received) => openRingChain(2, received);

/** As many workers as wanted, bare rings between them. */
export async function openRingChain(workerCount: number, received: Received): Promise<Pipe> {
  const stages = await openStages("ring", workerCount);
  const writer = new RingWriter(stages.rings[0]!.data);
  const rope = new BellRope(stages.bells[1]!);
  const bell = new Bell(stages.bells[0]!);
  const reader = new RingReader(stages.rings.at(-1)!.data);
  const drain = (): void => {
    bell.cancelPark();
    for (;;) {
      if (reader.refresh() === 0) {
        bell.prepareToPark("port");
        if (reader.refresh() === 0) return;
        bell.cancelPark();
      }
      while (reader.next()) received(reader.slot, reader.i16, reader.offset >> 1, reader.byteCount >> 1);
      reader.ack();
    }
  };
  stages.workers.at(-1)!.on("message", drain);
  drain();
  return {
    send(slot, pcm) {
      const offset = writer.claim(FRAME_BYTES);
      if (offset < 0) return false;
      writer.i16.set(pcm, offset >> 1);
      writer.commit(FRAME_BYTES, 0, slot, 0, 0, 0, 0);
      return true;
    },
    flush() {
      if (writer.flush()) rope.ring();
    },
    close: () => stages.close(),
  };
}
