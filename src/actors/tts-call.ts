/** One call as the voice sees it: the reply that is being cut into clauses, and how far its audio has come. */
import type { ActorCall, Item, StateRow } from "./define.js";
import { jsonRowBytes, readJson, writeJson } from "./row.js";
import { CLAUSE_CHARS_MAX, ClauseSplitter } from "./text/clauses.js";

/** A clause to be spoken, or a frame to be passed on once everything before it was spoken. */
export type TtsTask = SpeakTask | PassTask;

export interface SpeakTask {
  readonly what: "speak";
  readonly text: string;
  readonly context: TtsContext;
  readonly cause: Item<TtsCall>;
}

export interface PassTask {
  readonly what: "pass";
  readonly item: Item<TtsCall>;
  /** The reply that was being spoken when the frame came. */
  readonly context: TtsContext | undefined;
}

/** A reply's audio. Another generation makes it another reply, whatever its number. */
export interface TtsContext {
  readonly contextId: number;
  readonly generation: number;
  /** Samples emitted. */
  position: number;
  spokenCount: number;
  failedCount: number;
}

interface TtsMemory extends TtsContext {
  readonly splitter: string;
}

/** The splitter's text is escaped twice, once by itself. */
export const TTS_ROW_BYTES = jsonRowBytes(512 + 4 * CLAUSE_CHARS_MAX);

export class TtsCall {
  readonly tasks: TtsTask[] = [];
  #context: TtsContext | undefined;
  #splitter = new ClauseSplitter();

  push(item: Item<TtsCall>, contextId: number, text: string): void {
    const { generation } = item;
    if (this.#context?.contextId !== contextId || this.#context.generation !== generation) {
      this.flush(item);
      this.#context = { contextId, generation, position: 0, spokenCount: 0, failedCount: 0 };
    }
    this.#queue(this.#splitter.push(text), item);
  }

  /** The text so far is all there is for now: what is left of it is spoken too. */
  flush(cause: Item<TtsCall>): void {
    this.#queue(this.#splitter.flush(), cause);
  }

  pass(item: Item<TtsCall>): void {
    this.tasks.push({ what: "pass", item, context: this.#context });
  }

  /** What was to be spoken is of no use any more. */
  dropStale(call: ActorCall<TtsCall>): void {
    if (this.#context === undefined || !call.isStale(this.#context.generation)) return;
    this.#splitter = new ClauseSplitter();
    this.#context = undefined;
  }

  save(row: StateRow): void {
    const context = this.#context;
    if (context === undefined) row.i32[0] = 0;
    else writeJson(row, { ...context, splitter: this.#splitter.save() });
  }

  restore(row: StateRow): void {
    const memory = readJson<TtsMemory>(row);
    if (memory === undefined) return;
    const { splitter, ...context } = memory;
    this.#context = context;
    this.#splitter = ClauseSplitter.restore(splitter);
  }

  #queue(clauses: readonly string[], cause: Item<TtsCall>): void {
    const context = this.#context;
    if (context === undefined) return;
    for (const text of clauses) this.tasks.push({ what: "speak", text, context, cause });
  }
}
