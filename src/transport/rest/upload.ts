import { createHash } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Upload } from "../faces/rest.js";
import type { UploadRoom } from "./upload-room.js";

/** What a client says of a file that it sends. */
export interface UploadClaims {
  readonly fileName: string | undefined;
  readonly contentType: string | undefined;
}

/** Takes a file as it comes: into memory as long as it is small, else all of it into a temporary file. */
export class UploadWriter {
  readonly #room: UploadRoom;
  readonly #claims: UploadClaims;
  readonly #hash = createHash("sha256");
  #parts: Uint8Array[] = [];
  #byteCount = 0;
  #path: string | undefined;
  #file: FileHandle | undefined;

  constructor(room: UploadRoom, claims: UploadClaims) {
    this.#room = room;
    this.#claims = claims;
  }

  /** One at a time. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#byteCount += bytes.byteLength;
    if (this.#file === undefined && this.#byteCount <= this.#room.memoryBytes) {
      this.#parts.push(bytes);
      return;
    }
    if (this.#file === undefined) {
      this.#path = join(await this.#room.folder(), this.#room.nextName());
      this.#file = await open(this.#path, "wx", 0o600);
      for (const part of this.#parts) await writeAll(this.#file, part);
      this.#parts = [];
    }
    await writeAll(this.#file, bytes);
  }

  async finish(): Promise<StoredUpload> {
    await this.#file?.close();
    this.#file = undefined;
    const what = { ...this.#claims, byteCount: this.#byteCount, sha256: this.#hash.digest("hex") };
    return new StoredUpload(what, this.#path ?? joined(this.#parts, this.#byteCount));
  }

  /** Forgets what came. */
  async discard(): Promise<void> {
    this.#parts = [];
    await this.#file?.close();
    this.#file = undefined;
    if (this.#path !== undefined) await remove(this.#path);
  }
}

/** A whole upload, in memory or in a temporary file until it is discarded. */
export class StoredUpload implements Upload {
  readonly fileName: string | undefined;
  readonly contentType: string | undefined;
  readonly byteCount: number;
  readonly sha256: string;
  /** Its bytes, or the path of the file that has them. */
  readonly source: Uint8Array | string;

  constructor({ fileName, contentType, byteCount, sha256 }: Upload, source: Uint8Array | string) {
    this.fileName = fileName;
    this.contentType = contentType;
    this.byteCount = byteCount;
    this.sha256 = sha256;
    this.source = source;
  }

  async discard(): Promise<void> {
    if (typeof this.source === "string") await remove(this.source);
  }
}

/** In memory of its own, which can be handed to another thread: small buffers of Node lie in a shared one. */
function joined(parts: readonly Uint8Array[], byteCount: number): Uint8Array {
  const all = new Uint8Array(byteCount);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
