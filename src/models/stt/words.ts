/** Text and words from the tokens that a decoder emitted. */
import type { Hypothesis, Word } from "../family.js";
import type { TokenTable } from "./token-table.js";

export interface EmittedToken {
  readonly id: number;
  /** Encoder frames since the stream's first: the token is heard in `[startFrame, endFrame)`. */
  readonly startFrame: number;
  readonly endFrame: number;
  /** In [0, 1]. */
  readonly probability: number;
}

export interface Timing {
  /** Samples that one encoder frame stands for. */
  readonly frameSamples: number;
  /** Samples of the stream; no word ends later. */
  readonly sampleCount: number;
}

/** A word as it grows. */
interface Draft {
  text: string;
  /** Written without a space before it, as Chinese and Japanese are. */
  readonly isJoined: boolean;
  startFrame: number;
  endFrame: number;
  probabilitySum: number;
  tokenCount: number;
}

const BYTE = /^<0x([0-9A-Fa-f]{2})>$/;
/** `<unk>`, `<|en|>` and their like: signs to the decoder, not text. */
const SIGN = /^<.*>$/;
const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** What was said. `stableChars` is 0: whoever decodes knows what may still change. */
export function hypothesisOf(tokens: readonly EmittedToken[], table: TokenTable, timing: Timing): Hypothesis {
  const drafts = draftWords(tokens, table).filter(({ text }) => text !== "");
  const text = drafts.reduce((all, word, i) => `${all}${i === 0 || word.isJoined ? "" : " "}${word.text}`, "");
  const sum = drafts.reduce((total, { probabilitySum }) => total + probabilitySum, 0);
  const count = drafts.reduce((total, { tokenCount }) => total + tokenCount, 0);
  return {
    text,
    words: drafts.map((draft) => finished(draft, timing)),
    stableChars: 0,
    confidence: count === 0 ? 0 : Math.min(1, sum / count),
  };
}

function finished(draft: Draft, { frameSamples, sampleCount }: Timing): Word {
  return {
    text: draft.text,
    startSample: Math.min(sampleCount, draft.startFrame * frameSamples),
    endSample: Math.min(sampleCount, draft.endFrame * frameSamples),
    confidence: Math.min(1, draft.probabilitySum / draft.tokenCount),
  };
}

function draftWords(tokens: readonly EmittedToken[], { pieces }: TokenTable): Draft[] {
  const drafts: Draft[] = [];
  // A character may be spread over tokens. What is incomplete at the end is left out.
  let utf8 = new TextDecoder();
  for (const token of tokens) {
    const piece = pieces[token.id] ?? "";
    const byte = BYTE.exec(piece)?.[1];
    let text = "";
    if (byte !== undefined) text = utf8.decode(Uint8Array.of(Number.parseInt(byte, 16)), { stream: true });
    else {
      text = utf8.decode() + (SIGN.test(piece) ? "" : piece);
      utf8 = new TextDecoder();
    }
    append(drafts, text, token);
  }
  return drafts;
}

/** Everything behind a "▁" begins a word; what comes before the first belongs to the word under way. */
function append(drafts: Draft[], text: string, token: EmittedToken): void {
  for (const [index, part] of text.split("▁").entries()) {
    const isJoined = index === 0 && UNSPACED.test(part);
    let draft = drafts.at(-1);
    if (draft === undefined || index > 0 || isJoined) {
      const { startFrame, endFrame } = token;
      draft = { text: "", isJoined, startFrame, endFrame, probabilitySum: 0, tokenCount: 0 };
      drafts.push(draft);
    }
    if (part === "") continue;
    if (draft.text === "") draft.startFrame = token.startFrame;
    draft.text += part;
    draft.endFrame = token.endFrame;
    draft.probabilitySum += token.probability;
    draft.tokenCount += 1;
  }
}
