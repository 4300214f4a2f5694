/** A model of the catalogue into the cache: all its files, several at once, and its folder only when all are right. */
import { randomUUID } from "node:crypto";
import { copyFile, link, mkdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { SyrinxError } from "../../base/errors.js";
import { LIMITS } from "../../base/limits.js";
import { type Prng, seeded } from "../../base/prng.js";
import { type CacheManifest, MANIFEST_NAME, ModelCache } from "./cache.js";
import type { ChosenModel } from "./catalogue.js";
import { sha256Of } from "./digests.js";
import { DiskRoom, diskFault, requireWritable } from "./disk.js";
import { type DownloadContext, download, type FetchedFile, readyBlob, type WantedFile } from "./download.js";
import { LockFile, type LockRecord, writeAtomically } from "./lock-file.js";
import { type Remote, remoteOf } from "./remote.js";
import type { CatalogueFile, CatalogueSource } from "./schema.js";
import type { CatalogueSettings } from "./settings.js";

export interface PullOptions {
  readonly settings: CatalogueSettings;
  /** Fetch what is here already, too. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that are here of one of the model's files. */
  readonly onBytes?: ((path: string, receivedBytes: number, totalBytes: number) => void) | undefined;
  /** Spreads the waiting between tries. */
  readonly prng?: Prng | undefined;
  readonly sleep?: DownloadContext["sleep"] | undefined;
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined;
}

export interface PulledFile extends FetchedFile {
  readonly path: string;
  /** It was not here before. */
  readonly isFetched: boolean;
  /** No digest was known: what came is believed, and recorded. */
  readonly isFirstUse: boolean;
}

export interface PulledModel {
  readonly folder: string;
  /** A commit where the source told it. */
  readonly revision: string;
  readonly files: readonly PulledFile[];
}

/**
 * Does nothing for what is here. Several processes may pull the same at once: each file is fetched once.
 * Throws MODEL_OFFLINE, MODEL_CACHE_READ_ONLY and what `download` throws; the first failure ends the other files too, and
 * what came of them is kept.
 */
export async function pullModel(model: ChosenModel, options: PullOptions): Promise<PulledModel> {
  const cache = new ModelCache(options.settings.cacheFolder);
  const { source, name } = model.entry;
  const present = cache.files(model);
  if (source.kind === "package" || (present !== undefined && options.force !== true)) {
    const files = (present ?? []).map(({ path, sha256, bytes }) => ({ path, sha256, bytes, ...HERE }));
    return { folder: cache.modelFolder(model), revision: cache.manifest(model)?.revision ?? "", files };
  }
  if (options.settings.isOffline) throw new SyrinxError("MODEL_OFFLINE", { name, folder: cache.folder });
  await requireWritable(cache.folder);
  const remote = remoteOf(source, options.settings);
  return new Pull(model, source, cache, remote, options).run();
}

const HERE = { isFetched: false, isFirstUse: false } as const;

type RemoteSource = Exclude<CatalogueSource, { kind: "package" }>;

class Pull {
  readonly #model: ChosenModel;
  readonly #source: RemoteSource;
  readonly #cache: ModelCache;
  readonly #remote: Remote;
  readonly #options: PullOptions;
  readonly #lock: LockFile;
  readonly #key: string;
  readonly #stop = new AbortController();
  readonly #firstUses = new Set<string>();

  constructor(model: ChosenModel, source: RemoteSource, cache: ModelCache, remote: Remote, options: PullOptions) {
    this.#model = model;
    this.#source = source;
    this.#cache = cache;
    this.#remote = remote;
    this.#options = options;
    this.#lock = new LockFile(cache.folder);
    this.#key = `${source.kind}:${source.repository}@${source.revision}`;
  }

  async run(): Promise<PulledModel> {
    const stop = (): void => this.#stop.abort(this.#options.signal?.reason);
    this.#options.signal?.addEventListener("abort", stop, { once: true });
    try {
      this.#options.signal?.throwIfAborted();
      const revision = await this.#revision();
      const files = await this.#fetchAll(revision);
      await this.#publish(revision, files);
      return { folder: this.#cache.modelFolder(this.#model), revision, files };
    } finally {
      this.#options.signal?.removeEventListener("abort", stop);
    }
  }

  /** All files of a model are of one commit: that of the first pull, else what the revision is now, if the source tells. */
  async #revision(): Promise<string> {
    const recorded = this.#record()?.revision;
    if (recorded !== undefined) return recorded;
    const unknown = this.#model.variant.files.find((file) => file.sha256 === undefined);
    if (unknown === undefined) return this.#source.revision;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LIMITS.downloadStallMs)]);
    // Only a look: what is wrong here is told, and tried again, when the file is fetched.
    const file = await this.#remote.look(unknown.path, this.#source.revision, signal).catch(() => undefined);
    return file?.commit ?? this.#source.revision;
  }

  async #fetchAll(revision: string): Promise<PulledFile[]> {
    const limit = pLimit(LIMITS.downloadsAtOnce);
    const room = new DiskRoom(this.#cache.folder, this.#options.freeBytes);
    const context = this.#context(room, revision);
    const outcomes = await Promise.allSettled(
      this.#model.variant.files.map((file) =>
        limit(async () => {
          this.#stop.signal.throwIfAborted();
          try {
            return await this.#fetch(file, revision, context);
          } catch (error) {
            this.#stop.abort(error);
            throw error;
          }
        }),
      ),
    );
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  }

  async #fetch(file: CatalogueFile, revision: string, context: DownloadContext): Promise<PulledFile> {
    const { path } = file;
    const sha256 = (): string | undefined => file.sha256 ?? this.#record()?.files[path]?.sha256;
    const known = sha256();
    if (this.#options.force === true && known !== undefined) await rm(this.#cache.blobPath(known), { force: true });
    const ready = await readyBlob(this.#cache, known);
    if (ready !== undefined) {
      this.#options.onBytes?.(path, ready.bytes, ready.bytes);
      return { path, ...ready, ...HERE };
    }
    const wanted: WantedFile = { name: this.#model.entry.name, path, revision, sha256 };
    const fetched = await download(wanted, context);
    return { path, ...fetched, isFetched: true, isFirstUse: this.#firstUses.has(path) };
  }

  #context(room: DiskRoom, revision: string): DownloadContext {
    const options = this.#options;
    return {
      cache: this.#cache,
      remote: this.#remote,
      prng: options.prng ?? seeded(process.pid),
      signal: this.#stop.signal,
      sleep: options.sleep ?? (async (ms, signal) => void (await sleep(ms, undefined, { signal }))),
      onBytes: (path, received, total) => options.onBytes?.(path, received, total),
      reserve: (name, byteCount) => room.reserve(name, byteCount),
      record: async (path, { sha256, bytes }) => {
        const isPinned = this.#model.variant.files.some((file) => file.path === path && file.sha256 !== undefined);
        if (isPinned || this.#record()?.files[path] !== undefined) return;
        this.#firstUses.add(path);
        await this.#lock.add(this.#key, revision, path, { sha256, bytes });
      },
    };
  }

  #record(): LockRecord | undefined {
    return this.#lock.record(this.#key);
  }

  /** The files under their own names, then the manifest that makes them count. */
  async #publish(revision: string, files: readonly PulledFile[]): Promise<void> {
    const folder = this.#cache.modelFolder(this.#model);
    for (const { path, sha256 } of files) {
      const target = join(folder, path);
      await place(this.#cache.blobPath(sha256), target).catch((error: unknown) =>
        Promise.reject(diskFault(error, target)),
      );
    }
    const manifest: CacheManifest = {
      version: 1,
      name: this.#model.entry.name,
      precision: this.#model.variant.precision,
      repository: this.#source.repository,
      revision,
      files: files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes })),
    };
    await writeAtomically(join(folder, MANIFEST_NAME), `${JSON.stringify(manifest, undefined, 2)}\n`);
  }
}

