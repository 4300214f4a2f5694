/** Digests of content that streams by. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** sha256, and git's sha1 of the same bytes, which needs their number beforehand. */
export class ContentHash {
  readonly #sha256 = createHash("sha256");
  readonly #git = createHash("sha1");

  constructor(byteCount: number) {
    this.#git.update(`blob ${byteCount}\0`);
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    this.#git.update(bytes);
  }

  /** Once. */
  finish(): { readonly sha256: string; readonly gitSha1: string } {
    return { sha256: this.#sha256.digest("hex"), gitSha1: this.#git.digest("hex") };
  }
}

/** Of a file on this disk. Rejects if it cannot be read. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
