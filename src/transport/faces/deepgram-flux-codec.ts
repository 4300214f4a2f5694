/** One `/v2/listen` connection: audio and a few messages in, turns out. `deepgram-flux-turns.ts` says when. */
import type { CallEvent, VadEvent } from "../../frames/events.js";
import { deepgramCloseCode, deepgramClosing } from "./deepgram.js";
import { controlIn } from "./deepgram-control.js";
import { type FluxRequest, reconfigured, type TurnTuning } from "./deepgram-flux-request.js";
import { FluxTurns, type TurnInfo } from "./deepgram-flux-turns.js";
import { nodesFor } from "./deepgram-query.js";
import { figure, seconds } from "./deepgram-words.js";
import type { CallRequest, ClientMessage, Ending, FaceCodec, Farewell, Outbound, ServerEvent } from "./face.js";
import { parseTyped, type TypedMessage } from "./json-message.js";
import { ListenAudio } from "./listen-audio.js";

export interface FluxSetup {
  readonly request: FluxRequest;
  readonly tuning: TurnTuning;
  readonly requestId: string;
}

const JOIN_MARK = "words-";

export class DeepgramFluxCodec implements FaceCodec {
  readonly call: CallRequest;
  readonly ready: Promise<void>;
  readonly #audio: ListenAudio;
  readonly #tuning: TurnTuning;
  readonly #requestId: string;
  readonly #turns = new FluxTurns();
  #request: FluxRequest;
  /** A `Configure` that was handed on and not answered: what will hold if it is taken. */
  #configuring: FluxRequest | undefined;
  #sequence = 0;
  #joinCount = 0;
  #forceCount = 0;
  /** `ForceEndTurn`s under way. */
  #forcing = 0;
  /** Where the last speech ended; undefined while somebody speaks. */
  #silentSinceMs: number | undefined;
  #isClosing = false;

