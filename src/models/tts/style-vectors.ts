/**
 * The voices of StyleTTS 2 models: for each voice a table of style vectors f32[rows × 256], one row for each length of
 * text. Published as one `.bin` of f32 per voice, several of them in a file, or an `.npz` with a name for each.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { isSyrinxError, reasonOf, SyrinxError } from "../../base/errors.js";
import { readNpz } from "./npz.js";

export const STYLE_FLOATS = 256;

export class StyleVectors {
  readonly names: readonly string[];
  readonly #tables: ReadonlyMap<string, Float32Array>;

  constructor(tables: ReadonlyMap<string, Float32Array>) {
    this.#tables = tables;
    this.names = [...tables.keys()].sort();
  }

  /** f32[256] of a voice for a text of so many symbols: the last row for all that are longer. */
  style(voice: string, length: number): Float32Array {
    const table = this.#tables.get(voice)!;
    const row = Math.min(Math.max(0, length), table.length / STYLE_FLOATS - 1);
    return table.subarray(row * STYLE_FLOATS, (row + 1) * STYLE_FLOATS);
  }
}

/**
 * Reads a folder of `.bin` files, one `.bin`, or an archive. In a file of several voices they are called 0, 1, …
 * @param rows of a voice's table in a `.bin`
 * Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID.
 */
export async function readStyleVectors(path: string, rows: number): Promise<StyleVectors> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    const tables = isFolder ? await readFolder(path, rows) : await readVoiceFile(path, rows);
    if (tables.size === 0) throw new TypeError("it holds no voices");
    return new StyleVectors(tables);
  } catch (error) {
    if (isSyrinxError(error)) throw error;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    }
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: reasonOf(error) }, error);
  }
}

async function readFolder(folder: string, rows: number): Promise<Map<string, Float32Array>> {
  const files = (await readdir(folder)).filter((name) => extname(name) === ".bin");
  const tables = new Map<string, Float32Array>();
  for (const file of files) {
    for (const [name, table] of await readVoiceFile(join(folder, file), rows)) tables.set(name, table);
  }
  return tables;
}

async function readVoiceFile(path: string, rows: number): Promise<Map<string, Float32Array>> {
  const bytes = await readFile(path);
  if (bytes.toString("latin1", 0, 2) === "PK") return readArchive(bytes);
  const voiceBytes = rows * STYLE_FLOATS * 4;
  if (bytes.length === 0 || bytes.length % voiceBytes !== 0) {
    const reason = `expected ${voiceBytes} bytes a voice, f32[${rows} × ${STYLE_FLOATS}], found ${bytes.length} bytes`;
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason });
  }
  const floats = Float32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
  const count = bytes.length / voiceBytes;
  const table = (at: number): Float32Array => floats.subarray(at * rows * STYLE_FLOATS, (at + 1) * rows * STYLE_FLOATS);
  if (count === 1) return new Map([[basename(path, extname(path)), table(0)]]);
  return new Map(Array.from({ length: count }, (_, at) => [String(at), table(at)]));
}

function readArchive(bytes: Uint8Array): Map<string, Float32Array> {
  const tables = new Map<string, Float32Array>();
  for (const [name, { dims, values }] of readNpz(bytes)) {
    if (dims.at(-1) !== STYLE_FLOATS || values.length === 0) {
      throw new TypeError(`expected rows of ${STYLE_FLOATS} floats for voice ${name}, found [${dims.join(", ")}]`);
    }
    tables.set(name, values);
  }
  return tables;
}
