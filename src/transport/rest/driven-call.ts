import { ERRORS, type ErrorCode, SyrinxError } from "../../base/errors.js";
import type { CallEvent, ErrorEvent } from "../../frames/events.js";
import type { Call, Runtime } from "../../runtime/api.js";
import type { CallRequest } from "../faces/face.js";
import type { TransportLimits } from "../limits.js";

/** A call's events but those that this class settles itself. */
export type HeardEvent = Exclude<CallEvent, { type: "mark" | "finalized" | "error" | "gap" | "close" }>;

export interface DrivenSetup {
  readonly runtime: Pick<Runtime, "open">;
  readonly request: CallRequest;
  readonly limits: TransportLimits;
  /** Nobody wants the answer any more. Its reason is a SyrinxError. */
  readonly over: AbortSignal;
  readonly onEvent: (event: HeardEvent) => void;
}

/** A call that works for a request: it is fed step by step, and any trouble of its is the end of the request. */
export class DrivenCall {
  readonly #setup: DrivenSetup;
  #call: Call | undefined;
  #failure: SyrinxError | undefined;
  #isClosed = false;
  /** Of who waits for an answer of the call. */
  #wake: () => void = () => {};
  #marks = 0;
  #arrived = 0;

  private constructor(setup: DrivenSetup) {
    this.#setup = setup;
    const { over } = setup;
    over.addEventListener("abort", () => this.#fail(over.reason as SyrinxError), { once: true });
  }

  /** Throws what the runtime throws, or the reason of `over`. */
  static async open(setup: DrivenSetup): Promise<DrivenCall> {
    const driven = new DrivenCall(setup);
    const { runtime, request, over } = setup;
    over.throwIfAborted();
    const onEvent = (event: CallEvent): void => driven.#onEvent(event);
    driven.#call = await runtime.open(request.graph, { ...request.options, onEvent });
    // What ended while the call opened had nothing to abort.
    if (over.aborted) driven.abort();
    over.throwIfAborted();
    return driven;
  }

  write(pcm: Int16Array): void {
    this.#check();
    this.#call!.write(pcm);
  }

  say(text: string, end: boolean): void {
    this.#check();
    this.#call!.say(text, { contextId: 0, end });
  }

  /** Resolves when everything before it was answered. Throws what went wrong meanwhile, CALL_NO_ANSWER if nothing comes. */
  async mark(): Promise<void> {
    this.#check();
    this.#marks += 1;
    this.#call!.mark(String(this.#marks));
    await this.#until(() => this.#arrived >= this.#marks);
  }

  async finalize(): Promise<void> {
    this.#check();
    this.#marks += 1;
    this.#call!.finalize(String(this.#marks));
    await this.#until(() => this.#arrived >= this.#marks);
  }

  /** Resolves when the call has said all that it has to say. */
  async close(): Promise<void> {
    this.#check();
    await this.#call!.close();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** At once. Idempotent. */
  abort(): void {
    if (!this.#isClosed) this.#call?.abort(this.#failure?.code);
  }

  #onEvent(event: CallEvent): void {
    switch (event.type) {
      case "mark":
      case "finalized":
        this.#arrived += 1;
        this.#wake();
        break;
      case "error":
        this.#fail(toError(event));
        break;
      case "gap":
        this.#fail(new SyrinxError("CALL_OVERLOADED", { callId: this.#call?.callId ?? "" }));
        break;
      case "close":
        this.#isClosed = true;
        if (event.reason !== "client") this.#fail(endError(event.code));
        this.#wake();
        break;
      default:
        if (this.#failure === undefined) this.#setup.onEvent(event);
        // A sign of life.
        this.#wake();
    }
  }

  #fail(error: SyrinxError): void {
    this.#failure ??= error;
    this.#wake();
    this.abort();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #until(isTrue: () => boolean): Promise<void> {
    const waitedMs = this.#setup.limits.restAnswerMs;
    const timer = setTimeout(() => this.#fail(new SyrinxError("CALL_NO_ANSWER", { waitedMs })), waitedMs);
    try {
      while (!isTrue() && this.#failure === undefined && !this.#isClosed) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        timer.refresh();
      }
    } finally {
      clearTimeout(timer);
    }
    this.#check();
  }
}

/** An event's error, with the sentence that it came with. */
function toError({ code, message, hint }: ErrorEvent): SyrinxError {
  if (!Object.hasOwn(ERRORS, code)) return new SyrinxError("CALL_FAILED", { code, reason: message });
  return Object.assign(new SyrinxError(code as ErrorCode), { message, hint });
}

function endError(code: string | undefined): SyrinxError {
  return new SyrinxError(code !== undefined && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "RUNTIME_CLOSED");
}
