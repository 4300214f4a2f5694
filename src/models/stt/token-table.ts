/**
 * A recogniser's symbols, from `tokens.txt` or `vocab.txt`: one line for each, the symbol, a space, its number. Symbols
 * are those of SentencePiece: "▁" stands for the space before a word, `<0xE4>` for one byte of a character.
 */
import { readFile } from "node:fs/promises";
import { SyrinxError } from "../../base/errors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";

/** Symbols of one table. At it: the file is refused. */
export const TOKENS_MAX = 262_144;

/** What exporters call the symbol that says nothing. */
const BLANKS = ["<blk>", "<blank>", "<eps>"];

export interface TokenTable {
  readonly path: string;
  /** By number. A number that the file leaves out is an empty text. */
  readonly pieces: readonly string[];
  readonly blank: number;
}

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readTokenTable(path: string): Promise<TokenTable> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it cannot be read" }, error);
  });
  const invalid = (reason: string) => new SyrinxError("MODEL_FILE_INVALID", { path, reason });
  const pieces: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const parts = /^(.*)[ \t]+(\d+)$/.exec(line);
    const id = Number(parts?.[2]);
    if (parts === null || id >= TOKENS_MAX) throw invalid(`line ${index + 1} is not a symbol, a space and its number`);
    pieces[id] = parts[1]!;
  }
  const blank = BLANKS.map((name) => pieces.indexOf(name)).find((id) => id >= 0);
  if (blank === undefined) throw invalid(`it has none of ${BLANKS.join(", ")}`);
  return { path, pieces: Array.from(pieces, (piece) => piece ?? ""), blank };
}

/** Throws MODEL_TENSORS_MISMATCH unless an output has one value for each symbol. */
export function expectSymbols(
  { path, pieces }: TokenTable,
  found: number,
  { model, family, output }: { model: OnnxModel; family: string; output: string },
): void {
  if (found === pieces.length) return;
  const difference = `output ${output}: expected ${pieces.length} symbols as in ${path}, found ${found}`;
  throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family, difference });
}
