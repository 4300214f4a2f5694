/** One connection of a Pipecat client: frames and RTVI messages in, its call's events as frames and RTVI messages out. */
import { SyrinxError } from "../../base/errors.js";
import { ASK_CHARS_MAX } from "../../runtime/call.js";
import type {
  CallRequest,
  ClientMessage,
  Ending,
  FaceCodec,
  Farewell,
  GraphFacts,
  Outbound,
  ServerEvent,
  ServerFacts,
} from "./face.js";
import { quote } from "./native-messages.js";
import { AudioIntake } from "./pipecat-audio.js";
import { decodeFrame, type InFrame } from "./pipecat-frames.js";
import { parseRtvi, problemOf, RTVI_DATA, RTVI_VERSION, type RtviData, type RtviType } from "./rtvi-messages.js";
import { rtvi } from "./rtvi-out.js";
import { askIdOf, RtviSpeaker } from "./rtvi-speaker.js";

/** Requests of a client that wait for their answer. At it: the next is refused. */
const AWAITING_MAX = 64;

export interface Agreed {
  readonly graph: GraphFacts;
  readonly inputRateHz: number;
  readonly outputRateHz: number;
  readonly vadEvents: boolean;
}

const NOTHING: readonly ClientMessage[] = [];

export class PipecatCodec implements FaceCodec {
  readonly call: CallRequest;
  readonly #agreed: Agreed;
  readonly #server: ServerFacts;
  readonly #intake: AudioIntake;
  readonly #speaker: RtviSpeaker;
  /** The call is open. */
  #isReady = false;
  /** `client-ready` messages that came before. */
  #greeted: { readonly id: string; readonly version: string }[] = [];
  #askCount = 0;
  /** By the id of a fence: the request that its return answers. */
  readonly #awaiting = new Map<string, { readonly id: string; readonly t: string }>();

  /** @param epochMs wall clock at which the stream began, for the time stamps of transcripts */
  constructor(agreed: Agreed, server: ServerFacts, epochMs: number = performance.timeOrigin + performance.now()) {
    const { graph, inputRateHz, outputRateHz } = agreed;
    this.#agreed = agreed;
    this.#server = server;
    this.#intake = new AudioIntake(inputRateHz);
    this.#speaker = new RtviSpeaker({ graph, vadEvents: agreed.vadEvents, epochMs });
    this.call = { graph: graph.name, options: { inputRateHz, outputRateHz, reportPlayback: true } };
  }

  decode(data: Uint8Array, isBinary: boolean): readonly ClientMessage[] {
    if (!isBinary) throw new SyrinxError("PROTOCOL_PROTOBUF", { byteCount: data.byteLength });
    const frame = decodeFrame(data);
    return frame === undefined ? NOTHING : this.#take(frame);
  }

  #take(frame: InFrame): readonly ClientMessage[] {
    switch (frame.kind) {
      case "audio":
        return frame.audio.byteLength === 0 ? NOTHING : [{ type: "audio", pcm: this.#intake.take(frame) }];
      case "interruption":
        return [{ type: "interrupt" }];
      case "message":
        return this.#rtvi(frame.data);
      case "text":
        return this.#agreed.graph.takesText ? [{ type: "say", text: frame.text }] : this.#ask(frame.text);
      case "transcription":
        return this.#ask(frame.text);
    }
  }

  #rtvi(data: string): readonly ClientMessage[] {
    const message = parseRtvi(data);
    if (message === undefined) return NOTHING;
    const { type, id } = message;
    if (!Object.hasOwn(RTVI_DATA, type)) return [refusal(id, `Unsupported type ${type}`)];
    const parsed = RTVI_DATA[type as RtviType].safeParse(message.data ?? {});
    if (!parsed.success) return [refusal(id, `Invalid message: ${problemOf(parsed.error)}`)];
    try {
      return this.#answer(type as RtviType, id, parsed.data);
    } catch (error) {
      if (!(error instanceof SyrinxError)) throw error;
      return [refusal(id, error.message)];
    }
  }

