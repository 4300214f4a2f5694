import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import type { RestBody } from "../faces/rest.js";
import type { TransportLimits } from "../limits.js";
import { type StoredUpload, UploadWriter } from "./upload.js";
import type { UploadRoom } from "./upload-room.js";

type Form = Extract<RestBody, { kind: "form" }>;

/** Bytes of a field's name. Longer ones are cut, and then nobody knows them. */
const NAME_BYTES_MAX = 100;
/** Headers of one part. Those beyond are passed over. */
const PART_HEADERS_MAX = 20;
const PART_HEADER_BYTES_MAX = 8 * 1024;

/**
 * Reads `multipart/form-data` (RFC 7578) as it comes. A field or a file that comes twice: fields keep all values, of
 * files the last one counts. On any error the files are discarded.
 */
export class FormReader {
  readonly #room: UploadRoom;
  readonly #limits: TransportLimits;
  readonly #parser: BusboyInstance;
  readonly #fields = new Map<string, string[]>();
  readonly #writers: { readonly name: string; readonly writer: UploadWriter }[] = [];
  /** Pieces of files that the parser has cut out and that are not written yet. */
  #pieces: { readonly writer: UploadWriter; readonly bytes: Uint8Array }[] = [];
  #failure: SyrinxError | undefined;
  #isFinished = false;

  /** Throws HTTP_BODY_INVALID if the content type names no boundary. */
  constructor(contentType: string, room: UploadRoom, limits: TransportLimits) {
    this.#room = room;
    this.#limits = limits;
    try {
      this.#parser = this.#createParser(contentType);
    } catch (error) {
      throw broken(reasonOf(error));
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#parser.write(bytes, () => resolve()));
    await this.#settle();
  }

  async finish(): Promise<Form> {
    await new Promise<void>((resolve) => {
      this.#parser.once("finish", resolve);
      this.#parser.once("error", () => resolve());
      this.#parser.end();
    });
    await this.#settle();
    if (!this.#isFinished) throw broken("it ends before its last boundary");
    const files = new Map<string, StoredUpload>();
    for (const { name, writer } of this.#writers) {
      await files.get(name)?.discard();
      files.set(name, await writer.finish());
    }
    return { kind: "form", fields: this.#fields, files };
  }

  async discard(): Promise<void> {
    this.#parser.destroy();
    for (const { writer } of this.#writers) await writer.discard();
  }

  #createParser(contentType: string): BusboyInstance {
    const { restFormFields, restFormFiles, restFieldBytes } = this.#limits;
    const parser = new Busboy({
      headers: { "content-type": contentType },
      preservePath: true,
      limits: {
        fieldNameSize: NAME_BYTES_MAX,
        fieldSize: restFieldBytes,
        fields: restFormFields,
        files: restFormFiles,
        headerPairs: PART_HEADERS_MAX,
        headerSize: PART_HEADER_BYTES_MAX,
      },
    });
    parser.on("field", (name, value, _isNameCut, isValueCut) => {
      if (isValueCut) this.#fail(new SyrinxError("HTTP_BODY_SIZE", { part: "field", limit: restFieldBytes }));
      this.#field(name, value);
    });
    parser.on("file", (name, stream, fileName, _encoding, type) => this.#file(name, stream, fileName, type));
    parser.on("fieldsLimit", () => this.#fail(broken(`it has more than ${restFormFields} fields`)));
    parser.on("filesLimit", () => this.#fail(broken(`it has more than ${restFormFiles} files`)));
    parser.on("finish", () => {
      this.#isFinished = true;
    });
    parser.on("error", (error) => this.#fail(broken(reasonOf(error))));
    return parser;
  }

  #field(name: string | undefined, value: string): void {
    if (name === undefined) return;
    const values = this.#fields.get(name);
    if (values === undefined) this.#fields.set(name, [value]);
    else values.push(value);
  }

  #file(name: string | undefined, stream: BusboyFileStream, fileName: string, contentType: string): void {
    const writer = new UploadWriter(this.#room, { fileName, contentType });
    this.#writers.push({ name: name ?? "", writer });
    stream.on("data", (bytes: Buffer) => this.#pieces.push({ writer, bytes }));
    // The parser says it too.
    stream.on("error", () => {});
  }

  /** Writes what the parser has cut out so far. Throws what went wrong meanwhile. */
  async #settle(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    for (const { writer, bytes } of pieces) await writer.write(bytes);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: SyrinxError): void {
    this.#failure ??= error;
  }
}

function broken(problem: string): SyrinxError {
  return new SyrinxError("HTTP_BODY_INVALID", { problem: `its form is broken: ${problem}` });
}
