/** A WebSocket as drivers use it: opened or refused with a reason, and every message with the instant it was read. */
import { WebSocket } from "ws";
import { SyrinxError } from "../../../base/errors.js";

/** From the request to the open socket. At it: LOAD_CALL_REFUSED. */
const OPEN_MS_MAX = 15_000;
/** From the close frame to the closed socket. At it: the socket is cut. */
const CLOSE_MS_MAX = 10_000;
/** What of a refusal's body is shown. */
const BODY_CHARS = 300;

export interface SocketListener {
  onText(text: string, atMs: number): void;
  onBinary(bytes: Buffer, atMs: number): void;
  onClose(code: number, atMs: number): void;
}

export interface SocketAddress {
  readonly url: URL;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class LoadSocket {
  readonly #ws: WebSocket;
  readonly #closed: Promise<void>;

  private constructor(ws: WebSocket, listener: SocketListener) {
    this.#ws = ws;
    this.#closed = new Promise((resolve) => {
      ws.on("close", (code) => {
        listener.onClose(code, performance.now());
        resolve();
      });
    });
    ws.on("message", (data: Buffer, isBinary) => {
      const atMs = performance.now();
      if (isBinary) listener.onBinary(data, atMs);
      else listener.onText(data.toString("utf8"), atMs);
    });
    // `close` follows, and says it.
    ws.on("error", () => {});
  }

  /** Messages may come before it resolves. Throws LOAD_CALL_REFUSED: the server answered with HTTP, or not at all. */
  static open({ url, protocols = [], headers = {} }: SocketAddress, listener: SocketListener): Promise<LoadSocket> {
    const target = new URL(url);
    target.protocol = target.protocol.replace(/^http/, "ws");
    return new Promise((resolve, reject) => {
      const ws = new WebSocket(target, [...protocols], {
        headers,
        handshakeTimeout: OPEN_MS_MAX,
        perMessageDeflate: false,
      });
      const refuse = (reason: string): void =>
        reject(new SyrinxError("LOAD_CALL_REFUSED", { address: `${target.host}${target.pathname}`, reason }));
      ws.once("error", (error) => refuse(error.message));
      ws.once("unexpected-response", (_request, response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => refuse(`HTTP ${response.statusCode}: ${body.slice(0, BODY_CHARS)}`));
      });
      // Its messages may come with the answer to the upgrade: whoever listens must do so now.
      const socket = new LoadSocket(ws, listener);
      ws.once("open", () => resolve(socket));
    });
  }

  sendText(text: string): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(text);
  }

  sendBinary(bytes: Uint8Array): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(bytes);
  }

  setReading(isReading: boolean): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (isReading) this.#ws.resume();
    else this.#ws.pause();
  }

  /** For protocols in which the server closes after being asked: waits for that, then cuts. */
  async closed(): Promise<void> {
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_MS_MAX);
    await this.#closed;
    clearTimeout(timer);
  }

  abort(): void {
    this.#ws.terminate();
  }
}

/** The address with a path, unless it has one of its own. */
export function withPath(url: string, path: string): URL {
  const target = new URL(url);
  if (target.pathname === "/") target.pathname = path;
  return target;
}

/** s16 little-endian bytes of a message; copied only if they do not begin at an even place in memory. */
export function samplesOf(bytes: Buffer): Int16Array {
  const whole = bytes.byteLength - (bytes.byteLength % 2);
  if (bytes.byteOffset % 2 === 0) return new Int16Array(bytes.buffer, bytes.byteOffset, whole / 2);
  return new Int16Array(Uint8Array.from(bytes.subarray(0, whole)).buffer);
}

export function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}
