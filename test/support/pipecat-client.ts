/** A client that speaks Pipecat's wire over a real socket, keeps all it hears in order, and lets tests wait for it. */
import { WebSocket } from "ws";
import { Watched } from "./fake-runtime.js";
import { type Rtvi, rtviFrame, rtviOf, unwire } from "./pipecat-wire.js";

export type Heard = Rtvi | { readonly type: "audio"; readonly pcm: Int16Array; readonly rateHz: number };

export class PipecatTestClient extends Watched {
  readonly ws: WebSocket;
  readonly heard: Heard[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  isClosed = false;

  constructor(serverUrl: string, path = "/v1/pipecat") {
    super();
    this.ws = new WebSocket(`${serverUrl.replace(/^http/, "ws")}${path}`);
    this.ws.on("error", () => this.changed());
    this.ws.on("message", (data: Buffer) => {
      this.heard.push(heardOf(data));
      this.changed();
    });
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => {
        this.isClosed = true;
        resolve({ code, reason: reason.toString() });
        this.changed();
      });
    });
  }

  /** As `connect()` of Pipecat's clients: resolves on `bot-ready`. */
  async ready(version = "2.1.0"): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.ws.once("open", () => resolve());
      this.ws.once("close", () => reject(new Error("closed before it was open")));
    });
    this.rtvi("client-ready", { version, about: { library: "test" } });
    await this.next("bot-ready");
    return this;
  }

  get types(): string[] {
    return this.heard.map(({ type }) => type);
  }

  get pcm(): Int16Array[] {
    return this.heard.flatMap((message) => ("pcm" in message ? [message.pcm] : []));
  }

  get sampleCount(): number {
    return this.pcm.reduce((sum, { length }) => sum + length, 0);
  }

  all(type: string): Rtvi[] {
    return this.heard.filter((message): message is Rtvi => message.type === type);
  }

  /** The n-th message of this type, when it has come. */
  async next(type: string, index = 0): Promise<Rtvi> {
    await this.until(() => this.all(type).length > index || this.isClosed);
    const found = this.all(type)[index];
    if (found === undefined) throw new Error(`closed without ${type}; heard ${this.types.join(" ")}`);
    return found;
  }

  rtvi(type: string, data?: unknown, id?: string): void {
    this.ws.send(rtviFrame(type, data, id));
  }
}

function heardOf(data: Buffer): Heard {
  const message = rtviOf(data);
  if (message !== undefined) return message;
  const { audio } = unwire(data);
  if (audio === undefined) return { type: "InterruptionFrame" };
  return { type: "audio", pcm: new Int16Array(Uint8Array.from(audio.audio).buffer), rateHz: audio.sampleRate };
}
