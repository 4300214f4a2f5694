import type { AudioEvent, CallEvent, ErrorEvent } from "../frames/events.js";
import { SyrinxClientError } from "./errors.js";
import { EventQueue } from "./event-queue.js";
import type {
  AudioStartMessage,
  ConfiguredMessage,
  ConfigureOptions,
  ControlMessage,
  ErrorMessage,
  PongMessage,
  ReadyMessage,
  ServerMessage,
} from "./messages.js";
import { findWebSocket, OPEN, type WebSocketConstructor, type WebSocketLike } from "./web-socket.js";

/** Events that may wait to be read. At it: the oldest audio events are dropped; see `droppedEvents`. */
export const EVENTS_QUEUED = 4_096;
/** Audio that may wait to be sent (a minute at 16 kHz). At it: `send` returns false and sends nothing. */
export const SEND_BYTES = 2 * 1024 * 1024;
const OPEN_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 10_000;
/** From a socket's error to its close, which knows the code. */
const ERROR_TO_CLOSE_MS = 100;
const MESSAGE_MS = 100;
const PATH = "/v1/call";
const SUBPROTOCOL = "syrinx.v1";
/** Characters that a subprotocol may have (RFC 9110, token). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

export interface ConnectOptions extends ConfigureOptions {
  /** May be left out if the server has one graph, or the path has its own. */
  readonly graph?: string;
  /** Hz of the PCM that will be sent: 8000 to 48000. Default 16000. */
  readonly rate?: number;
  /** Hz of the PCM to receive. Default: as the voice makes it; see `rateHz` of each audio event. */
  readonly outRate?: number;
  readonly apiKey?: string;
  /** Default: the global one, or the package `ws` on Node 20. */
  readonly WebSocket?: WebSocketConstructor;
  /** From now to `ready`. Default 15 000. At it: CLIENT_TIMEOUT. */
  readonly timeoutMs?: number;
}

/** What the server says. `audio` events are put together from its binary messages. */
export type ClientEvent = Exclude<CallEvent, ErrorEvent> | ErrorMessage | PongMessage | ConfiguredMessage;

/**
 * Opens a call. Resolves when the server is ready for audio.
 *
 * @param url `ws://`, `wss://`, `http://` or `https://`; without a path, the server's default path is taken.
 * Throws SyrinxClientError: with the server's code if it refused, else CLIENT_CONNECT or CLIENT_TIMEOUT.
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<SyrinxClient> {
  const Constructor = options.WebSocket ?? (await findWebSocket());
  const { target, protocols } = addressOf(url, options);
  const socket = new Constructor(target, protocols);
  const { host, pathname } = new URL(target);
  return SyrinxClient.open(socket, `${host}${pathname}`, options);
}

/** One open call. Events are read with `for await (const event of client)`, by one loop. */
export class SyrinxClient implements AsyncIterable<ClientEvent> {
  readonly #socket: WebSocketLike;
  readonly #events = new EventQueue<ClientEvent>(EVENTS_QUEUED, (event) => event.type === "audio");
  readonly #closed: Promise<void>;
  #ready: ReadyMessage | undefined;
  #context: Pick<AudioEvent, "contextId" | "rateHz"> = { contextId: 0, rateHz: 0 };
  #offsetSamples = 0;
  #nextId = 1;
  #closeCode: number | undefined;
  #lastError: ErrorMessage | undefined;

