/**
 * Greedy decoding of a batch of rows: the likeliest token that a row's rules allow, until its end token, its largest
 * number of tokens, a loop, or until nobody wants it any more. Rows that are done leave the batch.
 */
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { CachedDecoder, type Heard, logitsOf, type StepLogits } from "./cached-decoder.js";
import type { DecoderForm } from "./form.js";
import { loopStart } from "./loop-guard.js";

/** Changes a row's logits in place before the next token is chosen: what must not come gets -Infinity. */
export type TokenRule = (logits: Float32Array, written: readonly number[]) => void;

export interface RowRequest {
  /** Equally long in all rows of a batch. */
  readonly prompt: readonly number[];
  readonly endToken: number;
  /** Tokens to write at most, the end token not counted. */
  readonly maxTokens: number;
  readonly rule: TokenRule;
  /** Sees the logits behind each token of the prompt, once: for a language, or whether anybody speaks. */
  onPrompt?(logitsBehind: (token: number) => Float32Array): void;
  /** Sees what the decoder's form watches, at each step; the row is at this place of the batch. */
  onStep?(watched: OnnxTensors, place: number): void;
  /** Looked at between steps; once true, the row leaves the batch. */
  isStale(): boolean;
}

export interface RowResult {
  /** Without prompt and end token; after a loop, with its first round only. */
  readonly tokens: readonly number[];
  /** Mean natural logarithm of the chosen tokens' probabilities, the end token's included; 0 if there were none. */
  readonly meanLogProbability: number;
}

export interface GreedyReport {
  /** In the order of the requests; undefined for a row that became stale. */
  readonly results: readonly (RowResult | undefined)[];
  readonly runs: number;
  /** Sum of rows over the runs. */
  readonly rows: number;
}

/** One row under way. */
class Row {
  readonly index: number;
  readonly request: RowRequest;
  readonly written: number[] = [];
  #logProbability = 0;
  #choices = 0;

  constructor(index: number, request: RowRequest) {
    this.index = index;
    this.request = request;
  }

  /** Chooses the next token. True if the row is done. */
  advance(logits: Float32Array): boolean {
    const { rule, endToken, maxTokens } = this.request;
    rule(logits, this.written);
    const choice = likeliest(logits);
    if (choice === undefined) return true;
    const { token, logProbability } = choice;
    this.#logProbability += logProbability;
    this.#choices += 1;
    if (token === endToken) return true;
    this.written.push(token);
    const loop = loopStart(this.written);
    if (loop !== undefined) this.written.length = loop;
    return loop !== undefined || this.written.length >= maxTokens;
  }

  result(): RowResult {
    const meanLogProbability = this.#choices === 0 ? 0 : this.#logProbability / this.#choices;
    return { tokens: this.written, meanLogProbability };
  }
}

/** Runs the decoder for all rows to their ends. Blocks this thread in steps of one token for all rows. */
export async function decodeGreedily(
  form: DecoderForm,
  heard: Heard,
  requests: readonly RowRequest[],
): Promise<GreedyReport> {
  const results: (RowResult | undefined)[] = requests.map(() => undefined);
  const decoder = new CachedDecoder(form, heard, requests.length);
  let batch = requests.map((request, index) => new Row(index, request));
  let runs = 0;
  let rows = 0;
  while (batch.length > 0) {
    const isFirst = runs === 0;
    const logits = await decoder.step(
      batch.map(({ request, written }) => (isFirst ? request.prompt : [written.at(-1)!])),
    );
    runs += 1;
    rows += batch.length;
    const staying: number[] = [];
    for (const [place, row] of batch.entries()) {
      if (row.request.isStale()) continue;
      row.request.onStep?.(logits.watched, place);
      if (isFirst) row.request.onPrompt?.((token) => logitsOf(logits, place, token));
      if (row.request.maxTokens > 0 && !row.advance(lastOf(logits, place))) staying.push(place);
      else results[row.index] = row.result();
    }
    if (staying.length > 0) decoder.keep(staying);
    batch = staying.map((place) => batch[place]!);
  }
  return { results, runs, rows };
}

function lastOf(logits: StepLogits, row: number): Float32Array {
  return logitsOf(logits, row, logits.tokens - 1);
}

/** The largest of the logits, the first of equals, and the logarithm of its softmax; undefined if none is a number. */
export function likeliest(logits: Float32Array): { token: number; logProbability: number } | undefined {
  let token = 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i += 1) {
    if (logits[i]! > largest) {
      largest = logits[i]!;
      token = i;
    }
  }
  return Number.isFinite(largest) ? { token, logProbability: largest - logSumExp(logits) } : undefined;
}

/** ln Σ e^x of a range, without overflow. -Infinity for none. */
export function logSumExp(values: Float32Array, from = 0, to = values.length): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i += 1) largest = Math.max(largest, values[i]!);
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  let sum = 0;
  for (let i = from; i < to; i += 1) sum += Math.exp(values[i]! - largest);
  return largest + Math.log(sum);
}

/** A rule that never lets some tokens through, and others not at the beginning. */
export function suppress(never: readonly number[], atStart: readonly number[] = []): TokenRule {
  return (logits, written) => {
    for (const token of never) logits[token] = Number.NEGATIVE_INFINITY;
    if (written.length === 0) for (const token of atStart) logits[token] = Number.NEGATIVE_INFINITY;
  };
}
