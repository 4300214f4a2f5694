/**
 * A whole graph on one thread: the product's actor loops, links and rings, with a seed instead of a scheduler. The seed
 * chooses who steps, who crashes and where in a step, what the caller sends, when it interrupts. Same seed, same run.
 */
import type { AnyActor } from "../../src/actors/define.js";
import { SimulatedClock } from "../../src/base/clock.js";
import { type Prng, seeded } from "../../src/base/prng.js";
import type { Plan } from "../../src/config/plan.js";
import { type FrameKind, FrameView, type MetaOf } from "../../src/frames/index.js";
import { CallWords, isAfter } from "../../src/ring/index.js";
import { buildLoop } from "../../src/runtime/entry/build-loop.js";
import { writeAudioFrame, writeMetaFrame } from "../../src/runtime/frame-writer.js";
import { InLink } from "../../src/runtime/in-link.js";
import type { ActorLoop } from "../../src/runtime/loop.js";
import type { LoopObserver } from "../../src/runtime/loop-observer.js";
import { createMesh, MAIN_THREAD, type Mesh } from "../../src/runtime/mesh.js";
import { type Envelope, OutLink } from "../../src/runtime/out-link.js";

/** A frame as it reached the caller's side. */
export interface Received {
  readonly slot: number;
  readonly kind: FrameKind;
  readonly generation: number;
  readonly meta: unknown;
  readonly position: number;
}

interface SimCall {
  readonly slot: number;
  readonly born: number;
  readonly open: MetaOf<"open">;
  position: number;
}

const EMPTY_WORDS = new Int32Array(0);

export class Simulation {
  readonly prng: Prng;
  readonly words: CallWords;
  readonly received: Received[] = [];
  crashCount = 0;
  /** Chance that a step of a worker ends in a crash at one of its fault points. */
  crashChance = 0;
  /** Chance that a worker lets what it has gathered wait for more. */
  holdChance = 0;
  holdCount = 0;
  readonly #plan: Plan;
  readonly #mesh: Mesh;
  readonly #actors: ReadonlyMap<string, AnyActor>;
  readonly #clock = new SimulatedClock();
  readonly #loops = new Map<number, ActorLoop>();
  readonly #out = new Map<number, OutLink>();
  readonly #in: InLink[];
  readonly #calls = new Map<number, SimCall>();
  readonly #sent = new Map<string, number>();
  readonly #seen = new Map<string, number>();

