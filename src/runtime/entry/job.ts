/** Stateless work on piscina's threads: nothing here touches a call, a ring or a model. */
import { readFile } from "node:fs/promises";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { decodeChannels } from "../../audio/decode.js";
import { SyrinxError, toWire } from "../../base/errors.js";
import type { DecodedUpload, JobResult, Upload } from "../jobs.js";

/** Decodes a recording. Errors come back as data: a thrown one would lose its code. */
export async function decodeUpload(upload: Upload): Promise<JobResult<DecodedUpload>> {
  try {
    const bytes = "bytes" in upload ? upload.bytes : await read(upload.path);
    const decoded = await decodeChannels(bytes, upload);
    return transferred(
      { ok: decoded },
      decoded.pcm.map((pcm) => pcm.buffer),
    );
  } catch (error) {
    return { error: toWire(error) };
  }
}

async function read(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new SyrinxError("AUDIO_FILE_MISSING", { path });
    throw new SyrinxError("AUDIO_DECODE_FAILED", { path, reason: error.message }, error);
  });
}

/** The result without a copy of its buffers, in the form that piscina looks for. */
function transferred<T>(value: T, buffers: readonly ArrayBuffer[]): T {
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value } as never) as T;
}
