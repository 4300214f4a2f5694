/** The binary messages of a connection that is listened to, as PCM for its calls. */
import { createHash } from "node:crypto";
import { createStreamDecoder, type LiveFormat, type StreamDecoder } from "../../audio/stream-decoder.js";
import { assert } from "../../base/assert.js";
import { toSyrinxError } from "../../base/errors.js";
import { samplesToMs } from "../../base/units.js";
import type { ClientMessage } from "./face.js";

export class ListenAudio {
  /** Until then nothing may be decoded. */
  readonly ready: Promise<void>;
  readonly #channelCount: number;
  readonly #hash = createHash("sha256");
  #decoder: StreamDecoder | undefined;
  #isFreed = false;
  #sampleCount = 0;
  #byteCount = 0;

  /** @param channelCount calls that hear it; more than one if the format is split */
  constructor(format: LiveFormat, channelCount: number) {
    this.#channelCount = channelCount;
    this.ready = this.#load(format);
    // Whoever opens the call waits for it; a client that is gone by then has nobody who does.
    this.ready.catch(() => {});
  }

  /** Of audio that was handed on: where the next sample stands in the stream. */
  get receivedMs(): number {
    return samplesToMs(this.#sampleCount);
  }

  get isEmpty(): boolean {
    return this.#byteCount === 0;
  }

  /** The PCM holds until the next call. What cannot be decoded ends the connection. */
  decode(bytes: Uint8Array): ClientMessage[] {
    this.#hash.update(bytes);
    this.#byteCount += bytes.byteLength;
    return this.#take((decoder) => decoder.decode(bytes));
  }

  /** What was held back, after the last message. */
  end(): ClientMessage[] {
    return this.isEmpty ? [] : this.#take((decoder) => decoder.end());
  }

  /** In hexadecimal, of all bytes so far. */
  sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  free(): void {
    this.#isFreed = true;
    this.#decoder?.free();
  }

  async #load(format: LiveFormat): Promise<void> {
    const decoder = await createStreamDecoder(format);
    if (this.#isFreed) decoder.free();
    this.#decoder = decoder;
  }

  #take(decode: (decoder: StreamDecoder) => readonly Int16Array[]): ClientMessage[] {
    assert(this.#decoder !== undefined, "a message is decoded when the decoder is ready");
    try {
      // A file may have more channels than the client said, or fewer.
      const heard = decode(this.#decoder).slice(0, this.#channelCount);
      this.#sampleCount += heard[0]?.length ?? 0;
      return heard.flatMap((pcm, channel) => (pcm.length === 0 ? [] : [{ type: "audio", pcm, channel }]));
    } catch (error) {
      return [{ type: "fail", error: toSyrinxError(error) }];
    }
  }
}
