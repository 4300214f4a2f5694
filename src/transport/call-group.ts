import { assert } from "../base/assert.js";
import type { CallEvent, CloseEvent } from "../frames/events.js";
import type { Call, Runtime } from "../runtime/api.js";
import { applyToCall, type CallInput } from "./call-messages.js";
import { type CallRequest, CHANNELS_MAX } from "./faces/face.js";

/** The calls of one connection: one, or one for each channel of the client's audio. They end together. */
export class CallGroup {
  /** By channel. */
  readonly #calls: Call[] = [];
  #closedCount = 0;

  /** The call that speaks for the group. Only once it is open. */
  get first(): Call {
    return this.#calls[0]!;
  }

  get size(): number {
    return this.#calls.length;
  }

  /** Opens one after the other, as long as `isWanted`. Throws what the runtime throws; what was opened is still to abort. */
  async open(
    runtime: Pick<Runtime, "open">,
    { graph, options, channels = 1 }: CallRequest,
    onEvent: (event: CallEvent, channel: number) => void,
    isWanted: () => boolean,
  ): Promise<void> {
    assert(channels >= 1 && channels <= CHANNELS_MAX, "a face asks for a number of channels that it may ask for");
    for (let channel = 0; channel < channels && isWanted(); channel++) {
      this.#calls.push(await runtime.open(graph, { ...options, onEvent: (event) => onEvent(event, channel) }));
    }
  }

  /** To the call of the message's channel; to all, if it names none. Throws what the call throws. */
  apply(message: CallInput): void {
    const channel = "channel" in message ? message.channel : undefined;
    if (channel === undefined) {
      for (const call of this.#calls) applyToCall(call, message);
      return;
    }
    const call = this.#calls[channel];
    assert(call !== undefined, "a codec names channels that it asked for");
    applyToCall(call, message);
  }

  close(onFault: (error: unknown) => void): void {
    for (const call of this.#calls) call.close().catch(onFault);
  }

  abort(code?: string): void {
    for (const call of this.#calls) call.abort(code);
  }

  /**
   * One of the calls has closed. @returns whether that is the end of all: one that failed takes the others with it,
   * because a client has one connection, and it ends once.
   */
  hasEnded(event: CloseEvent): boolean {
    this.#closedCount += 1;
    return event.reason !== "client" || this.#closedCount >= this.#calls.length;
  }
}
