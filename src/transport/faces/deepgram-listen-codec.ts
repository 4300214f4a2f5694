/** One `/v1/listen` connection: audio and a few messages in, transcripts out. `deepgram-listen-channel.ts` says when. */
import { SyrinxError } from "../../base/errors.js";
import type { CallEvent, ErrorEvent } from "../../frames/events.js";
import { deepgramCloseCode, deepgramClosing, modelUuid } from "./deepgram.js";
import { controlIn } from "./deepgram-control.js";
import { ListenChannel } from "./deepgram-listen-channel.js";
import type { ListenRequest } from "./deepgram-listen-request.js";
import type { QueryFormat } from "./deepgram-query.js";
import type { CallRequest, ClientMessage, Ending, FaceCodec, Farewell, Outbound, ServerEvent } from "./face.js";
import { parseTyped, type TypedMessage } from "./json-message.js";
import { ListenAudio } from "./listen-audio.js";
import { timeOfDay } from "./wall-time.js";

export interface ListenSetup {
  readonly request: ListenRequest;
  readonly format: QueryFormat;
  readonly requestId: string;
  readonly serverVersion: string;
}

const PAUSE_MARK = "pause-";

export class DeepgramListenCodec implements FaceCodec {
  readonly call: CallRequest;
  readonly ready: Promise<void>;
  readonly #setup: ListenSetup;
  readonly #audio: ListenAudio;
  readonly #channels: readonly ListenChannel[];
  readonly #createdAt = timeOfDay();
  readonly #modelId: string;
  #finalizeCount = 0;
  #isClosing = false;

  constructor(setup: ListenSetup) {
    const { call, channels, isMultichannel } = setup.request;
    const count = call.channels ?? 1;
    this.#setup = setup;
    this.#modelId = modelUuid(setup.request.modelName);
    this.call = call;
    this.#audio = new ListenAudio({ ...setup.format, channels, split: isMultichannel }, count);
    this.ready = this.#audio.ready;
    const metadata = { request_id: setup.requestId, model_info: this.#modelInfo, model_uuid: this.#modelId };
    const { hasInterims, hasEndpoints, hasVadEvents, utteranceEndMs } = setup.request;
    this.#channels = Array.from(
      { length: count },
      (_, index) =>
        new ListenChannel({ index, count, hasInterims, hasEndpoints, hasVadEvents, utteranceEndMs, metadata }),
    );
  }

  decode(data: Uint8Array, isBinary: boolean): readonly ClientMessage[] {
    if (this.#isClosing) return [];
    const message = isBinary ? controlIn(data) : parseTyped(data);
    if (message !== undefined) return this.#control(message);
    // An empty message is how older clients say that they are done.
    if (data.byteLength === 0) return this.#close();
    return [...this.#audio.decode(data), ...this.#dueMarks()];
  }

  #control(message: TypedMessage): readonly ClientMessage[] {
    switch (message.type) {
      case "KeepAlive":
        return [{ type: "keepalive" }];
      case "Finalize":
        return [this.#finalize(message.channel)];
      case "CloseStream":
        return this.#close();
      default:
        // Options of later versions of the protocol, for all that we know.
        return [];
    }
  }

  #finalize(channel: unknown): ClientMessage {
    const id = `finalize-${this.#finalizeCount}`;
    this.#finalizeCount += 1;
    if (channel === undefined || channel === null) {
      for (const each of this.#channels) each.finalize(id, this.#audio.receivedMs);
      return { type: "finalize", id };
    }
    const one = typeof channel === "number" ? this.#channels[channel] : undefined;
    if (one === undefined) {
      const problem = `there are the channels 0 to ${this.#channels.length - 1}`;
      throw new SyrinxError("PROTOCOL_MESSAGE_INVALID", { type: "Finalize", problem });
    }
    one.finalize(id, this.#audio.receivedMs);
    return { type: "finalize", id, channel: channel as number };
  }

  #close(): readonly ClientMessage[] {
    this.#isClosing = true;
    for (const channel of this.#channels) channel.close();
    return [...this.#audio.end(), { type: "close" }];
  }

  #dueMarks(): ClientMessage[] {
    const marks: ClientMessage[] = [];
    for (const channel of this.#channels) {
      const id = channel.dueMark(this.#audio.receivedMs);
      if (id !== undefined) marks.push({ type: "mark", id });
    }
    return marks;
  }

  /**
   * Asks when all that stood before a pause was transcribed: there may be nothing, and the pause is to be told. And asks
   * whether an utterance has ended when words come later than the audio that ended it.
   */
  react(event: CallEvent, channel: number): readonly ClientMessage[] {
    if (this.#isClosing) return [];
    const due = this.#dueMarks();
    if (event.type !== "vad" || event.what !== "stop" || !this.#setup.request.hasEndpoints) return due;
    return [...due, { type: "mark", id: `${PAUSE_MARK}${channel}-${event.atMs}` }];
  }

  encode(event: ServerEvent, index: number): readonly Outbound[] {
    const channel = this.#channels[index]!;
    switch (event.type) {
      case "vad":
        return channel.vad(event);
      case "transcript":
        return channel.transcript(event);
      case "finalized":
        return channel.finalized(event.id);
      case "mark":
        return this.#marked(event.id, index);
      case "error":
        return [errorMessage(event)];
      default:
        return [];
    }
  }

  /** Every call sends every mark back; each is meant for one of them. */
  #marked(id: string, index: number): readonly string[] {
    const own = `${PAUSE_MARK}${index}-`;
    if (id.startsWith(own)) return this.#channels[index]!.paused(Number(id.slice(own.length)));
    return this.#channels[index]!.marked(id);
  }

  end(ending: Ending): Farewell {
    const { reason, code, error } = ending;
    if (reason === "client") {
      const rest = this.#channels.flatMap((channel) => channel.end(this.#audio.receivedMs));
      return { messages: [...rest, this.#metadata()], code: 1000, reason: "" };
    }
    const known = deepgramClosing(ending);
    const messages = error === undefined || reason === "idle" ? [] : [errorMessage(error)];
    return { messages, code: known?.code ?? deepgramCloseCode(ending), reason: known?.reason ?? code ?? reason };
  }

  dispose(): void {
    this.#audio.free();
  }

  get #modelInfo(): object {
    const { request, serverVersion } = this.#setup;
    return { name: request.modelName, version: serverVersion, arch: request.modelFamily };
  }

  #metadata(): string {
    const { isEmpty, receivedMs } = this.#audio;
    return JSON.stringify({
      type: "Metadata",
      transaction_key: "deprecated",
      request_id: this.#setup.requestId,
      sha256: this.#audio.sha256(),
      created: this.#createdAt,
      duration: receivedMs / 1000,
      channels: isEmpty ? 0 : this.#channels.length,
      models: [this.#modelId],
      model_info: { [this.#modelId]: this.#modelInfo },
    });
  }
}

/** All keys that clients of any age look at. */
export function errorMessage({ code, message, hint }: Pick<ErrorEvent, "code" | "message" | "hint">): string {
  return JSON.stringify({ type: "Error", variant: code, message, description: `${message}. ${hint}` });
}
