/** A server over a fake runtime with the REST faces, and HTTP as badly spoken as a test wants. */
import { readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noMetrics } from "../../src/transport/metrics.js";
import type { ServerOptions } from "../../src/transport/server.js";
import type { FakeCall, FakeOptions } from "./fake-runtime.js";
import { type Stage, withServer } from "./test-socket.js";

const ROUTES: FakeOptions["routes"] = [
  { path: "/v1/speak", face: "deepgram-speak", graph: "speak", options: {} },
  { path: "/v1/models", face: "openai-models", graph: "speak", options: {} },
  { path: "/v1/audio/speech", face: "openai-speech", graph: "speak", options: {} },
  { path: "/v1/audio/transcriptions", face: "openai-transcriptions", graph: "listen", options: {} },
  { path: "/v1/audio/translations", face: "openai-translations", graph: "listen", options: {} },
];

export interface RestOptions {
  readonly server?: FakeOptions["server"];
  readonly limits?: ServerOptions["limits"];
  readonly metrics?: ServerOptions["metrics"];
  readonly onCall?: (call: FakeCall) => void;
}

export function withRest(options: RestOptions, act: (stage: Stage) => Promise<void>): Promise<void> {
  const { server = {}, limits = {}, metrics = noMetrics, onCall = () => {} } = options;
  const graphs = ["speak", "listen"];
  const actors = { speak: "tts", listen: "stt" } as const;
  return withServer({ graphs, actors, routes: ROUTES, server, transport: { limits, metrics } }, async (stage) => {
    stage.runtime.onCall = (call) => {
      call.isEchoing = false;
      onCall(call);
    };
    await act(stage);
  });
}

/** A fake voice: so many samples of 24 kHz for each text it is given. */
export function talkative(samples: number): (call: FakeCall) => void {
  return (call) => {
    let offset = 0;
    call.onSay = (text) => {
      if (text === "") return;
      call.speak(0, offset, new Int16Array(samples).fill(100), 24_000);
      offset += samples;
    };
  };
}

export function speech(url: string, fields: object = {}, init: RequestInit = {}): Promise<Response> {
  const body = JSON.stringify({ input: "Hello.", voice: "alloy", response_format: "pcm", ...fields });
  const { headers, ...rest } = init;
  return fetch(`${url}/v1/audio/speech`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(headers as Record<string, string> | undefined) },
    body,
    ...rest,
  });
}

export function transcription(url: string, file: Uint8Array, fields: Record<string, string> = {}): Promise<Response> {
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(file)]), "a.wav");
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return fetch(`${url}/v1/audio/transcriptions`, { method: "POST", body: form });
}

export async function errorOf(
  answer: Response,
): Promise<{ status: number; type: string; code: string; param: string | null }> {
  const { error } = (await answer.json()) as {
    error: { type: string; code: string; param: string | null; message: string };
  };
  return { status: answer.status, type: error.type, code: error.code, param: error.param };
}

/** Names of all uploads that lie in the temporary folder. */
export async function uploadsLeft(): Promise<string[]> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith("syrinx-uploads-"));
  return (await Promise.all(folders.map((name) => readdir(join(tmpdir(), name))))).flat();
}

/** A connection on which a test writes what it likes. */
export class RawHttp {
  readonly socket: Socket;
  answer = "";
  readonly closed: Promise<void>;
  #onData: () => void = () => {};

  constructor(url: string, head: readonly string[]) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    this.socket.on("error", () => {});
    this.socket.on("data", (data: Buffer) => {
      this.answer += data.toString("latin1");
      this.#onData();
    });
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
    this.socket.write(`${[...head, "Host: test"].join("\r\n")}\r\n\r\n`);
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.answer)) {
      await new Promise<void>((resolve, reject) => {
        this.#onData = resolve;
        void this.closed.then(() => reject(new Error(`closed with ${this.answer}`)));
      });
    }
  }
}
