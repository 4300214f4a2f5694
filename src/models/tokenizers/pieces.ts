/**
 * Vocabularies that are plain lists of pieces, as SentencePiece's are published for recognisers:
 *
 * - `tokens.txt`: lines of a piece, a space and an id. Whisper's have pieces in base64, and mean them as they are.
 * - `tokenizer.bin` of Moonshine: for each piece its length in bytes (one byte below 128, otherwise two: the first less
 *   128, plus 128 times the second), then the bytes (github.com/moonshine-ai/moonshine, core/bin-tokenizer).
 *
 * U+2581 in a piece is a space. A piece `<0xE4>` is that byte; other pieces in angle brackets are special.
 */
import { SyrinxError } from "../../base/errors.js";
import { readVocabulary, type Tokenizer } from "./tokenizer.js";

/** Larger vocabularies are refused: the file is something else. */
const PIECES_MAX = 1_000_000;
const SPACE = Buffer.from("▁");

export class Pieces implements Tokenizer {
  readonly #pieces: readonly (Uint8Array | undefined)[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #isLiteral: boolean;

  /**
   * @param pieces by id; undefined where there is none.
   * @param isLiteral pieces are the bytes of the text, spaces at its ends too.
   */
  constructor(pieces: readonly (Uint8Array | undefined)[], isLiteral = false) {
    this.#ids = new Map(
      pieces.flatMap((piece, id) => (piece === undefined ? [] : [[Buffer.from(piece).toString(), id]])),
    );
    this.#isLiteral = isLiteral;
    this.#pieces = isLiteral ? pieces : pieces.map((piece) => piece && textBytes(piece));
  }

  get size(): number {
    return this.#pieces.length;
  }

  decode(ids: readonly number[]): string {
    const bytes = Buffer.concat(ids.flatMap((id) => this.#pieces[id] ?? []));
    const text = bytes.toString("utf8");
    return this.#isLiteral ? text : text.trim();
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }
}

/** What a piece writes; nothing if it is special. */
function textBytes(piece: Uint8Array): Uint8Array {
  const text = Buffer.from(piece).toString("latin1");
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)?.[1];
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  if (text.length > 2 && text.startsWith("<") && text.endsWith(">")) return new Uint8Array(0);
  return Buffer.from(text.replaceAll(SPACE.toString("latin1"), " "), "latin1");
}

/** Reads Moonshine's tokenizer.bin. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readBinTokenizer(path: string): Promise<Tokenizer> {
  const bytes = await readVocabulary(path);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length && pieces.length <= PIECES_MAX; ) {
    const first = bytes[at]!;
    const byteCount = first < 128 ? first : (bytes[at + 1] ?? Number.NaN) * 128 + first - 128;
    at += first < 128 ? 1 : 2;
    if (!(at + byteCount <= bytes.length)) {
      throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it ends within a token" });
    }
    pieces.push(bytes.subarray(at, at + byteCount));
    at += byteCount;
  }
  if (pieces.length === 0 || pieces.length > PIECES_MAX) {
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it is no list of tokens" });
  }
  return new Pieces(pieces);
}

/** Reads a tokens.txt. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readPieceTable(path: string, encoding: "utf8" | "base64" = "utf8"): Promise<Tokenizer> {
  const lines = (await readVocabulary(path)).toString("utf8").split(/\r?\n/);
  const pieces: (Uint8Array | undefined)[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === "") continue;
    const parts = /^(.*?)[ \t]+(\d+)$/.exec(line);
    const id = Number(parts?.[2]);
    if (parts === null || !(id < PIECES_MAX)) {
      const reason = `line ${index + 1} is not a token, a space and its number`;
      throw new SyrinxError("MODEL_FILE_INVALID", { path, reason });
    }
    while (pieces.length < id) pieces.push(undefined);
    pieces[id] = Buffer.from(parts[1]!, encoding);
  }
  if (pieces.length === 0) throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it is no list of tokens" });
  return new Pieces(pieces, encoding === "base64");
}
