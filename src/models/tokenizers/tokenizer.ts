/** From the token ids that a recogniser writes to text. One form for all the files in which vocabularies are published. */
import { readFile } from "node:fs/promises";
import { SyrinxError } from "../../base/errors.js";

export interface Tokenizer {
  /** Ids are below this. */
  readonly size: number;
  /** The text of tokens. Special ones (`<|en|>`, `</s>`) have none; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The id of the token that is written exactly so. */
  idOf(token: string): number | undefined;
}

/** Reads a vocabulary's file. Throws MODEL_FILE_MISSING, and MODEL_FILE_INVALID if it cannot be read. */
export async function readVocabulary(path: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it cannot be read" }, error);
  });
}
