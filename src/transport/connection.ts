import { isSyrinxError, SyrinxError, toSyrinxError } from "../base/errors.js";
import { GRAPH_RATE_HZ } from "../base/units.js";
import type { CallEvent } from "../frames/events.js";
import type { Logger } from "../telemetry/logger.js";
import { CallGroup } from "./call-group.js";
import type { CallMessage } from "./call-messages.js";
import type { ConnectionSetup } from "./connection-setup.js";
import { DRAIN_ENDING, endingOfCall, endingOfError, faultOf } from "./endings.js";
import type { CallRequest, ClientMessage, Ending } from "./faces/face.js";
import { InputGate } from "./input-gate.js";
import { Liveness } from "./liveness.js";
import { OutPace } from "./out-pace.js";
import { Outlet } from "./outlet.js";

/**
 * `waiting`: for the message that opens the call. `closing`: the client asked for the end, and the call is still
 * answering. `ended`: the close frame is sent or the socket is gone; nothing more is read or written.
 */
type State = "waiting" | "opening" | "open" | "closing" | "ended";

/** One WebSocket and its call, or its calls: one for each channel of its audio. Runs on the main thread; never blocks, never throws into the event loop. */
export class Connection {
  readonly #setup: ConnectionSetup;
  readonly #outlet: Outlet;
  readonly #gate: InputGate;
  readonly #liveness: Liveness;
  readonly #bornMs: number;
  #state: State = "waiting";
  readonly #calls = new CallGroup();
  /** Its lines carry the call's id once there is one. */
  #logger: Logger;
  #request: CallRequest | undefined;
  /** What came while the call was opening. */
  #early: CallMessage[] = [];
  #offences = 0;
  /** Code of the fatal error that the client has heard of. */
  #toldCode: string | undefined;
  #closingSinceMs = 0;
  #endedByServer = false;

