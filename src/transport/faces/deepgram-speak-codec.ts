import { type ErrorCode, SyrinxError } from "../../base/errors.js";
import type { AudioEvent } from "../../frames/events.js";
import { deepgramCloseCode, modelUuid } from "./deepgram.js";
import { type SocketEncoding, SPEAK_CHARS_MAX } from "./deepgram-speak-request.js";
import type {
  CallRequest,
  ClientMessage,
  Ending,
  FaceCodec,
  Farewell,
  Outbound,
  ServerEvent,
  ServerFacts,
} from "./face.js";
import { parseTyped } from "./json-message.js";
import { SAMPLE_CODECS, type SampleCodec } from "./native-format.js";
import { quote } from "./native-messages.js";

export interface SpeakSetup {
  readonly call: CallRequest;
  readonly encoding: SocketEncoding;
  /** As the client named it. */
  readonly model: string;
  readonly requestId: string;
  readonly server: ServerFacts;
}

/**
 * Every `Flush` closes a context of its own, so that the audio up to it is whole to the last sample; a mark behind it
 * comes back when that audio has left, and becomes `Flushed`. `Clear` interrupts; a `Flush` that it overtakes is answered
 * right before `Cleared`, because nothing of it will come any more.
 */
export class DeepgramSpeakCodec implements FaceCodec {
  readonly call: CallRequest;
  readonly #setup: SpeakSetup;
  readonly #output: SampleCodec;
  #contextId = 0;
  /** Something was said since the last `Flush` or `Clear`. */
  #hasText = false;
  #flushCount = 0;
  /** Numbers of the flushes that are not answered yet, in order. */
  #unanswered: number[] = [];
  /** For each `Clear` that is not answered yet: the flushes before it. */
  readonly #clears: number[] = [];
  #sequenceId = 0;

  constructor(setup: SpeakSetup) {
    this.call = setup.call;
    this.#setup = setup;
    this.#output = SAMPLE_CODECS[setup.encoding === "linear16" ? "s16le" : setup.encoding];
  }

  decode(data: Uint8Array): readonly ClientMessage[] {
    const message = parseTyped(data);
    switch (message.type) {
      case "Speak":
        return this.#speak(message.text);
      case "Flush":
        return this.#flush();
      case "Clear":
        return this.#clear();
      case "Close":
        return [...this.#endContext(), { type: "close" }];
      case "KeepAlive":
        return [];
      default:
        return [warn("PROTOCOL_TYPE_UNKNOWN", `there is no message type ${quote(message.type)}`)];
    }
  }

  #speak(text: unknown): readonly ClientMessage[] {
    if (typeof text !== "string") {
      throw new SyrinxError("PROTOCOL_MESSAGE_INVALID", { type: "Speak", problem: "`text` is a string" });
    }
    if (text.length > SPEAK_CHARS_MAX) {
      return [warn("TTS_TEXT_TOO_LONG", `a text of ${text.length} characters; at most ${SPEAK_CHARS_MAX} are spoken`)];
    }
    if (text === "") return [];
    this.#hasText = true;
    return [{ type: "say", text, contextId: this.#contextId, end: false }];
  }

  #flush(): readonly ClientMessage[] {
    const isIdle = !this.#hasText && this.#unanswered.length === 0 && this.#clears.length === 0;
    if (isIdle) return [{ type: "answer", messages: [this.#acknowledge("Flushed")] }];
    const number = this.#flushCount++;
    this.#unanswered.push(number);
    return [...this.#endContext(), { type: "mark", id: String(number) }];
  }

  #clear(): readonly ClientMessage[] {
    this.#clears.push(this.#flushCount);
    if (this.#hasText) this.#contextId += 1;
    this.#hasText = false;
    return [{ type: "interrupt" }];
  }

  #endContext(): readonly ClientMessage[] {
    if (!this.#hasText) return [];
    this.#hasText = false;
    return [{ type: "say", text: "", contextId: this.#contextId++, end: true }];
  }

  encode(event: ServerEvent): readonly Outbound[] {
    switch (event.type) {
      case "ready":
        return [this.#metadata()];
      case "audio":
        return this.#audio(event);
      case "mark":
        return this.#answered(Number(event.id));
      case "interrupted":
        return event.reason === "client" ? this.#cleared() : [];
      case "error":
        return [event.fatal ? failure(event.code, event.message) : warning(event.code, event.message)];
      default:
        return [];
    }
  }

  #metadata(): string {
    const { model, requestId, server } = this.#setup;
    const version = server.version;
    return JSON.stringify({
      type: "Metadata",
      request_id: requestId,
      model_name: model,
      model_version: version,
      model_uuid: modelUuid(model),
    });
  }

  #audio({ pcm }: AudioEvent): readonly Outbound[] {
    const messages: Outbound[] = [];
    const step = Math.floor(this.#setup.server.audioMessageBytes / this.#output.sampleBytes);
    for (let at = 0; at < pcm.length; at += step) messages.push(this.#output.encode(pcm.subarray(at, at + step)));
    return messages;
  }

  /** Empty if a `Clear` has already answered it. */
  #answered(number: number): readonly Outbound[] {
    const isOpen = this.#unanswered.includes(number);
    this.#unanswered = this.#unanswered.filter((other) => other !== number);
    return isOpen ? [this.#acknowledge("Flushed")] : [];
  }

  #cleared(): readonly Outbound[] {
    const before = this.#clears.shift() ?? 0;
    const overtaken = this.#unanswered.filter((number) => number < before);
    return [...overtaken.flatMap((number) => this.#answered(number)), this.#acknowledge("Cleared")];
  }

  #acknowledge(type: "Flushed" | "Cleared"): string {
    return JSON.stringify({ type, sequence_id: this.#sequenceId++ });
  }

  end(ending: Ending): Farewell {
    const { error, code, reason } = ending;
    const messages = error === undefined ? [] : [failure(error.code, `${error.message}. ${error.hint}`)];
    return { messages, code: deepgramCloseCode(ending), reason: code ?? reason };
  }
}

/** Clients read one or the other name of the sentence. */
function warning(code: string, description: string): string {
  return JSON.stringify({ type: "Warning", code, description, warn_code: code, warn_msg: description });
}

function failure(code: string, description: string): string {
  return JSON.stringify({ type: "Error", code, description, err_code: code, err_msg: description });
}

function warn(code: ErrorCode, description: string): ClientMessage {
  return { type: "answer", messages: [warning(code, description)] };
}