/**
 * A second name for a blob. A hard link first: whoever resolves the path still finds the file's neighbours, as ONNX's
 * external data wants. Where links are not permitted, a copy.
 */
async function place(blob: string, target: string): Promise<void> {
  const temporary = `${target}.${randomUUID()}`;
  await mkdir(dirname(target), { recursive: true });
  const ways = [
    () => link(blob, temporary),
    () => symlink(relative(dirname(target), blob), temporary),
    () => copyFile(blob, temporary),
  ];
  for (const [index, way] of ways.entries()) {
    try {
      await way();
      break;
    } catch (error) {
      if (index === ways.length - 1) throw error;
    }
  }
  await rename(temporary, target);
  // Renaming one name of a file onto another name of it does nothing, and leaves both.
  await rm(temporary, { force: true });
}

/** A file whose content is not what its manifest says. */
export interface WrongFile {
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

/** Hashes every file of a model that is here. Throws MODEL_NOT_CACHED. */
export async function wrongFiles(model: ChosenModel, settings: CatalogueSettings): Promise<readonly WrongFile[]> {
  const wrong: WrongFile[] = [];
  for (const { path, location, sha256 } of new ModelCache(settings.cacheFolder).require(model)) {
    const found = await sha256Of(location).catch(() => "that of no file");
    if (found !== sha256) wrong.push({ path, expected: sha256, found });
  }
  return wrong;
}
