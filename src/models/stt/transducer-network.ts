/**
 * The networks behind a transducer's encoder, in the three forms that exporters give them: a predictor with recurrent
 * state and joiner in one file, the same two in two files, and a predictor that looks at the last tokens only.
 */
import { assert } from "../../base/assert.js";
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatsOf, type Rows, type RowTensors } from "../../gpu/row-tensors.js";
import { float32Tensor, type IntegerType, integerTensor } from "../../gpu/tensors.js";

/** What is remembered of one stream's tokens. Only the network that made it looks inside. */
export interface PredictorRow {
  /** The last tokens, oldest first. */
  context: number[];
  state: Rows;
  /** The state that the last token would lead to, if there is to be another; or what the joiner takes, once known. */
  next: Rows | undefined;
  output: Float32Array | undefined;
}

export interface JointInput {
  readonly row: PredictorRow;
  /** One frame of the encoder. */
  readonly frame: Float32Array;
}

export interface TransducerNetwork {
  createRow(): PredictorRow;
  /** Logits for a batch: f32[batch × (symbols + durations)]. Changes nothing that a second step would see. */
  step(batch: readonly JointInput[]): Promise<Float32Array>;
  /** The stream's next token is this. */
  commit(row: PredictorRow, token: number): void;
}

/** A recurrent predictor's inputs, and their types, as found in its file. */
export interface TargetNames {
  readonly targets: string;
  readonly targetLength: string | undefined;
  readonly targetType: IntegerType;
  readonly lengthType: IntegerType;
}

/** Runs a file with a recurrent predictor on the last token of each row; `next` is the state behind it. */
async function runRecurrent(
  { model, states, names }: { model: OnnxModel; states: RowTensors; names: TargetNames },
  rows: readonly PredictorRow[],
  frames: OnnxTensors = {},
): Promise<OnnxTensors> {
  const { targets, targetLength, targetType, lengthType } = names;
  const feeds = { ...states.gather(rows.map(({ state }) => state)), ...frames };
  const last = rows.map(({ context }) => context[0]!);
  feeds[targets] = integerTensor(targetType, last, [rows.length, 1]);
  if (targetLength !== undefined) feeds[targetLength] = lengths(lengthType, rows.length);
  const outputs = await model.run(feeds);
  const next = rows.map(() => states.create());
  states.scatter(outputs, next);
  for (const [index, row] of rows.entries()) row.next = next[index];
  return outputs;
}

export interface FusedNames extends TargetNames {
  readonly frames: string;
  readonly logits: string;
}

/** NeMo's `decoder_joint`: every step runs both, and the state that comes out counts if a token was emitted. */
export class FusedNetwork implements TransducerNetwork {
  readonly #model: OnnxModel;
  readonly #names: FusedNames;
  readonly #states: RowTensors;
  readonly #first: number;

  /** @param first the token before the first. */
  constructor(model: OnnxModel, names: FusedNames, states: RowTensors, first: number) {
    this.#model = model;
    this.#names = names;
    this.#states = states;
    this.#first = first;
  }

