import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.js";
import { SyrinxError, toSyrinxError } from "../../base/errors.js";
import type { Runtime } from "../../runtime/api.js";
import { Jobs } from "../../runtime/jobs.js";
import type { Logger } from "../../telemetry/logger.js";
import { withoutCredentials } from "../access/credentials.js";
import type { Doorkeeper, Visit } from "../auth.js";
import { faceRequestOf } from "../face-request.js";
import type { FaceRequest, GraphFacts } from "../faces/face.js";
import type { RestBody, RestJob, RestSide, Tickets } from "../faces/rest.js";
import type { TransportLimits } from "../limits.js";
import type { TransportMetrics } from "../metrics.js";
import type { Route } from "../routes.js";
import { discardBody, readBody } from "./body.js";
import { Exchange } from "./exchange.js";
import type { JobTools } from "./job-tools.js";
import { runSpeak } from "./speak.js";
import { runTranscribe } from "./transcribe.js";
import { type BodyRoom, UploadRoom } from "./upload-room.js";

export interface RestSetup {
  readonly runtime: Pick<Runtime, "open">;
  readonly graphs: ReadonlyMap<string, GraphFacts>;
  readonly door: Doorkeeper;
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
  readonly #exchanges = new Set<Exchange>();

  constructor(setup: RestSetup) {
    this.#setup = setup;
    this.#uploads = new UploadRoom(setup.limits);
  }

  /** Requests under way. */
  get count(): number {
    return this.#exchanges.size;
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
    const whole = faceRequestOf(request, path, route, graphs);
    const knock = withoutCredentials(whole);
    const logger = this.#setup.logger.child({ face: face.name, requestId: knock.requestId });
    const exchange = new Exchange({ request, response, face, knock, limits, logger });
    try {
      this.#objectTo(knock, rest);
      const visit = this.#setup.door.admit(whole);
      const { door } = this.#setup;
      const tickets: Tickets = {
        issue: (lifeMs) => (door.keys === undefined ? undefined : door.issueToken(whole, lifeMs)),
      };
      await this.#work({ request, exchange, visit, rest, tickets });
    } catch (error) {
      metrics.admissionRejected(toSyrinxError(error).code);
      exchange.fail(error);
    }
    const seconds = (clock.nowUs() - startUs) / 1e6;
    metrics.request(face.name, exchange.status, seconds);
    logger.info({ status: exchange.status, durationMs: Math.round(seconds * 1000) }, "request answered");
  }

  /** The server stops: tells all who wait, as far as an answer has not begun. */
  stop(): void {
    for (const exchange of this.#exchanges) exchange.stop();
  }

  /** Cuts off all requests. Their jobs end with them. */
  terminate(): void {
    for (const exchange of this.#exchanges) exchange.terminate();
  }

  /** When no request is under way any more. */
  async close(): Promise<void> {
    await this.#jobs.close();
    await this.#uploads.close();
  }

  /** Throws why a request is not served, before anything of it is read and before a token is used up. */
  #objectTo({ method, path }: FaceRequest, { methods }: RestSide): void {
    const { limits, isDraining } = this.#setup;
    if (!(methods as readonly string[]).includes(method)) {
      throw new SyrinxError("HTTP_METHOD", { path, method, allowed: methods.join(", ") });
    }
    if (isDraining()) throw new SyrinxError("RUNTIME_CLOSED");
    if (this.#exchanges.size < limits.restRequests) return;
    throw new SyrinxError("HTTP_BUSY", { what: `${limits.restRequests} requests`, retryAfterMs: 1_000 });
  }

  /** Never throws. */
  async #work(task: Task): Promise<void> {
    const { request, exchange, visit, rest, tickets } = task;
    this.#exchanges.add(exchange);
    const room = this.#uploads.reserve();
    let body: RestBody | undefined;
    try {
      const { limits } = this.#setup;
      body = await readBody({ request, room, limits, uploads: this.#uploads, ask: () => exchange.askForBody() });
      await this.#run(rest.job(visit.request, body, tickets), task, room);
    } catch (error) {
      exchange.fail(error);
    } finally {
      room.free();
      if (body !== undefined) await discardBody(body).catch((error: unknown) => exchange.fail(error));
      // A stopping server waits for the last byte.
      await exchange.taken();
      this.#exchanges.delete(exchange);
      if (this.#exchanges.size === 0) this.#setup.onIdle();
    }
  }

  async #run(job: RestJob, { exchange, visit }: Task, room: BodyRoom): Promise<void> {
    if (job.kind === "answer") return exchange.answer(job.answer);
    const { runtime, limits, clock, door } = this.#setup;
    // Whoever comes by HTTP has shown its key, or needs none.
    const lease = door.enter(visit.identity!);
    const tools: JobTools = { runtime, limits, clock, lease, room, jobs: this.#jobs };
    try {
      if (job.kind === "speak") await runSpeak(job, exchange, tools);
      else await runTranscribe(job, exchange, tools);
    } finally {
      lease.leave();
    }
  }
}

/** A request that is being served. */
interface Task {
  readonly request: IncomingMessage;
  readonly exchange: Exchange;
  readonly visit: Visit;
  readonly rest: RestSide;
  readonly tickets: Tickets;
}
