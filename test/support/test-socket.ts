/** A WebSocket client for tests that keeps all it hears, in order, and lets tests wait for it. */
import type { IncomingHttpHeaders } from "node:http";
import { type ClientOptions, WebSocket } from "ws";
import type { ServerMessage } from "../../src/client/messages.js";
import { type RunningServer, type ServerOptions, startServer } from "../../src/transport/server.js";
import { type FakeOptions, FakeRuntime, Watched } from "./fake-runtime.js";

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface Refused {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

export class TestSocket extends Watched {
  readonly ws: WebSocket;
  readonly heard: (ServerMessage | Buffer)[] = [];
  readonly closed: Promise<Closed>;
  /** HTTP status, if the upgrade was refused, and its body. */
  refused: Refused | undefined;
  isClosed = false;

  constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
    super();
    this.ws = new WebSocket(url.replace(/^http/, "ws"), protocols, options);
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => {
        this.isClosed = true;
        resolve({ code, reason: reason.toString() });
        this.changed();
      });
    });
    this.ws.on("error", () => this.changed());
    this.ws.on("open", () => this.changed());
    this.ws.on("message", (data: Buffer, isBinary: boolean) => {
      this.heard.push(isBinary ? data : (JSON.parse(data.toString()) as ServerMessage));
      this.changed();
    });
    this.ws.on("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => {
        this.refused = { status: response.statusCode ?? 0, body, headers: response.headers };
        this.changed();
      });
    });
  }

  json<T extends ServerMessage["type"]>(type: T): Extract<ServerMessage, { type: T }>[] {
    return this.heard.filter(
      (message): message is Extract<ServerMessage, { type: T }> => !Buffer.isBuffer(message) && message.type === type,
    );
  }

  get binaryBytes(): number {
    return this.heard.reduce((sum, message) => sum + (Buffer.isBuffer(message) ? message.byteLength : 0), 0);
  }

  /** The first message of this type, when it has come. Fails if the socket closes without. */
  async next<T extends ServerMessage["type"]>(type: T): Promise<Extract<ServerMessage, { type: T }>> {
    await this.until(() => this.json(type).length > 0 || this.isClosed);
    const found = this.json(type)[0];
    if (found === undefined) throw new Error(`closed without ${type}; heard ${JSON.stringify(this.heard)}`);
    return found;
  }

  async opened(): Promise<this> {
    await this.until(() => this.ws.readyState === WebSocket.OPEN || this.isClosed);
    return this;
  }

  async refusal(): Promise<Refused> {
    await this.until(() => this.refused !== undefined);
    return this.refused!;
  }

  send(message: object): void {
    this.ws.send(JSON.stringify(message));
  }
}

export interface Stage {
  readonly runtime: FakeRuntime;
  readonly server: RunningServer;
  /** A socket to `/v1/call` with this query. */
  dial(query?: string, protocols?: string[], options?: ClientOptions): TestSocket;
}

/** Runs a server over a fake runtime for the time of `act`, and closes everything. */
export async function withServer(
  options: FakeOptions & { readonly transport?: ServerOptions },
  act: (stage: Stage) => Promise<void>,
): Promise<void> {
  const runtime = new FakeRuntime(options);
  const server = await startServer(runtime, options.transport);
  const sockets: TestSocket[] = [];
  const dial: Stage["dial"] = (query = "graph=echo", protocols, more) => {
    const socket = new TestSocket(`${server.url}/v1/call?${query}`, protocols, more);
    sockets.push(socket);
    return socket;
  };
  try {
    await act({ runtime, server, dial });
  } finally {
    for (const socket of sockets) socket.ws.terminate();
    await server.close();
  }
}

export function ramp(sampleCount: number, start = 0): Int16Array {
  return Int16Array.from({ length: sampleCount }, (_, index) => ((start + index) % 60_000) - 30_000);
}