  constructor(setup: ConnectionSetup) {
    const { socket, codec, admission, limits, metrics, audioLeadMs } = setup;
    this.#setup = setup;
    this.#logger = setup.logger.child({ face: setup.face });
    this.#bornMs = this.#nowMs();
    const pacing =
      audioLeadMs === undefined
        ? undefined
        : { pace: new OutPace(audioLeadMs, limits.pacedBytes), nowMs: () => this.#nowMs() };
    this.#outlet = new Outlet(socket, codec, limits, metrics, pacing);
    this.#gate = new InputGate(socket, admission, limits, metrics, this.#bornMs);
    this.#liveness = new Liveness(limits, setup.idleTimeoutMs, this.#bornMs);
  }

  /** Bytes that wait for this client. */
  get waitingBytes(): number {
    return this.#outlet.waitingBytes;
  }

  /** Listens, and opens the call if the handshake said which. With `refusal`, only tells it and closes. */
  start(refusal?: SyrinxError): void {
    const { socket, codec, face, admission, metrics } = this.#setup;
    metrics.connectionOpened(face);
    socket.onFault = (closeCode) => this.#onFault(closeCode);
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
    socket.on("pong", () => this.#liveness.sign(this.#nowMs()));
    socket.on("ping", () => {
      this.#liveness.sign(this.#nowMs());
      this.#charge("control", this.#setup.limits.paceControlMessageMs);
    });
    socket.on("error", (error) => this.#logger.debug({ err: error }, "socket error"));
    socket.on("close", (code) => this.#onGone(code));
    if (refusal !== undefined) {
      this.#reject(refusal);
    } else if (codec.call !== undefined && !admission.isStranger) {
      void this.#open(codec.call);
    }
  }

  /** The server stops: says so and closes with 1012. */
  drain(): void {
    if (this.#state === "ended") return;
    this.#end(DRAIN_ENDING);
    this.#calls.abort("RUNTIME_CLOSED");
  }

  /** Cuts the connection without a word. */
  terminate(): void {
    this.#setup.socket.terminate();
  }

  /** All timeouts. Called every `tickMs`. */
  tick(): void {
    if (this.#state === "ended") return;
    const { limits, socket, idleTimeoutMs } = this.#setup;
    const nowMs = this.#nowMs();
    this.#gate.tick(nowMs);
    if (this.#state === "closing" && nowMs - this.#closingSinceMs >= limits.callCloseMs) {
      this.#closingSinceMs = nowMs;
      this.#calls.abort();
    }
    if (this.#outlet.isStuck(nowMs)) {
      this.#failSlow();
    } else if (this.#state === "waiting" && nowMs - this.#bornMs >= limits.firstMessageMs) {
      this.#fail(new SyrinxError("PROTOCOL_FIRST_MESSAGE", { timeoutMs: limits.firstMessageMs }));
    } else {
      const verdict = this.#liveness.check(nowMs, !socket.isPaused);
      if (verdict === "ping") socket.ping();
      else if (verdict === "dead") this.terminate();
      else if (verdict === "idle") this.#fail(new SyrinxError("CALL_IDLE", { idleMs: idleTimeoutMs }));
    }
  }

  async #open(request: CallRequest): Promise<void> {
    const { admission, codec } = this.#setup;
    this.#request = request;
    this.#state = "opening";
    this.#gate.shut();
    try {
      if (codec.ready !== undefined) await codec.ready;
      if (this.#isEnded()) return;
      admission.open(request);
      const onEvent = (event: CallEvent, channel: number): void => this.#onEvent(event, channel);
      await this.#calls.open(this.#setup.runtime, request, onEvent, () => !this.#isEnded());
    } catch (error) {
      if (!isSyrinxError(error)) this.#logger.error({ err: error, graph: request.graph }, "call could not be opened");
      return this.#reject(toSyrinxError(error));
    }
    // The client may have gone, or the server may be stopping, meanwhile.
    if (this.#isEnded()) return this.#calls.abort("CALL_CLIENT_GONE");
    const { callId, graph, inputRateHz } = this.#calls.first;
    this.#logger = this.#logger.child({ callId, graph, keyName: admission.keyName });
    this.#state = "open";
    this.#logger.info({ inputRateHz, channels: this.#calls.size }, "call opened");
    this.#outlet.open({ type: "ready", callId, graph });
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#apply(message);
    this.#gate.open();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#state === "ended") return;
    const { codec, metrics, limits } = this.#setup;
    metrics.message("in", isBinary ? "audio" : "control", data.byteLength);
    this.#liveness.message(this.#nowMs());
    let costMs: number = isBinary ? limits.paceAudioMessageMs : limits.paceControlMessageMs;
    let audioMs = 0;
    try {
      for (const message of codec.decode(data, isBinary)) {
        const ms = message.type === "audio" ? (message.pcm.length * 1000) / this.#inputRateHz() : 0;
        // Channels are sent side by side, and heard by a call each.
        costMs = Math.max(costMs, ms);
        audioMs += ms;
        this.#handle(message);
      }
    } catch (error) {
      if (isSyrinxError(error)) this.#offence(error);
      else this.#defect(error);
    }
    this.#charge(isBinary ? "audio" : "control", costMs, audioMs);
  }

  #handle(message: ClientMessage): void {
    if (this.#state === "ended") return;
    if (message.type === "credential") {
      this.#introduce(message.value);
    } else if (this.#setup.admission.isStranger) {
      this.#fail(new SyrinxError("AUTH_MISSING"));
    } else if (message.type === "keepalive") {
      this.#outlet.now({ type: "pong" });
    } else if (message.type === "answer") {
      this.#outlet.say(message.messages);
    } else if (message.type === "fail") {
      this.#setup.metrics.protocolError(message.error.code);
      this.#fail(message.error);
    } else if (message.type === "open") {
      if (this.#state === "waiting") void this.#open(message.request);
      else this.#unfit(message, "the call is open already");
    } else if (this.#state === "waiting") {
      this.#unfit(message, "the call is not open yet");
    } else if (this.#state === "opening") {
      this.#keep(message);
    } else {
      this.#apply(message);
    }
  }

  #introduce(credential: string): void {
    const { admission, codec } = this.#setup;
    if (!admission.isStranger) return;
    const refusal = admission.introduce(credential);
    if (refusal !== undefined) this.#reject(refusal);
    else if (codec.call !== undefined) void this.#open(codec.call);
  }

  /** Holds a message until the call is open. The socket is not read: only what the library had already read comes. */
  #keep(message: CallMessage): void {
    if (this.#early.length >= this.#setup.limits.earlyMessages) this.#fail(new SyrinxError("PROTOCOL_FLOOD"));
    else this.#early.push(message.type === "audio" ? { ...message, pcm: message.pcm.slice() } : message);
  }

  #apply(message: CallMessage): void {
    if (this.#state === "ended") return;
    // What is still being said can be cut off; there is nothing else to add to a call that ends.
    if (this.#state === "closing" && message.type !== "interrupt" && message.type !== "playback") return;
    try {
      if (message.type === "close") this.#closeGracefully();
      else this.#calls.apply(message);
      if (message.type === "configure") this.#outlet.now({ type: "configured" });
    } catch (error) {
      if (!isSyrinxError(error)) this.#defect(error);
      // The call ended a moment ago; its `close` event is on the way.
      else if (error.code !== "CALL_CLOSED") this.#offence(error);
    }
  }

  #closeGracefully(): void {
    this.#state = "closing";
    this.#closingSinceMs = this.#nowMs();
    this.#calls.close((error) => this.#defect(error));
  }

  #onEvent(event: CallEvent, channel: number): void {
    if (this.#state === "ended") return;
    if (event.type === "close") {
      if (!this.#calls.hasEnded(event)) return;
      const ending = endingOfCall(event, this.#toldCode);
      // Everything that the calls said goes out first.
      this.#outlet.whenEmpty(() => {
        this.#end(ending);
        this.#calls.abort(event.code);
      });
      return;
    }
    if (this.#state === "closing") this.#closingSinceMs = this.#nowMs();
    if (event.type === "interrupted") this.#outlet.discardReply(channel);
    if (event.type === "error" && event.fatal) this.#toldCode = event.code;
    if (!this.#outlet.push(event, channel)) this.#failSlow();
    else for (const message of this.#setup.codec.react?.(event, channel) ?? []) this.#handle(message);
  }

  /** A message that makes no sense now. */
  #unfit(message: ClientMessage, problem: string): void {
    this.#offence(new SyrinxError("PROTOCOL_MESSAGE_INVALID", { type: message.type, problem }));
  }

  /** Something the client did wrong: told, and forgiven a number of times. */
  #offence(error: SyrinxError): void {
    this.#setup.metrics.protocolError(error.code);
    this.#offences += 1;
    const { code, message, hint } = error;
    this.#outlet.now({ type: "error", code, message, hint, fatal: false });
    const limit = this.#setup.limits.protocolErrors;
    if (this.#offences >= limit) this.#fail(new SyrinxError("PROTOCOL_ERRORS", { limit }));
  }

  /** Something we did wrong: ends this call, and no other. */
  #defect(error: unknown): void {
    this.#logger.error({ err: error }, "connection failed");
    this.#fail(toSyrinxError(error));
  }

  /** The WebSocket library is about to close with this code. */
  #onFault(closeCode: number): void {
    if (this.#state === "ended") return;
    const error = faultOf(closeCode, this.#setup.limits);
    this.#setup.metrics.protocolError(error.code);
    this.#endedByServer = true;
    this.#state = "ended";
    this.#outlet.finish(this.#setup.codec.end(endingOfError(error)));
    this.#calls.abort(error.code);
  }

  #failSlow(): void {
    this.#setup.metrics.slowClient("close");
    this.#fail(new SyrinxError("SLOW_CLIENT", { byteCount: this.#outlet.waitingBytes }));
  }

  /** It may not come in. */
  #reject(error: SyrinxError): void {
    this.#setup.metrics.admissionRejected(error.code);
    this.#fail(error);
  }

  #fail(error: SyrinxError): void {
    if (this.#state === "ended") return;
    this.#logger.info({ code: error.code }, "connection ended by an error");
    this.#end(endingOfError(error));
    this.#calls.abort(error.code);
  }

  #end(ending: Ending): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#endedByServer = true;
    const farewell = this.#setup.codec.end(ending);
    this.#outlet.finish(farewell);
    const { socket } = this.#setup;
    // A paused socket would not read the client's close frame.
    socket.resume();
    socket.end(farewell.code, farewell.reason);
  }

  #onGone(code: number): void {
    const { face, admission, metrics, onGone } = this.#setup;
    this.#setup.codec.dispose?.();
    const callOpen = this.#state !== "ended";
    this.#state = "ended";
    this.#outlet.drop();
    if (callOpen) this.#calls.abort("CALL_CLIENT_GONE");
    admission.leave();
    metrics.connectionClosed(face, code, this.#endedByServer ? "server" : "client");
    const durationMs = Math.round(this.#nowMs() - this.#bornMs);
    this.#logger.info({ closeCode: code, durationMs }, "connection closed");
    onGone();
  }

  /** Counts a message against the client's pace. */
  #charge(kind: "audio" | "control", costMs: number, audioMs = 0): void {
    if (this.#state === "ended" || this.#gate.admit(costMs, audioMs, this.#nowMs())) return;
    const { paceFactor, paceBurstMs } = this.#setup.limits;
    const detail = { factor: paceFactor, burstMs: paceBurstMs };
    this.#fail(kind === "audio" ? new SyrinxError("CALL_AUDIO_TOO_FAST", detail) : new SyrinxError("PROTOCOL_FLOOD"));
  }

  /** For after an `await` or a callback, where the compiler thinks it knows the state. */
  #isEnded(): boolean {
    return this.#state === "ended";
  }

  #inputRateHz(): number {
    return this.#request?.options.inputRateHz ?? GRAPH_RATE_HZ;
  }

  #nowMs(): number {
    return this.#setup.clock.nowUs() / 1000;
  }
}