  private constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    this.#closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => {
        this.#closeCode = code;
        this.#events.end();
        resolve();
      });
    });
  }

  /** Use `connect`. */
  static open(socket: WebSocketLike, address: string, options: ConnectOptions): Promise<SyrinxClient> {
    const client = new SyrinxClient(socket);
    const { nodes, events, partials } = options;
    const setup: ConfigureOptions = {
      ...(nodes === undefined ? {} : { nodes }),
      ...(events === undefined ? {} : { events }),
      ...(partials === undefined ? {} : { partials }),
    };
    return new Promise((resolve, reject) => {
      let trouble = `${address} closed the connection before the call was open`;
      const timeoutMs = options.timeoutMs ?? OPEN_TIMEOUT_MS;
      const timer = setTimeout(() => {
        const hint = "See the server's log, or raise timeoutMs.";
        const message = `${address} did not open the call within ${timeoutMs} ms`;
        reject(new SyrinxClientError("CLIENT_TIMEOUT", message, { hint, retryable: true }));
        socket.close(1000);
      }, timeoutMs);
      const fail = (): void => {
        clearTimeout(timer);
        reject(client.#failure(trouble));
      };
      socket.addEventListener("open", () => {
        if (isSetup(options)) client.#control({ type: "configure", ...setup });
      });
      socket.addEventListener("error", ({ message }) => {
        trouble = `no connection to ${address}: ${message || "a refused key or origin looks the same from here"}`;
        // The WebSocket of Node 22 says no more than this when it could not connect: `close` never comes.
        setTimeout(fail, ERROR_TO_CLOSE_MS);
      });
      socket.addEventListener("message", ({ data }) => {
        client.#onMessage(data);
        if (client.#ready === undefined) return;
        clearTimeout(timer);
        resolve(client);
      });
      void client.#closed.then(fail);
    });
  }

  /** What the server agreed to. */
  get ready(): ReadyMessage {
    if (this.#ready === undefined) throw new SyrinxClientError("CLIENT_STATE", "the call is not open yet");
    return this.#ready;
  }

  get callId(): string {
    return this.ready.callId;
  }

  get isClosed(): boolean {
    return this.#closeCode !== undefined;
  }

  /** The WebSocket's close code, once it is closed. */
  get closeCode(): number | undefined {
    return this.#closeCode;
  }

  /** Events that were dropped because nobody read them. */
  get droppedEvents(): number {
    return this.#events.droppedCount;
  }

  /** Bytes handed to the WebSocket and not yet sent. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /**
   * Sends s16 mono PCM at the call's input rate. Copied before return. Pace it: what comes faster than twice real time
   * is slowed down, and a flood ends the call.
   * @returns false if it was not sent: the call is closed, or more than 2 MiB already wait.
   */
  send(pcm: Int16Array): boolean {
    if (this.#socket.readyState !== OPEN || this.#socket.bufferedAmount > SEND_BYTES) return false;
    const step = Math.floor((this.ready.input.rateHz * MESSAGE_MS) / 1000);
    for (let at = 0; at < pcm.length; at += step) {
      const piece = pcm.subarray(at, at + step);
      this.#socket.send(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    }
    return true;
  }

  /** Ends the speech so far. @returns the id that the `finalized` event will bear. */
  finalize(id: string = this.#newId()): string {
    this.#control({ type: "finalize", id });
    return id;
  }

  /** @returns the id that the `mark` event will bear, when everything before it was delivered. */
  mark(id: string = this.#newId()): string {
    this.#control({ type: "mark", id });
    return id;
  }

  /** Cuts the reply off. `interrupted` follows. */
  interrupt(): void {
    this.#control({ type: "interrupt" });
  }

  /** Says how much of a context's audio the listener has really heard. A few times a second is enough. */
  playback(contextId: number, playedMs: number): void {
    this.#control({ type: "playback", contextId, playedMs });
  }

  /** Text to speak, for a graph that takes text. */
  say(text: string, options: { readonly contextId?: number; readonly end?: boolean } = {}): void {
    this.#control({ type: "say", text, ...options });
  }

  /** A question to the agent in writing. It interrupts nothing. @returns the id that the reply will bear as `askId`. */
  ask(text: string, { id = this.#newId(), answer }: { readonly id?: string; readonly answer?: boolean } = {}): string {
    this.#control({ type: "ask", text, id, ...(answer === undefined ? {} : { answer }) });
    return id;
  }

  /** Which events to send, and options of nodes that may change while the call is open (vad, turn, stt). */
  configure(options: ConfigureOptions): void {
    this.#control({ type: "configure", ...options });
  }

  /** Keeps a silent call open. `pong` follows. */
  keepalive(): void {
    this.#control({ type: "keepalive" });
  }

  /** Asks the server to finish what it was sent. Resolves when the socket is closed, or cut after 10 s. */
  async close(): Promise<void> {
    this.#control({ type: "close" });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#socket.close(1000);
        this.#events.end();
        resolve();
      }, CLOSE_TIMEOUT_MS);
      void this.#closed.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<ClientEvent, undefined> {
    return { next: () => this.#events.next() };
  }

  #newId(): string {
    const id = `c${this.#nextId}`;
    this.#nextId += 1;
    return id;
  }

  /** A closed call takes no more messages; its events say how it ended. */
  #control(message: ControlMessage): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  #onMessage(data: unknown): void {
    if (typeof data === "string") this.#onJson(JSON.parse(data) as ServerMessage);
    else if (data instanceof ArrayBuffer) this.#onAudio(new Int16Array(data));
  }

  #onJson(message: ServerMessage): void {
    if (message.type === "ready") this.#ready = message;
    else if (message.type === "audio.start") this.#onAudioStart(message);
    else {
      if (message.type === "error") this.#lastError = message;
      this.#events.push(message);
    }
  }

  #onAudioStart({ contextId, rateHz, offsetSamples }: AudioStartMessage): void {
    this.#context = { contextId, rateHz };
    this.#offsetSamples = offsetSamples;
  }

  #onAudio(pcm: Int16Array): void {
    this.#events.push({ type: "audio", ...this.#context, offsetSamples: this.#offsetSamples, pcm });
    this.#offsetSamples += pcm.length;
  }

  #failure(trouble: string): SyrinxClientError {
    const closed = this.#closeCode === undefined ? {} : { closeCode: this.#closeCode };
    const error = this.#lastError;
    if (error === undefined) {
      const hint = "Check the address and the API key, and that the server runs.";
      return new SyrinxClientError("CLIENT_CONNECT", trouble, { hint, retryable: true, ...closed });
    }
    const { code, message, hint, retryable } = error;
    return new SyrinxClientError(code, message, { hint, retryable, ...closed });
  }
}

/** Whether the call opens with a message instead of with the query alone. */
function isSetup(options: ConnectOptions): boolean {
  return options.nodes !== undefined || options.events !== undefined || options.partials !== undefined;
}

function addressOf(url: string | URL, options: ConnectOptions): { target: string; protocols: string[] } {
  const target = new URL(url);
  target.protocol = target.protocol.replace(/^http/, "ws");
  if (target.pathname === "/") target.pathname = PATH;
  const { graph, rate, outRate, apiKey } = options;
  if (graph !== undefined) target.searchParams.set("graph", graph);
  if (rate !== undefined) target.searchParams.set("rate", String(rate));
  if (outRate !== undefined) target.searchParams.set("outRate", String(outRate));
  if (isSetup(options)) target.searchParams.set("setup", "message");
  const protocols = [SUBPROTOCOL];
  // Not the query, if it can be helped: addresses end up in logs.
  if (apiKey !== undefined && TOKEN.test(apiKey)) protocols.push(`syrinx.key.${apiKey}`);
  else if (apiKey !== undefined) target.searchParams.set("api_key", apiKey);
  return { target: target.href, protocols };
}
