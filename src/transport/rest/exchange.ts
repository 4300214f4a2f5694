import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { isSyrinxError, SyrinxError, toSyrinxError } from "../../base/errors.js";
import type { Logger } from "../../telemetry/logger.js";
import type { Face, FaceRequest } from "../faces/face.js";
import type { HttpAnswer } from "../faces/rest.js";
import { errorBody } from "../http.js";
import type { TransportLimits } from "../limits.js";
import { statusOf } from "../status.js";

export interface ExchangeSetup {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly face: Face;
  readonly knock: FaceRequest;
  readonly limits: TransportLimits;
  readonly logger: Logger;
}

/** One request and its answer: whole, refused, or in pieces as the client takes them. */
export class Exchange {
  readonly #setup: ExchangeSetup;
  readonly #over = new AbortController();
  #isRefused = false;

  constructor(setup: ExchangeSetup) {
    this.#setup = setup;
    const { response } = setup;
    response.on("close", () => {
      if (!response.writableFinished) this.#over.abort(new SyrinxError("CALL_CLIENT_GONE"));
    });
    response.on("timeout", () => response.destroy());
    // The socket's own errors; `close` follows.
    response.on("error", () => {});
  }

  /** Aborted when nobody waits for the answer any more. Its reason is a SyrinxError. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** The head of the answer has left, and with it the chance to say that something went wrong. */
  get isBegun(): boolean {
    return this.#setup.response.headersSent;
  }

  get status(): number {
    return this.#over.signal.aborted && !this.isBegun ? CLIENT_GONE : this.#setup.response.statusCode;
  }

  /** Where the client waits for leave to send the body. */
  askForBody(): void {
    const { request, response } = this.#setup;
    if (/^100-continue$/i.test(request.headers.expect ?? "")) response.writeContinue();
  }

  answer({ status, contentType, headers = {}, body }: HttpAnswer): void {
    this.#head(status, contentType, { ...headers, "content-length": String(Buffer.byteLength(body)) });
    this.#setup.response.end(body);
  }

  /** What went wrong, in the face's own shape; if an answer is under way, it is cut off, so that it cannot pass for whole. */
  fail(thrown: unknown): void {
    const { response, logger } = this.#setup;
    const error = toSyrinxError(thrown);
    if (!isSyrinxError(thrown)) logger.error({ err: thrown }, "a request failed");
    if (response.destroyed || this.#isRefused) return;
    if (this.isBegun) {
      logger.info({ code: error.code }, "an answer was cut off");
      response.destroy();
    } else {
      this.#isRefused = true;
      this.#refuse(error);
    }
  }

  /** The server stops: says so, and whatever works for the answer ends. */
  stop(): void {
    const error = new SyrinxError("RUNTIME_CLOSED");
    this.fail(error);
    this.#over.abort(error);
  }

  /** Cuts the connection without a word. */
  terminate(): void {
    this.#setup.response.destroy();
  }

  begin(contentType: string, headers: Readonly<Record<string, string>> = {}): void {
    this.#head(200, contentType, headers);
    this.#setup.response.flushHeaders();
  }

  /** A piece of the answer. Wait for {@link drained} now and then. */
  write(piece: string | Uint8Array): void {
    if (piece.length > 0) this.#setup.response.write(piece);
  }

  end(): void {
    this.#setup.response.end();
  }

  /** Resolves when the client has taken nearly all that was written, or has gone. */
  async drained(): Promise<void> {
    const { response } = this.#setup;
    if (!response.writableNeedDrain || response.destroyed) return;
    await this.#taken("drain");
    // Between two pieces the voice is what everybody waits for.
    if (!response.destroyed) response.setTimeout(0);
  }

  /** Resolves when the client has taken the whole answer, or has gone. */
  async taken(): Promise<void> {
    const { response } = this.#setup;
    if (response.writableFinished || response.destroyed) return;
    await this.#taken("finish");
  }

  /** A socket's timeout counts the time in which not a byte of it leaves: whoever reads slowly is waited for. */
  async #taken(event: "drain" | "finish"): Promise<void> {
    const { response, limits } = this.#setup;
    response.setTimeout(limits.restWriteMs);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off(event, done);
        response.off("close", done);
        resolve();
      };
      response.on(event, done);
      response.on("close", done);
    });
  }

  /** Resolves after that time, or when the client has gone. */
  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => {});
  }

  #refuse(error: SyrinxError): void {
    const { face, knock } = this.#setup;
    const status = statusOf(error.code);
    const own = face.refusal?.(error, knock);
    const answer = own ?? { status, contentType: JSON_TYPE, body: JSON.stringify(errorBody(error)) };
    const more: Record<string, string> = {};
    if (status === 401) more["www-authenticate"] = "Bearer";
    if (error.retryable) more["retry-after"] = RETRY_AFTER_S;
    this.#head(answer.status, answer.contentType, {
      ...more,
      ...answer.headers,
      "content-length": String(Buffer.byteLength(answer.body)),
    });
    this.#endSlowly(answer.body);
  }

  /**
   * A client that is still sending would lose the answer with the connection if that closed under it, so what comes is
   * thrown away for a moment. The answer is complete for it at once: it has a length.
   */
  #endSlowly(body: string | Uint8Array): void {
    const { request, response, limits } = this.#setup;
    if (request.complete || request.headers.expect !== undefined) {
      response.end(body);
      return;
    }
    response.write(body);
    const timer = setTimeout(() => response.end(), limits.restLingerMs);
    request.once("end", () => response.end());
    response.once("close", () => clearTimeout(timer));
    request.resume();
  }

  #head(status: number, contentType: string, headers: Readonly<Record<string, string>>): void {
    const { request, response, knock } = this.#setup;
    const connection = request.complete ? {} : { connection: "close" };
    response.writeHead(status, {
      "x-request-id": knock.requestId,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...connection,
      ...headers,
      "content-type": contentType,
    });
  }
}

/** For the books only: nobody is there to read it. */
const CLIENT_GONE = 499;
const RETRY_AFTER_S = "1";
const JSON_TYPE = "application/json; charset=utf-8";
