/**
 * How deep a YAML text nests, told from its tokens. The parser recurses into what it reads, and a stack that is nearly used
 * up can end the whole process inside the regular expression engine, where nothing can be caught: so depth is bounded
 * before it is called. The lexer does not recurse.
 */
import { CST, Lexer } from "yaml";

export interface DepthBounds {
  /** Brackets within brackets. */
  readonly flow: number;
  /** `-`, `?` and `:` on one line outside of brackets: each may open a level. */
  readonly indicators: number;
  /** Columns of indentation outside of brackets: each may be a level. */
  readonly columns: number;
}

/** Far from what the parser's stack takes (some 700 levels), and far above what people write. */
export const DEPTH_BOUNDS: DepthBounds = { flow: 32, indicators: 32, columns: 128 };

/** Offset of the first token that is too deep; `undefined` if none is. Linear in the text. */
export function findTooDeep(text: string, bounds: DepthBounds = DEPTH_BOUNDS): number | undefined {
  let offset = 0;
  let flow = 0;
  let indicators = 0;
  let isLineStart = true;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    if (type === "flow-seq-start" || type === "flow-map-start") flow++;
    else if (type === "flow-seq-end" || type === "flow-map-end") flow = Math.max(0, flow - 1);
    else if (type === "newline") indicators = 0;
    else if (flow === 0 && isIndicator(type)) indicators++;
    else if (flow === 0 && type === "space" && isLineStart && token.length > bounds.columns) return offset;
    if (flow > bounds.flow || indicators > bounds.indicators) return offset;
    isLineStart = type === "newline";
    // Markers that the lexer adds stand for no text.
    if (type !== "doc-mode" && type !== "flow-error-end" && type !== "scalar") offset += token.length;
  }
  return undefined;
}

function isIndicator(type: string | null): boolean {
  return type === "seq-item-ind" || type === "explicit-key-ind" || type === "map-value-ind";
}
