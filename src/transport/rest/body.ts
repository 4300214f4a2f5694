import type { IncomingMessage } from "node:http";
import { SyrinxError } from "../../base/errors.js";
import type { RestBody } from "../faces/rest.js";
import type { TransportLimits } from "../limits.js";
import { chunksOf } from "./chunks.js";
import { FormReader } from "./form.js";
import { StoredUpload, UploadWriter } from "./upload.js";
import type { BodyRoom, UploadRoom } from "./upload-room.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });

export interface BodySetup {
  readonly request: IncomingMessage;
  readonly uploads: UploadRoom;
  /** Takes what the body needs; its owner frees it. */
  readonly room: BodyRoom;
  readonly limits: TransportLimits;
  /** The body is wanted: called before it is read, if there is one. */
  readonly ask: () => void;
}

/**
 * Reads a request's body by its content type: JSON, a form, nothing, or else a recording. Throws HTTP_BODY_INVALID,
 * HTTP_BODY_SIZE, HTTP_BODY_TIMEOUT, HTTP_BUSY; nothing of the body is left then. Afterwards, see {@link discardBody}.
 */
export async function readBody({ request, uploads, room, limits, ask }: BodySetup): Promise<RestBody> {
  const type = request.headers["content-type"] ?? "";
  const [mime = ""] = type.split(";", 1);
  const announced = Number(request.headers["content-length"] ?? 0);
  const hasBody = announced > 0 || request.headers["transfer-encoding"] !== undefined;
  if (!hasBody) return { kind: "none" };
  const limit = isJson(mime) ? limits.restJsonBytes : limits.restBodyBytes;
  // Refused before a byte of it is read.
  if (announced > limit) throw new SyrinxError("HTTP_BODY_SIZE", { part: "body", limit });
  ask();
  const chunks = measured(chunksOf(request, limits.restStallMs), room, limit);
  if (isJson(mime)) return readJson(chunks);
  if (mime.trim().toLowerCase() === "multipart/form-data") return readForm(chunks, type, uploads, limits);
  return readBytes(chunks, mime.trim() === "" ? undefined : mime.trim(), uploads);
}

export async function discardBody(body: RestBody): Promise<void> {
  const stored = body.kind === "bytes" ? [body.upload] : body.kind === "form" ? [...body.files.values()] : [];
  for (const upload of stored) if (upload instanceof StoredUpload) await upload.discard();
}

async function* measured(chunks: AsyncIterable<Uint8Array>, room: BodyRoom, limit: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    room.grow(chunk.byteLength, limit);
    yield chunk;
  }
}

async function readJson(chunks: AsyncIterable<Uint8Array>): Promise<RestBody> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  try {
    return { kind: "json", value: JSON.parse(utf8.decode(Buffer.concat(parts))) as unknown };
  } catch (error) {
    // The parser's own sentence quotes the body.
    throw new SyrinxError("HTTP_BODY_INVALID", { problem: "it is not JSON in UTF-8" }, error);
  }
}

async function readBytes(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string | undefined,
  uploads: UploadRoom,
): Promise<RestBody> {
  const writer = new UploadWriter(uploads, { fileName: undefined, contentType });
  try {
    for await (const chunk of chunks) await writer.write(chunk);
    return { kind: "bytes", upload: await writer.finish() };
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

async function readForm(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string,
  uploads: UploadRoom,
  limits: TransportLimits,
): Promise<RestBody> {
  const reader = new FormReader(contentType, uploads, limits);
  try {
    for await (const chunk of chunks) await reader.write(chunk);
    return await reader.finish();
  } catch (error) {
    await reader.discard();
    throw error;
  }
}

function isJson(mime: string): boolean {
  return /^\s*application\/(?:[\w.-]+\+)?json\s*$/i.test(mime);
}
