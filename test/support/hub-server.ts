/**
 * A hub of models on loopback: `/OWNER/NAME/resolve/REVISION/PATH` with ranges, tags and digests as the public one has, large
 * files behind a redirect to a second origin, and every way of failing that a test may want. GitHub's plain addresses too.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface ServedFile {
  content: Buffer;
  /** Large files are redirected, and their tag is the sha256 of the content. */
  readonly isLarge?: boolean;
  /** The digest that the hub claims, if it is not that of the content. */
  readonly claims?: string;
}

/** What happens to one answer. */
export type Mishap =
  | { readonly status: number; readonly word?: string; readonly retryAfter?: string }
  | { readonly cutAfter: number }
  | { readonly hangAfter: number }
  | { readonly ignoreRange: true }
  | { readonly excess: number };

export interface Asked {
  readonly url: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
  readonly origin: "hub" | "storage";
}

export class HubServer {
  readonly files = new Map<string, ServedFile>();
  readonly asked: Asked[] = [];
  /** Repositories that want this token. */
  readonly gated = new Map<string, string>();
  /** For reads of a path (not looks): the first is used up by the first answer. */
  readonly mishaps = new Map<string, Mishap[]>();
  /** As `mishaps`, for looks: the first byte alone. */
  readonly lookMishaps = new Map<string, Mishap[]>();
  /** Called before each read is answered. */
  onRead: (path: string) => Promise<void> = async () => {};
  readonly #hub: Server;
  readonly #storage: Server;

  private constructor() {
    this.#hub = createServer((request, response) => void this.#answer("hub", request, response));
    this.#storage = createServer((request, response) => void this.#answer("storage", request, response));
  }

  static async start(): Promise<HubServer> {
    const made = new HubServer();
    await Promise.all(
      [made.#hub, made.#storage].map((each) => new Promise<void>((done) => each.listen(0, "127.0.0.1", done))),
    );
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  /** @param path `OWNER/NAME/PATH` */
  add(path: string, content: string | Buffer, more: Partial<ServedFile> = {}): string {
    const bytes = Buffer.from(content);
    this.files.set(path, { content: bytes, ...more });
    return sha256(bytes);
  }

  reads(path: string): Asked[] {
    return this.asked.filter(({ url, range }) => url.endsWith(`/${path}`) && range !== "bytes=0-0");
  }

  async #answer(origin: Asked["origin"], request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = decodeURI(request.url ?? "");
    const { range, authorization: token } = request.headers;
    this.asked.push({ url, range, token, origin });
    const [, owner, name, ...rest] = url.split("/");
    const path = rest[0] === "resolve" ? rest.slice(2).join("/") : rest.slice(1).join("/");
    const key = `${owner}/${name}/${path}`;
    const wantedToken = this.gated.get(`${owner}/${name}`);
    if (origin === "hub" && wantedToken !== undefined && token !== `Bearer ${wantedToken}`) {
      fail(response, token === undefined ? 401 : 403, "GatedRepo");
      return;
    }
    const isLook = range === "bytes=0-0";
    const served = this.files.get(key);
    if (served === undefined) return fail(response, 404, "EntryNotFound");
    if (origin === "hub") response.setHeader("x-repo-commit", COMMIT);
    if (origin === "hub" && served.isLarge === true && rest[0] === "resolve") {
      return this.#redirect(isLook, served, url, response);
    }
    if (!isLook) await this.onRead(key);
    const mishap = (isLook ? this.lookMishaps : this.mishaps).get(key)?.shift();
    send(response, served, range, mishap);
  }

  /** The look is answered by the hub itself, as it does for a client that knows its chunk store. */
  #redirect(isLook: boolean, served: ServedFile, url: string, response: ServerResponse): void {
    const tag = served.claims ?? sha256(served.content);
    response.setHeader("x-linked-etag", `"${tag}"`);
    response.setHeader("x-linked-size", served.content.length);
    if (!isLook) {
      const { port } = this.#storage.address() as AddressInfo;
      response.writeHead(302, { location: `http://127.0.0.1:${port}${encodeURI(url)}` }).end();
      return;
    }
    const links = `<http://127.0.0.1:9/auth>; rel="xet-auth", <http://127.0.0.1:9/info>; rel="xet-reconstruction-info"`;
    response.writeHead(200, {
      "content-type": "application/vnd.xet-fileinfo+json",
      "x-xet-hash": "0".repeat(64),
      link: links,
    });
    response.end("{}");
  }
}

function send(
  response: ServerResponse,
  served: ServedFile,
  range: string | undefined,
  mishap: Mishap | undefined,
): void {
  if (mishap !== undefined && "status" in mishap) {
    if (mishap.retryAfter !== undefined) response.setHeader("retry-after", mishap.retryAfter);
    fail(response, mishap.status, mishap.word ?? "");
    return;
  }
  const { content } = served;
  const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)/.exec(range ?? "") ?? [];
  const isPartial = range !== undefined && !(mishap !== undefined && "ignoreRange" in mishap);
  if (isPartial && Number(from) >= content.length) {
    fail(response, 416, "");
    return;
  }
  const body = isPartial ? content.subarray(Number(from), to === "" ? undefined : Number(to) + 1) : content;
  response.setHeader("etag", `"${served.claims ?? gitSha1(content)}"`);
  if (isPartial)
    response.setHeader("content-range", `bytes ${from}-${Number(from) + body.length - 1}/${content.length}`);
  if (mishap !== undefined && "excess" in mishap) {
    response.writeHead(isPartial ? 206 : 200);
    response.end(Buffer.concat([body, Buffer.alloc(mishap.excess)]));
    return;
  }
  response.writeHead(isPartial ? 206 : 200, { "content-length": body.length });
  if (mishap !== undefined && "cutAfter" in mishap) {
    response.write(body.subarray(0, mishap.cutAfter), () => response.destroy());
  } else if (mishap !== undefined && "hangAfter" in mishap) {
    response.write(body.subarray(0, mishap.hangAfter));
  } else {
    response.end(body);
  }
}

function fail(response: ServerResponse, status: number, word: string): void {
  response.writeHead(status, { "x-error-code": word, "content-type": "text/plain" });
  response.end(`status ${status}`);
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function gitSha1(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}