  constructor(seed: number, plan: Plan, actors: readonly AnyActor[], ringBytes: number) {
    this.prng = seeded(seed);
    // Event-loop workers never block on a full ring, which a single thread could not survive.
    this.#plan = { ...plan, workers: plan.workers.map((worker) => ({ ...worker, thread: "io" as const })) };
    this.#mesh = createMesh(this.#plan, "simulation", 0n, ringBytes);
    this.#actors = new Map(actors.map((actor) => [actor.name, actor]));
    this.words = new CallWords(this.#mesh.words);
    const doorbell = { postMessage: () => {} };
    for (const link of this.#mesh.links) {
      if (link.from !== MAIN_THREAD) continue;
      this.#out.set(
        link.to,
        new OutLink(link, this.#mesh.bells[link.to]!, "hold", () => this.#clock.nowUs(), doorbell),
      );
    }
    this.#in = this.#mesh.links.filter((link) => link.to === MAIN_THREAD).map((link) => new InLink(link));
  }

  async start(): Promise<void> {
    for (const worker of this.#plan.workers) await this.#boot(worker.index);
  }

  /** Where a fault may happen: actors under simulation call it. */
  readonly faultPoint = (): void => {
    if (this.crashChance > 0 && this.prng.next() < this.crashChance) throw new SimulatedCrash();
  };

  open(slot: number): void {
    const born = this.words.open(slot);
    const nodes = this.#plan.graphs[0]!.nodes;
    const open: MetaOf<"open"> = {
      callId: `${slot}.${born}`,
      graph: "test",
      born,
      placement: nodes.map((node) => this.#plan.nodes[node]!.workers[slot % this.#plan.nodes[node]!.workers.length]!),
      options: {},
    };
    const call = { slot, born, open, position: 0 };
    this.#calls.set(slot, call);
    for (const edge of this.#plan.edges) {
      this.#sent.delete(`${edge.index}:${slot}`);
      this.#seen.delete(`${edge.index}:${slot}`);
    }
    for (const worker of new Set(open.placement)) this.#send(worker, slot, undefined, "open", open);
  }

  /** Ends the call without a word to its frames under way; the slot may be opened again at once. */
  abort(slot: number): void {
    const call = this.#calls.get(slot)!;
    for (const worker of new Set(call.open.placement)) this.#send(worker, slot, undefined, "abort", { code: "test" });
    this.words.release(slot);
    this.#calls.delete(slot);
  }

  audio(slot: number, pcm: Int16Array): boolean {
    const call = this.#calls.get(slot)!;
    const envelope = this.#envelope(slot, 0, "audio.in", call.position);
    const link = this.#out.get(call.open.placement[0]!)!;
    const isWritten = writeAudioFrame(
      link,
      envelope,
      { samples: pcm, words: EMPTY_WORDS, offset: 0, count: pcm.length },
      undefined,
      undefined,
      true,
    );
    call.position += pcm.length;
    return isWritten;
  }

  fence(slot: number, id: string): void {
    this.#send(this.#calls.get(slot)!.open.placement[0]!, slot, 0, "fence", { id, reason: "mark" });
  }

  close(slot: number): void {
    this.#send(this.#calls.get(slot)!.open.placement[0]!, slot, 0, "close", {});
  }

  interrupt(slot: number): number {
    return this.words.bump(slot);
  }

  generationOf(slot: number): number {
    return this.words.generation(slot);
  }

  bornOf(slot: number): number {
    return this.#calls.get(slot)!.born;
  }

  /** One random worker steps, or main publishes or reads. True if anything happened. */
  async stepRandom(): Promise<boolean> {
    this.#clock.advance(this.prng.integer(1, 400));
    const choice = this.prng.integer(0, this.#plan.workers.length + 2);
    if (choice === 0) return this.flush();
    if (choice === 1) return this.receive();
    return this.stepWorker(this.#plan.workers[choice - 2]!.index);
  }

  /** Everybody steps until nobody has anything to do. Bounded: throws after far too many rounds. */
  async settle(): Promise<void> {
    for (let round = 0, idle = 0; idle < 3; round++) {
      if (round > 20_000) throw new Error("the simulation does not settle");
      this.#clock.advance(100);
      let any = this.flush();
      for (const worker of this.#plan.workers) any = (await this.stepWorker(worker.index)) || any;
      any = this.receive() || any;
      idle = any ? 0 : idle + 1;
    }
  }

  async stepWorker(index: number): Promise<boolean> {
    const loop = this.#loops.get(index)!;
    try {
      if (!loop.gather()) {
        loop.publishNow();
        return loop.isHolding;
      }
      if (this.holdChance > 0 && this.prng.next() < this.holdChance) {
        this.holdCount++;
        this.faultPoint();
        return true;
      }
      await loop.run();
      return true;
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
      this.crashCount++;
      await this.#boot(index);
      return true;
    }
  }

  flush(): boolean {
    let any = false;
    for (const link of this.#out.values()) {
      any = link.isHolding || any;
      link.flush();
    }
    return any;
  }

  receive(): boolean {
    let any = false;
    for (const link of this.#in) {
      if (!link.look()) continue;
      any = true;
      for (const lane of [link.priority, link.data]) {
        lane.begin();
        while (lane.reader.next()) {
          const view = new FrameView();
          view.load(lane.reader, this.#clock.nowUs());
          this.#note(view, lane === link.data);
        }
        lane.ack();
      }
    }
    return any;
  }

  #note(view: FrameView, isData: boolean): void {
    const call = this.#calls.get(view.slot);
    if (call === undefined || ((view.generation - call.born) | 0) < 0) return;
    const key = `${view.edge}:${view.slot}`;
    if (isData && !isAfter(view.sequence, this.#seen.get(key) ?? 0)) return;
    if (isData) this.#seen.set(key, view.sequence);
    const { slot, kind, generation, position } = view;
    this.received.push({ slot, kind, generation, position, meta: view.meta(kind) });
  }

  #send<K extends FrameKind>(worker: number, slot: number, edge: number | undefined, kind: K, meta: MetaOf<K>): void {
    writeMetaFrame(this.#out.get(worker)!, this.#envelope(slot, edge, kind, 0), kind, meta);
  }

  #envelope(slot: number, edge: number | undefined, kind: FrameKind, position: number): Envelope {
    const key = `${edge}:${slot}`;
    const sequence = edge === undefined ? 0 : (this.#sent.get(key) ?? 0) + 1;
    if (edge !== undefined) this.#sent.set(key, sequence);
    return { kind, flags: 0, edge: edge ?? 0, slot, generation: this.words.generation(slot), sequence, position };
  }

  async #boot(index: number): Promise<void> {
    for (;;) {
      const { loop } = await buildLoop({
        plan: this.#plan,
        mesh: this.#mesh,
        workerIndex: index,
        clock: this.#clock,
        model: undefined,
        findActor: (name) => this.#actors.get(name),
        observer: observerOf(this.#plan),
        doorbellTo: () => ({ postMessage: () => {} }),
        wake: () => {},
        log: () => {},
      });
      const opens = [...this.#calls.values()].filter(({ open }) => open.placement.includes(index));
      await loop.resume(opens);
      this.#loops.set(index, loop);
      return;
    }
  }
}

export class SimulatedCrash extends Error {}

function observerOf(plan: Plan): LoopObserver {
  const nothing = (): void => {};
  return {
    nodeOfEdge: (edge) => plan.edges[edge]!.to,
    learned: nothing,
    ran: (_node, batch) => batch.length,
    emitted: nothing,
    stale: nothing,
    duplicate: nothing,
    poison: nothing,
    lost: nothing,
    opened: nothing,
    closed: nothing,
    parked: nothing,
  };
}
