import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.js";
import { SyrinxError } from "../../base/errors.js";
import type { Runtime } from "../../runtime/api.js";
import { Jobs } from "../../runtime/jobs.js";
import type { Logger } from "../../telemetry/logger.js";
import type { Doorkeeper } from "../auth.js";
import { faceRequestOf } from "../face-request.js";
import type { FaceRequest, GraphFacts } from "../faces/face.js";
import type { RestBody, RestJob, RestSide } from "../faces/rest.js";
import type { TransportLimits } from "../limits.js";
import type { TransportMetrics } from "../metrics.js";
import type { Route } from "../routes.js";
import { discardBody, readBody } from "./body.js";
import { Exchange } from "./exchange.js";
import type { JobTools } from "./job-tools.js";
import { runSpeak } from "./speak.js";
import { runTranscribe } from "./transcribe.js";
import { UploadRoom } from "./upload-room.js";

export interface RestSetup {
  readonly runtime: Pick<Runtime, "open">;
  readonly graphs: ReadonlyMap<string, GraphFacts>;
  readonly doorkeeper: Doorkeeper;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: TransportMetrics;
  /** The server stops. */
  readonly isDraining: () => boolean;
  /** No request is under way any more. */
  readonly onIdle: () => void;
}

/** Serves the requests that a face answers over plain HTTP: who may ask, reading what is sent, the job, the answer. */
export class RestDesk {
  readonly #setup: RestSetup;
  readonly #uploads: UploadRoom;
  readonly #jobs = new Jobs();
  readonly #exchanges = new Set<ServerResponse>();

  constructor(setup: RestSetup) {
    this.#setup = setup;
    this.#uploads = new UploadRoom(setup.limits);
  }

  /** Requests under way. */
  get count(): number {
    return this.#exchanges.size;
  }

  /** Bytes of bodies that are held for them. */
  get heldBytes(): number {
    return this.#uploads.heldBytes;
  }

  /** Answers one request, whatever happens. @param path of the request, without its query */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    route: Route,
    rest: RestSide,
  ): Promise<void> {
    const { graphs, limits, clock, metrics } = this.#setup;
    const startUs = clock.nowUs();
    const { face } = route;
    const knock = faceRequestOf(request, path, route, graphs);
    const logger = this.#setup.logger.child({ face: face.name, requestId: knock.requestId });
    const exchange = new Exchange({ request, response, face, knock, limits, logger });
    const objection = this.#objection(knock, route, rest);
    if (objection !== undefined) {
      metrics.admissionRejected(objection.code);
      exchange.fail(objection);
    } else {
      this.#exchanges.add(response);
      await this.#work(request, exchange, knock, rest);
      this.#exchanges.delete(response);
      if (this.#exchanges.size === 0) this.#setup.onIdle();
    }
    const seconds = (clock.nowUs() - startUs) / 1e6;
    metrics.request(face.name, exchange.status, seconds);
    logger.info({ status: exchange.status, durationMs: Math.round(seconds * 1000) }, "request answered");
  }

  /** Cuts off all requests. Their jobs end with them. */
  terminate(): void {
    for (const response of this.#exchanges) response.destroy();
  }

  /** When no request is under way any more. */
  async close(): Promise<void> {
    await this.#jobs.close();
    await this.#uploads.close();
  }

  /** Why a request is not served, before anything of its body is read. */
  #objection(knock: FaceRequest, { face }: Route, { methods }: RestSide): SyrinxError | undefined {
    const { doorkeeper, limits, isDraining } = this.#setup;
    const { method, path, headers } = knock;
    if (!(methods as readonly string[]).includes(method)) {
      return new SyrinxError("HTTP_METHOD", { path, method, allowed: methods.join(", ") });
    }
    const stranger = doorkeeper({ headers, faceCredential: face.credential?.(knock) });
    if (stranger !== undefined) return stranger;
    if (isDraining()) return new SyrinxError("RUNTIME_CLOSED");
    if (this.#exchanges.size < limits.restRequests) return undefined;
    return new SyrinxError("HTTP_BUSY", { what: `${limits.restRequests} requests`, retryAfterMs: 1_000 });
  }

  async #work(request: IncomingMessage, exchange: Exchange, knock: FaceRequest, rest: RestSide): Promise<void> {
    const room = this.#uploads.reserve();
    let body: RestBody | undefined;
    try {
      exchange.askForBody();
      body = await readBody(request, this.#uploads, room, this.#setup.limits);
      await this.#run(rest.job(knock, body), exchange);
    } catch (error) {
      exchange.fail(error);
    } finally {
      if (body !== undefined) await discardBody(body);
      room.free();
    }
  }

  async #run(job: RestJob, exchange: Exchange): Promise<void> {
    const { runtime, limits } = this.#setup;
    const tools: JobTools = { runtime, limits, jobs: this.#jobs };
    if (job.kind === "answer") exchange.answer(job.answer);
    else if (job.kind === "speak") await runSpeak(job, exchange, tools);
    else await runTranscribe(job, exchange, tools);
  }
}