  createRow(): PredictorRow {
    return { context: [this.#first], state: this.#states.create(), next: undefined, output: undefined };
  }

  async step(batch: readonly JointInput[]): Promise<Float32Array> {
    const { frames, logits } = this.#names;
    const heard = stacked(
      batch.map(({ frame }) => frame),
      3,
    );
    const parts = { model: this.#model, states: this.#states, names: this.#names };
    const rows = batch.map(({ row }) => row);
    return floatsOf(await runRecurrent(parts, rows, { [frames]: heard }), logits).data;
  }

  commit(row: PredictorRow, token: number): void {
    assert(row.next !== undefined, "a token comes of a step");
    row.state = row.next;
    row.context = [token];
  }
}

/** A predictor in a file of its own. */
export interface Predictor {
  createRow(): PredictorRow;
  /** Fills in `output`, and `next` if there is a state. */
  run(rows: readonly PredictorRow[]): Promise<void>;
}

export interface JoinerNames {
  readonly frames: string;
  readonly predicted: string;
  readonly logits: string;
  /** 3 if the inputs are [batch, width, 1], 2 if they are [batch, width]. */
  readonly rank: 2 | 3;
}

/** Predictor and joiner in two files: the predictor runs only for streams that emitted a token. */
export class SplitNetwork implements TransducerNetwork {
  readonly #predictor: Predictor;
  readonly #joiner: OnnxModel;
  readonly #names: JoinerNames;

  constructor(predictor: Predictor, joiner: OnnxModel, names: JoinerNames) {
    this.#predictor = predictor;
    this.#joiner = joiner;
    this.#names = names;
  }

  createRow(): PredictorRow {
    return this.#predictor.createRow();
  }

  async step(batch: readonly JointInput[]): Promise<Float32Array> {
    const unknown = batch.map(({ row }) => row).filter(({ output }) => output === undefined);
    if (unknown.length > 0) await this.#predictor.run(unknown);
    const { frames, predicted, logits, rank } = this.#names;
    const feeds: OnnxTensors = {
      [frames]: stacked(
        batch.map(({ frame }) => frame),
        rank,
      ),
      [predicted]: stacked(
        batch.map(({ row }) => row.output!),
        rank,
      ),
    };
    return floatsOf(await this.#joiner.run(feeds), logits).data;
  }

  commit(row: PredictorRow, token: number): void {
    row.context = [...row.context.slice(1), token];
    if (row.next !== undefined) row.state = row.next;
    row.next = row.output = undefined;
  }
}

export interface RecurrentNames extends TargetNames {
  readonly output: string;
}

/** NeMo's predictor: an LSTM over the tokens. */
export class RecurrentPredictor implements Predictor {
  readonly #model: OnnxModel;
  readonly #names: RecurrentNames;
  readonly #states: RowTensors;
  readonly #first: number;

  constructor(model: OnnxModel, names: RecurrentNames, states: RowTensors, first: number) {
    this.#model = model;
    this.#names = names;
    this.#states = states;
    this.#first = first;
  }

  createRow(): PredictorRow {
    return { context: [this.#first], state: this.#states.create(), next: undefined, output: undefined };
  }

  async run(rows: readonly PredictorRow[]): Promise<void> {
    const parts = { model: this.#model, states: this.#states, names: this.#names };
    shareOut(floatsOf(await runRecurrent(parts, rows), this.#names.output).data, rows);
  }
}

export interface StatelessNames {
  readonly tokens: string;
  readonly tokenType: IntegerType;
  readonly output: string;
  /** How many tokens it looks back. */
  readonly contextSize: number;
}

/** icefall's predictor: an embedding of the last tokens. */
export class StatelessPredictor implements Predictor {
  readonly #model: OnnxModel;
  readonly #names: StatelessNames;
  readonly #blank: number;

  constructor(model: OnnxModel, names: StatelessNames, blank: number) {
    this.#model = model;
    this.#names = names;
    this.#blank = blank;
  }

  createRow(): PredictorRow {
    const context = new Array<number>(this.#names.contextSize).fill(this.#blank);
    return { context, state: [], next: undefined, output: undefined };
  }

  async run(rows: readonly PredictorRow[]): Promise<void> {
    const { tokens, tokenType, output, contextSize } = this.#names;
    const context = rows.flatMap((row) => row.context);
    const feeds = { [tokens]: integerTensor(tokenType, context, [rows.length, contextSize]) };
    shareOut(floatsOf(await this.#model.run(feeds), output).data, rows);
  }
}

const lengths = (type: IntegerType, count: number) => integerTensor(type, new Array<number>(count).fill(1), [count]);

function stacked(rows: readonly Float32Array[], rank: 2 | 3) {
  const width = rows[0]!.length;
  const data = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) data.set(row, index * width);
  return float32Tensor(data, rank === 3 ? [rows.length, width, 1] : [rows.length, width]);
}

function shareOut(data: Float32Array, rows: readonly PredictorRow[]): void {
  const width = data.length / rows.length;
  for (const [index, row] of rows.entries()) row.output = data.slice(index * width, (index + 1) * width);
}
