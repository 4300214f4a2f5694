/** Events that one consumer has yet to read. At the bound the oldest that may be dropped are dropped and counted. */
export class EventQueue<T> {
  readonly #capacity: number;
  readonly #mayDrop: (event: T) => boolean;
  #events: T[] = [];
  #droppedCount = 0;
  #isEnded = false;
  #waiting: ((result: IteratorResult<T, undefined>) => void) | undefined;

  constructor(capacity: number, mayDrop: (event: T) => boolean) {
    this.#capacity = capacity;
    this.#mayDrop = mayDrop;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  push(event: T): void {
    if (this.#isEnded) return;
    const reader = this.#waiting;
    if (reader !== undefined) {
      this.#waiting = undefined;
      reader({ done: false, value: event });
      return;
    }
    if (this.#events.length >= this.#capacity) this.#makeRoom();
    this.#events.push(event);
  }

  /** What is queued can still be read; then the iteration is over. */
  end(): void {
    this.#isEnded = true;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  /** One consumer at a time. */
  next(): Promise<IteratorResult<T, undefined>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    if (this.#waiting !== undefined) return Promise.reject(new Error("events are read by two loops at once"));
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** If none may be dropped, the oldest of all goes: a consumer that never reads must not cost memory for ever. */
  #makeRoom(): void {
    const index = this.#events.findIndex(this.#mayDrop);
    this.#events.splice(Math.max(0, index), 1);
    this.#droppedCount += 1;
  }
}
