/**
 * A decoder with a cache, over a batch of rows that stand at the same step: published decoders have one position for all
 * rows of a run, so rows that begin together go on together, and those that are done leave. What the steps carry on
 * stays in the tensors that ONNX Runtime made, and goes back into it as it is.
 */
import { assert } from "../../base/assert.js";
import type { OnnxTensor, OnnxTensors } from "../../gpu/batch-buffers.js";
import { floatsOf, integerTensor, keepRows, zeroFloats } from "../../gpu/tensors.js";
import type { Carried, DecoderFile, DecoderForm } from "./form.js";

/** What the encoder says about a batch, under the names of the decoder's inputs. */
export type Heard = Readonly<Record<string, { readonly tensor: OnnxTensor; readonly batchAxis: number }>>;

/** The logits of a step: f32[rows × tokens × vocabulary]. */
export interface StepLogits {
  readonly data: Float32Array;
  readonly tokens: number;
  readonly vocabulary: number;
  /** The form's watched outputs. */
  readonly watched: OnnxTensors;
}

/** A view of one row's logits behind one of its tokens, which may be changed. */
export function logitsOf({ data, tokens, vocabulary }: StepLogits, row: number, token: number): Float32Array {
  const start = (row * tokens + token) * vocabulary;
  return data.subarray(start, start + vocabulary);
}

export class CachedDecoder {
  readonly #form: DecoderForm;
  readonly #heard: Map<string, { tensor: OnnxTensor; batchAxis: number }>;
  readonly #cache = new Map<string, OnnxTensor>();
  #rows: number;
  #tokenCount = 0;

  /** A batch that has said nothing. Holds `heard`, and what the steps carry on, until it is forgotten itself. */
  constructor(form: DecoderForm, heard: Heard, rows: number) {
    assert(rows >= 1 && rows <= form.batchMax, "a decoder's batch has a row, and no more than its file takes");
    this.#form = form;
    this.#heard = new Map(Object.entries(heard));
    this.#rows = rows;
  }

  /**
   * Advances every row by its tokens, of which all rows have equally many: the prompt first, then one by one.
   * @param isLast nothing is carried on: no step may follow.
   */
  async step(tokens: readonly (readonly number[])[], isLast = false): Promise<StepLogits> {
    const form = this.#form;
    const isFirst = this.#tokenCount === 0;
    const file = isFirst ? form.first : form.later;
    const width = tokens[0]?.length ?? 0;
    assert(tokens.length === this.#rows && width > 0, "each row has its tokens");
    assert(
      tokens.every(({ length }) => length === width),
      "rows of a batch have equally many tokens",
    );
    const tokensBefore = this.#tokenCount;
    this.#tokenCount += width;
    const ids = integerTensor(file.tokens.type, tokens.flat(), [this.#rows, width]);
    const extras = form.extras({ isFirst, tokenCount: this.#tokenCount, tokensBefore });
    const feeds = { [file.tokens.name]: ids, ...this.#heardFor(file), ...this.#carriedIn(isFirst), ...extras };
    const wanted = isLast ? [] : form.carried.filter(({ isFixed }) => isFirst || !isFixed);
    const watched = isLast ? [] : (form.watched ?? []);
    const outputOf = ({ output, firstOutput }: Carried) => (isFirst ? (firstOutput ?? output) : output);
    const outputs = await file.model.run(feeds, [file.logits, ...wanted.map(outputOf), ...watched]);
    for (const carried of wanted) this.#cache.set(carried.input, outputs[outputOf(carried)]!);
    const logits = outputs[file.logits]!;
    return {
      data: floatsOf(logits),
      tokens: width,
      vocabulary: logits.dims.at(-1)!,
      watched: Object.fromEntries(watched.map((name) => [name, outputs[name]!])),
    };
  }

  /** Only `rows` (ascending) go on. */
  keep(rows: readonly number[]): void {
    if (rows.length === this.#rows) return;
    for (const { input, batchAxis } of this.#form.carried) {
      const tensor = this.#cache.get(input);
      if (tensor !== undefined) this.#cache.set(input, keepRows(tensor, batchAxis, rows));
    }
    for (const [name, { tensor, batchAxis }] of this.#heard) {
      this.#heard.set(name, { tensor: keepRows(tensor, batchAxis, rows), batchAxis });
    }
    this.#rows = rows.length;
  }

  #heardFor({ model, heard: names }: DecoderFile): OnnxTensors {
    const feeds: OnnxTensors = {};
    for (const [name, { tensor }] of this.#heard) {
      const input = names?.[name] ?? name;
      if (model.inputs.some((declared) => declared.name === input)) feeds[input] = tensor;
    }
    return feeds;
  }

  #carriedIn(isFirst: boolean): OnnxTensors {
    const feeds: OnnxTensors = {};
    for (const { input, first } of this.#form.carried) {
      if (!isFirst) feeds[input] = this.#cache.get(input)!;
      else if (first !== undefined) feeds[input] = zeroFloats(first.type, first.dims(this.#rows));
    }
    return feeds;
  }
}