  #answer(type: RtviType, id: string, data: unknown): readonly ClientMessage[] {
    switch (type) {
      case "client-ready":
        return this.#greet(id, (data as RtviData<"client-ready">).version);
      case "disconnect-bot":
        return [{ type: "close" }];
      case "client-message":
        return this.#request(id, (data as RtviData<"client-message">).t);
      case "send-text":
        return this.#sendText(data as RtviData<"send-text">);
      case "dtmf": {
        const { buttons } = data as RtviData<"dtmf">;
        return [{ type: "interrupt" }, ...this.#ask(`DTMF: ${buttons.join("")}`)];
      }
      case "raw-audio": {
        const { base64Audio, ...format } = data as RtviData<"raw-audio">;
        return this.#rawAudio([base64Audio], format);
      }
      case "raw-audio-batch": {
        const { base64AudioBatch, ...format } = data as RtviData<"raw-audio-batch">;
        return this.#rawAudio(base64AudioBatch, format);
      }
    }
  }

  #rawAudio(
    pieces: readonly string[],
    format: { readonly sampleRate: number; readonly numChannels: number },
  ): readonly ClientMessage[] {
    const audio = Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
    return audio.byteLength === 0 ? NOTHING : [{ type: "audio", pcm: this.#intake.take({ audio, ...format }) }];
  }

  #greet(id: string, version = ""): readonly ClientMessage[] {
    const messages: ClientMessage[] = [];
    const isKnown = /^[12]\.\d{1,4}\.\d{1,4}$/.test(version);
    if (!isKnown) {
      const which = version === "" ? "unknown" : quote(version);
      messages.push(refusal(id, `RTVI version ${which} is not ${RTVI_VERSION}. Compatibility issues may occur.`));
    }
    const isLegacy = isKnown && version.startsWith("1.");
    this.#speaker.isLegacy = isLegacy;
    this.#greeted.push({ id, version: isLegacy ? version : RTVI_VERSION });
    if (this.#isReady) messages.push({ type: "answer", messages: this.#botReady() });
    return messages;
  }

  #botReady(): Outbound[] {
    const { name, version } = this.#server;
    const about = { library: name, library_version: version };
    const answers = this.#greeted.map((client) => rtvi("bot-ready", { version: client.version, about }, client.id));
    this.#greeted = [];
    return answers;
  }

  /** What a page's own script asks for. */
  #request(id: string, t: string): readonly ClientMessage[] {
    if (t === "interrupt") return [{ type: "interrupt" }, { type: "answer", messages: [response(id, t)] }];
    if (t !== "finalize") return [refusal(id, `Nobody here answers client messages of type ${quote(t)}`)];
    if (this.#awaiting.size >= AWAITING_MAX) return [refusal(id, `${AWAITING_MAX} requests wait already`)];
    const fence = `rtvi-${this.#askCount++}`;
    this.#awaiting.set(fence, { id, t });
    return [{ type: "finalize", id: fence }];
  }

  #sendText({ content, options }: RtviData<"send-text">): readonly ClientMessage[] {
    const { run_immediately: answer, audio_response: isHeard } = options;
    const asked = this.#ask(content, { answer, isHeard });
    if (!answer) return asked;
    const text = rtvi("user-llm-text", { text: content });
    return [{ type: "interrupt" }, { type: "answer", messages: [text] }, ...asked];
  }

  #ask(text: string, { answer = true, isHeard = true } = {}): readonly ClientMessage[] {
    const reason = this.#whyNotAsk(text);
    if (reason !== undefined) throw new SyrinxError("CALL_ASK_REFUSED", { reason });
    const id = askIdOf(this.#askCount++, isHeard);
    return [{ type: "ask", text, id, answer }];
  }

  #whyNotAsk(text: string): string | undefined {
    if (!this.#agreed.graph.takesQuestions) return `graph ${this.#agreed.graph.name} has no agent`;
    if (text.trim() === "") return "there is no text";
    return text.length > ASK_CHARS_MAX ? `it has more than ${ASK_CHARS_MAX} characters` : undefined;
  }

  encode(event: ServerEvent): readonly Outbound[] {
    if (event.type === "ready") {
      this.#isReady = true;
      return this.#botReady();
    }
    if (event.type !== "finalized") return this.#speaker.encode(event);
    const request = this.#awaiting.get(event.id);
    this.#awaiting.delete(event.id);
    return request === undefined ? [] : [response(request.id, request.t)];
  }

  end({ reason, code, error, closeCode }: Ending): Farewell {
    const messages =
      error === undefined ? [] : [rtvi("error", { error: `${error.message}. ${error.hint}`, fatal: true })];
    return { messages, code: closeCode, reason: code ?? reason };
  }
}

function refusal(id: string, error: string): ClientMessage {
  return { type: "answer", messages: [rtvi("error-response", { error }, id)] };
}

function response(id: string, t: string): Outbound {
  return rtvi("server-response", { t, d: null }, id);
}
