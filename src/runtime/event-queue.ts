/** The bounded queue behind `for await (const event of call)`. Main thread. */
import { LIMITS } from "../base/limits.js";
import type { CallEvent } from "../frames/events.js";

export class EventQueue implements AsyncIterableIterator<CallEvent> {
  #events: CallEvent[] = [];
  #wake: ((result: IteratorResult<CallEvent>) => void) | undefined;
  #isEnded = false;
  /** Audio events thrown away because nobody read: the oldest first. Nothing else is ever thrown away. */
  droppedCount = 0;

  push(event: CallEvent): void {
    if (this.#isEnded) return;
    if (event.type === "interrupted") this.#events = this.#events.filter((queued) => !isOfReply(queued));
    if (event.type === "close") this.#isEnded = true;
    if (this.#wake !== undefined) {
      const wake = this.#wake;
      this.#wake = undefined;
      wake({ value: event, done: false });
      return;
    }
    this.#events.push(event);
    if (this.#events.length <= LIMITS.callEventsQueued) return;
    const oldest = this.#events.findIndex((queued) => queued.type === "audio" || isPartial(queued));
    this.#events.splice(Math.max(0, oldest), 1);
    this.droppedCount++;
  }

  next(): Promise<IteratorResult<CallEvent>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#isEnded) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<CallEvent>> {
    this.#isEnded = true;
    this.#events = [];
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<CallEvent> {
    return this;
  }
}

/** What an interruption makes void, if it was not read yet. */
function isOfReply(event: CallEvent): boolean {
  return event.type === "audio" || event.type === "text" || event.type === "alignment";
}

function isPartial(event: CallEvent): boolean {
  return event.type === "transcript" && !event.final;
}
