/**
 * Where files of models come from: the hub, by its own client, and GitHub's plain files. One way of reading for both:
 * look at a file, then read it from any byte on. No retries here, see `download.ts`.
 */
import { reasonOf, SyrinxError } from "../../base/errors.js";
import type { CatalogueSource } from "./schema.js";
import type { CatalogueSettings } from "./settings.js";

/** What the source says about a file before it is read. */
export interface RemoteFile {
  readonly bytes: number;
  /** Changes when the content does. */
  readonly etag: string;
  /** Of the content, as the hub says for large files. */
  readonly sha256: string | undefined;
  /** Of git's blob, as the hub says for small files. */
  readonly gitSha1: string | undefined;
  /** The commit that the asked revision is now. */
  readonly commit: string | undefined;
  /** The bytes from `offset` on. Aborting the signal of `look` ends them. Throws RemoteFault. */
  read(offset: number): AsyncIterable<Uint8Array>;
}

export interface Remote {
  readonly repository: string;
  /** For people: never a signed address. */
  urlOf(path: string, revision: string): string;
  /** Throws RemoteFault. */
  look(path: string, revision: string, signal: AbortSignal): Promise<RemoteFile>;
}

/** Why a source did not give a file. `status` is undefined if it gave no answer at all. */
export class RemoteFault extends Error {
  override readonly name = "RemoteFault";
  readonly status: number | undefined;
  /** The hub's word for it: `EntryNotFound`, `GatedRepo`, … */
  readonly word: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** The server began at another byte than asked. */
  readonly isRangeIgnored: boolean;

  constructor(reason: string, response?: Response, isRangeIgnored = false) {
    super(reason);
    this.status = response?.status;
    this.word = response?.headers.get("x-error-code") ?? undefined;
    this.retryAfterMs = retryAfterMs(response?.headers.get("retry-after"));
    this.isRangeIgnored = isRangeIgnored;
  }
}

function retryAfterMs(header: string | null | undefined): number | undefined {
  return header != null && /^\d{1,4}$/.test(header) ? Number(header) * 1000 : undefined;
}

export function remoteOf(source: CatalogueSource, settings: CatalogueSettings): Remote {
  switch (source.kind) {
    case "hub":
      return new HubRemote(source.repository, settings);
    case "github":
      return new PlainRemote(source.repository, settings.githubUrl);
    case "package":
      throw new SyrinxError("INTERNAL", { reason: "what comes with the package is not fetched" });
  }
}

/** What the client's `fetch` saw: the client itself may tell no more than a sentence. */
interface Seen {
  last?: Response;
  fault?: RemoteFault;
}

class HubRemote implements Remote {
  readonly repository: string;
  readonly #settings: CatalogueSettings;

  constructor(repository: string, settings: CatalogueSettings) {
    this.repository = repository;
    this.#settings = settings;
  }

  urlOf(path: string, revision: string): string {
    return `${this.#settings.hubUrl}/${this.repository}/resolve/${revision}/${path}`;
  }

  async look(path: string, revision: string, signal: AbortSignal): Promise<RemoteFile> {
    // Loaded when first needed: `serve` with everything in the cache never does.
    const { downloadFile, fileDownloadInfo } = await import("@huggingface/hub");
    const seen: Seen = {};
    const { hubUrl, token } = this.#settings;
    const repo = { type: "model", name: this.repository } as const;
    // The token goes in here, not through the client: that one takes no tokens but those of the public hub.
    const fetching = watchedFetch(
      signal,
      seen,
      token === undefined ? undefined : { origin: new URL(hubUrl).origin, token },
    );
    const shared = { repo, path, revision, hubUrl, fetch: fetching };
    const info = await fileDownloadInfo(shared).catch((error: unknown) => {
      throw faultOf(error, seen);
    });
    if (info === null) throw new RemoteFault("no such file", seen.last);
    const headers = seen.last!.headers;
    const commit = headers.get("x-repo-commit") ?? undefined;
    const etag = plainTag(info.etag);
    return {
      bytes: info.size,
      etag,
      // Only the hub's own header is a digest of the content: behind it, storage has tags of its own.
      sha256: headers.has("x-linked-etag") && /^[0-9a-f]{64}$/.test(etag) ? etag : undefined,
      gitSha1: /^[0-9a-f]{40}$/.test(etag) ? etag : undefined,
      commit: commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? commit : undefined,
      read: (offset) =>
        chunksOf(seen, async () => {
          // `xet: false`: plain HTTP goes on where it broke off, chunk stores would begin again.
          const blob = await downloadFile({ ...shared, downloadInfo: info, xet: false });
          if (blob === null) throw new RemoteFault("no such file", seen.last);
          return (offset === 0 ? blob : blob.slice(offset)).stream();
        }),
    };
  }
}

