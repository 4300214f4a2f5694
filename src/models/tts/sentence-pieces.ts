/**
 * Splits text into the pieces of a SentencePiece unigram vocabulary: the split whose pieces' log-probabilities sum to the
 * most (Kudo 2018), found from the end. What no piece covers is said byte by byte, with the vocabulary's `<0xNN>`.
 */
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import { parseJson, readTextFile } from "./phoneme-ids.js";

/** How SentencePiece writes a space. */
const SPACE = "\u2581";

interface Piece {
  readonly id: number;
  /** Natural log of the probability. */
  readonly score: number;
}

export class SentencePieces {
  readonly #pieces: ReadonlyMap<string, Piece>;
  readonly #lengthMax: number;

  constructor(pieces: ReadonlyMap<string, Piece>) {
    this.#pieces = pieces;
    this.#lengthMax = Math.max(1, ...[...pieces.keys()].map((piece) => piece.length));
  }

  /** The ids of a text, as if it began with a space. */
  encode(text: string): number[] {
    const spaced = ` ${text.trimStart()}`.replaceAll(" ", SPACE);
    const best: { score: number; ids: readonly number[]; next: number }[] = [];
    best[spaced.length] = { score: 0, ids: [], next: spaced.length };
    for (let at = spaced.length - 1; at >= 0; at -= 1) best[at] = this.#bestFrom(spaced, at, best);
    const ids: number[] = [];
    for (let at = 0; at < spaced.length; at = best[at]!.next) ids.push(...best[at]!.ids);
    return ids;
  }

  #bestFrom(text: string, at: number, later: readonly { readonly score: number }[]) {
    let best: { score: number; ids: readonly number[]; next: number } | undefined;
    for (let next = at + 1; next <= Math.min(text.length, at + this.#lengthMax); next += 1) {
      const piece = this.#pieces.get(text.slice(at, next));
      if (piece === undefined) continue;
      const score = piece.score + later[next]!.score;
      if (best === undefined || score > best.score) best = { score, ids: [piece.id], next };
    }
    return best ?? this.#bytesOf(text, at, later);
  }

  #bytesOf(text: string, at: number, later: readonly { readonly score: number }[]) {
    const character = String.fromCodePoint(text.codePointAt(at)!);
    const next = at + character.length;
    const bytes = [...Buffer.from(character)].flatMap((byte) => {
      return this.#pieces.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`) ?? [];
    });
    const score = bytes.reduce((sum, piece) => sum + piece.score, later[next]?.score ?? 0);
    return { score, ids: bytes.map(({ id }) => id), next };
  }
}

const numbers = z.record(z.string(), z.number());

/**
 * Reads a vocabulary as two JSON objects: the ids and the scores of the pieces.
 * Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID.
 */
export async function readSentencePieces(idsPath: string, scoresPath: string): Promise<SentencePieces> {
  const ids = await readNumbers(idsPath);
  const scores = await readNumbers(scoresPath);
  const pieces = Object.entries(ids).map(([piece, id]): [string, Piece] => [piece, { id, score: scores[piece] ?? 0 }]);
  return new SentencePieces(new Map(pieces));
}

async function readNumbers(path: string): Promise<Readonly<Record<string, number>>> {
  const parsed = numbers.safeParse(parseJson(path, await readTextFile(path)));
  if (parsed.success && Object.keys(parsed.data).length > 0) return parsed.data;
  throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "expected an object of pieces and their numbers" });
}
