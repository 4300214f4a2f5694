/** An OpenAI-compatible endpoint on this machine that answers as the test says. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ChatRequest {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly [field: string]: unknown;
}

export type Answer = (request: ChatRequest, response: ServerResponse) => void | Promise<void>;

export class LlmStub {
  readonly requests: ChatRequest[] = [];
  readonly authorizations: (string | undefined)[] = [];
  /** Requests whose connection the client gave up before the answer was complete. */
  abandonedCount = 0;
  answer: Answer;
  readonly #server: Server;

  private constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(answer: Answer): Promise<LlmStub> {
    const stub = new LlmStub(answer);
    await new Promise<void>((resolve) => stub.#server.listen(0, "127.0.0.1", resolve));
    return stub;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** A port at which nobody listens any more. */
  static async deadUrl(): Promise<string> {
    const stub = await LlmStub.start(() => undefined);
    const url = stub.baseUrl;
    await stub.stop();
    return url;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as ChatRequest;
    this.requests.push(body);
    this.authorizations.push(request.headers.authorization);
    response.on("close", () => {
      if (!response.writableEnded) this.abandonedCount++;
    });
    await this.answer(body, response);
  }
}

export function event(content: string, finish?: string): string {
  const choice = { index: 0, delta: { content }, finish_reason: finish ?? null };
  return `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [choice] })}\n\n`;
}

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
}

/** The text in pieces, then the end. */
export function says(text: string): Answer {
  return (_request, response) => {
    beginStream(response);
    for (const piece of text.match(/\s*\S+/g) ?? []) response.write(event(piece));
    response.end(`${event("", "stop")}data: [DONE]\n\n`);
  };
}
