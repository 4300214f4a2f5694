/** Gives up on a connection through which nothing comes. */
export class StallGuard {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #stop = (): void => this.#controller.abort(this.#outer?.reason);
  #hasStalled = false;

  /** @param outer ends it too, at once */
  constructor(stallMs: number, outer?: AbortSignal) {
    this.#outer = outer;
    this.#timer = setTimeout(() => {
      this.#hasStalled = true;
      this.#controller.abort();
    }, stallMs);
    if (outer?.aborted === true) this.#stop();
    else outer?.addEventListener("abort", this.#stop, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get hasStalled(): boolean {
    return this.#hasStalled;
  }

  /** Something came. */
  touch(): void {
    this.#timer.refresh();
  }

  /** Must be called in the end. Closes what is still open under its signal. */
  release(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#stop);
    this.#controller.abort();
  }
}