/** Files under plain addresses: `BASE/REPOSITORY/REVISION/PATH`. */
class PlainRemote implements Remote {
  readonly repository: string;
  readonly #baseUrl: string;

  constructor(repository: string, baseUrl: string) {
    this.repository = repository;
    this.#baseUrl = baseUrl;
  }

  urlOf(path: string, revision: string): string {
    return `${this.#baseUrl}/${this.repository}/${revision}/${path}`;
  }

  async look(path: string, revision: string, signal: AbortSignal): Promise<RemoteFile> {
    const url = this.urlOf(path, revision);
    const seen: Seen = {};
    const fetching = watchedFetch(signal, seen);
    const probe = await fetchRange(fetching, url, "bytes=0-0", seen);
    await probe.body?.cancel();
    const bytes = Number(
      probe.headers.get("content-range")?.split("/").at(-1) ?? probe.headers.get("content-length") ?? Number.NaN,
    );
    if (!Number.isSafeInteger(bytes)) throw new RemoteFault("the server does not say how long the file is");
    return {
      bytes,
      etag: plainTag(probe.headers.get("etag") ?? ""),
      sha256: undefined,
      gitSha1: undefined,
      commit: undefined,
      read: (offset) =>
        chunksOf(seen, async () => {
          const response = await fetchRange(fetching, url, offset === 0 ? undefined : `bytes=${offset}-`, seen);
          if (response.body === null) throw new RemoteFault("an answer without a body", response);
          return response.body;
        }),
    };
  }
}

async function* chunksOf(
  seen: Seen,
  open: () => Promise<ReadableStream<Uint8Array>>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* await open();
  } catch (error) {
    throw faultOf(error, seen);
  }
}

async function fetchRange(
  fetching: typeof fetch,
  url: string,
  range: string | undefined,
  seen: Seen,
): Promise<Response> {
  try {
    const response = await fetching(url, range === undefined ? {} : { headers: { Range: range } });
    if (!response.ok) throw new RemoteFault(`HTTP ${response.status}`, response);
    return response;
  } catch (error) {
    throw faultOf(error, seen);
  }
}

/**
 * `fetch` under a signal, which remembers the answer and wants the content as it is: a compressed one has another length,
 * and no ranges. An answer that begins elsewhere than asked is refused: a file is never put together wrongly.
 */
function watchedFetch(
  signal: AbortSignal,
  seen: Seen,
  pass?: { readonly origin: string; token: string },
): typeof fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set("accept-encoding", "identity");
    const url = new URL(input instanceof Request ? input.url : input);
    // A redirect to another origin loses it again: that is the rule of `fetch`.
    if (pass !== undefined && url.origin === pass.origin) headers.set("authorization", `Bearer ${pass.token}`);
    const response = await fetch(input, { ...init, headers, signal });
    seen.last = response;
    const offset = Number(/^bytes=(\d+)-/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    if (offset > 0 && response.ok && !(response.headers.get("content-range") ?? "").startsWith(`bytes ${offset}-`)) {
      await response.body?.cancel();
      seen.fault = new RemoteFault("the server ignored the range", response, true);
      throw seen.fault;
    }
    return response;
  };
}

/** Whatever the client threw, with the status of the answer that made it do so. */
export function faultOf(error: unknown, seen: Seen = {}): RemoteFault {
  if (error instanceof RemoteFault) return error;
  if (seen.fault !== undefined) return seen.fault;
  if (seen.last !== undefined && !seen.last.ok) return new RemoteFault(`HTTP ${seen.last.status}`, seen.last);
  const cause = error instanceof Error && error.cause !== undefined ? `: ${reasonOf(error.cause)}` : "";
  return new RemoteFault(`${reasonOf(error)}${cause}`);
}

/** Without quotes and the mark of weakness. */
function plainTag(etag: string): string {
  return etag.replace(/^W\//, "").replace(/^"|"$/g, "");
}