  constructor({ request, tuning, requestId }: FluxSetup) {
    this.#request = request;
    this.#turns.tellsEager = request.thresholds.eager !== undefined;
    this.#tuning = tuning;
    this.#requestId = requestId;
    this.#audio = new ListenAudio(request.format, 1);
    this.ready = this.#audio.ready;
    this.call = { graph: request.graph.name, options: { nodes: this.#nodes(request) } };
  }

  decode(data: Uint8Array, isBinary: boolean): readonly ClientMessage[] {
    if (this.#isClosing) return [];
    const message = isBinary ? controlIn(data) : parseTyped(data);
    if (message !== undefined) return this.#control(message);
    return data.byteLength === 0 ? this.#close() : this.#audio.decode(data);
  }

  #control(message: TypedMessage): readonly ClientMessage[] {
    switch (message.type) {
      case "CloseStream":
        return this.#close();
      case "Configure":
        return [this.#configure(message)];
      case "ForceEndTurn":
        this.#forcing += 1;
        this.#forceCount += 1;
        return [{ type: "finalize", id: `force-${this.#forceCount}` }];
      case "KeepAlive":
        return [{ type: "keepalive" }];
      default:
        return [];
    }
  }

  #close(): readonly ClientMessage[] {
    this.#isClosing = true;
    return [...this.#audio.end(), { type: "close" }];
  }

  #configure(message: TypedMessage): ClientMessage {
    try {
      this.#configuring = reconfigured(this.#request, message);
      return { type: "configure", options: { nodes: this.#nodes(this.#configuring) } };
    } catch (error) {
      return { type: "answer", messages: [this.#configureFailure(String((error as Error).message))] };
    }
  }

  #nodes(request: FluxRequest): NonNullable<CallRequest["options"]["nodes"]> {
    const { graph, thresholds, keyterms } = request;
    return { ...nodesFor(graph, { stt: { keyterms } }), ...this.#tuning.nodes(thresholds) };
  }

  /** Asks when the words before a verdict about a turn have come: the verdict itself comes ahead of them. */
  react(event: CallEvent): readonly ClientMessage[] {
    if (event.type !== "turn" || !FluxTurns.needsWords(event)) return [];
    const id = `${JOIN_MARK}${this.#joinCount}`;
    this.#joinCount += 1;
    return this.#isClosing ? [] : [{ type: "mark", id }];
  }

  encode(event: ServerEvent): readonly Outbound[] {
    switch (event.type) {
      case "ready":
        return [this.#message("Connected", {})];
      case "vad":
        this.#heardVoice(event);
        return [];
      case "transcript":
        return this.#tell(this.#turns.transcript(event));
      case "turn":
        return this.#tell(this.#turns.turn(event));
      case "mark":
        return this.#tell(this.#turns.transcribed(Number(event.id.slice(JOIN_MARK.length))));
      case "finalized":
        this.#forcing -= event.id.startsWith("force-") ? 1 : 0;
        return [];
      case "configured":
        return [this.#configured()];
      case "error":
        return this.#error(event);
      default:
        return [];
    }
  }

  #heardVoice({ what, atMs }: VadEvent): void {
    this.#silentSinceMs = what === "stop" ? atMs : undefined;
  }

  #configured(): string {
    this.#request = this.#configuring ?? this.#request;
    this.#configuring = undefined;
    this.#turns.tellsEager = this.#request.thresholds.eager !== undefined;
    const { keyterms, languageHints, thresholds } = this.#request;
    const { eot, eager, timeoutMs } = this.#tuning.effective(thresholds);
    return this.#message("ConfigureSuccess", {
      thresholds: {
        eot_threshold: eot,
        ...(eager === undefined ? {} : { eager_eot_threshold: eager }),
        eot_timeout_ms: timeoutMs,
      },
      keyterms,
      language_hints: languageHints,
    });
  }

  #configureFailure(description: string): string {
    const code = "INVALID_CONFIGURE";
    return this.#message("ConfigureFailure", { code, error_code: code, description });
  }

  /** An `Error` ends the connection for whoever reads it, so only a fatal one is told as such. */
  #error({ code, message, hint, fatal }: Extract<ServerEvent, { type: "error" }>): readonly Outbound[] {
    if (this.#configuring !== undefined && !fatal) {
      this.#configuring = undefined;
      return [this.#configureFailure(`${message}. ${hint}`)];
    }
    return fatal ? [this.#failure(code, message)] : [];
  }

  end(ending: Ending): Farewell {
    const { reason, code, error } = ending;
    if (reason === "client") return { messages: this.#tell(this.#turns.end()), code: 1000, reason: "" };
    const messages = error === undefined ? [] : [this.#failure(error.code, error.message)];
    const known = deepgramClosing(ending);
    return { messages, code: known?.code ?? deepgramCloseCode(ending), reason: known?.reason ?? code ?? reason };
  }

  dispose(): void {
    this.#audio.free();
  }

  #failure(code: string, description: string): string {
    return this.#message("Error", { code, error_code: code, description, error: description });
  }

  #tell(infos: readonly TurnInfo[]): string[] {
    return infos.map((info) => {
      const { event, turnIndex, windowStartMs, windowEndMs, heard } = info;
      return this.#message("TurnInfo", {
        event,
        turn_index: turnIndex,
        audio_window_start: seconds(windowStartMs),
        audio_window_end: seconds(windowEndMs),
        transcript: heard.transcript,
        words: heard.words.map(({ punctuated_word, confidence, start, end }) => ({
          word: punctuated_word,
          confidence,
          start,
          end,
        })),
        end_of_turn_confidence: figure(this.#confidence(info)),
        ...(event === "EndOfTurn" ? { trigger: this.#trigger(info) } : {}),
      });
    });
  }

  #confidence({ event, cause, windowEndMs }: TurnInfo): number {
    const { eot, eager, timeoutMs } = this.#tuning.effective(this.#request.thresholds);
    const isVerdict = event === "EndOfTurn" || event === "EagerEndOfTurn";
    if (isVerdict && (this.#tuning.kind === "model" || cause?.trigger === "manual")) return cause?.confidence ?? 1;
    if (event === "EagerEndOfTurn") return eager ?? 0;
    if (event === "EndOfTurn") return Math.min(eot, this.#tuning.confidenceOf(timeoutMs));
    if (this.#silentSinceMs === undefined || event === "TurnResumed") return 0;
    return Math.min(eager ?? eot, this.#tuning.confidenceOf(windowEndMs - this.#silentSinceMs));
  }

  #trigger({ cause }: TurnInfo): "model" | "manual" | "timeout" {
    // The client's own doing, by a message or by the end of its stream; otherwise it only stopped sending.
    if (cause === undefined || cause.trigger === "manual") {
      return this.#forcing > 0 || this.#isClosing ? "manual" : "timeout";
    }
    if (this.#tuning.kind === "model") return cause.trigger;
    return this.#tuning.endsByConfidence(this.#request.thresholds) ? "model" : "timeout";
  }

  #message(type: string, more: object): string {
    const sequence = this.#sequence;
    this.#sequence += 1;
    return JSON.stringify({ type, request_id: this.#requestId, sequence_id: sequence, ...more });
  }
}
