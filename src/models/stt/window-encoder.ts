/**
 * Encoders that hear a stream window by window and keep caches: NeMo's cache-aware FastConformer, icefall's Zipformer.
 * What differs between them is where things stand in their tensors.
 */
import { type DeclaredTensors, type ExpectedTensor, expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatsOf, integersOf, type Rows, type RowTensor, RowTensors } from "../../gpu/row-tensors.js";
import { float32Tensor, integerTensor, integerTypeOf } from "../../gpu/tensors.js";
import { shareOutFrames, type WindowStream, type Windows } from "./encoded-stream.js";
import { firstRun, fixedDim, inputOf } from "./model-folder.js";
import type { Transcriber } from "./transcriber.js";

export interface WindowLayout {
  /** The input of feature frames: [batch, frames, bins], or [batch, bins, frames] if time is last. */
  readonly input: string;
  readonly bins: number;
  readonly isTimeLast: boolean;
  /** The input with the frames of each row. */
  readonly length?: string;
  /** The output: [batch, frames, width], or [batch, width, frames] if time is last there. */
  readonly output: string;
  readonly isOutputTimeLast: boolean;
  /** The output with the frames of each row; without one all are meant. */
  readonly outputLengths?: string;
  readonly caches: readonly RowTensor[];
}

export class WindowEncoder {
  readonly batchMax: number;
  readonly windows: Windows;
  readonly #model: OnnxModel;
  readonly #layout: WindowLayout;
  readonly #caches: RowTensors;
  /** Windows of a batch as the model takes them, and one as a stream gives it. */
  readonly #memory: Float32Array;
  readonly #window: Float32Array;

  /** Throws MODEL_TENSORS_MISMATCH. */
  constructor(model: OnnxModel, family: string, layout: WindowLayout, windows: Windows, batchMax: number) {
    expectTensors(model, family, expectedOf(model, layout, windows));
    this.batchMax = Math.min(batchMax, fixedDim(inputOf(model, layout.input), 0) ?? batchMax);
    this.windows = windows;
    this.#model = model;
    this.#layout = layout;
    this.#caches = new RowTensors(layout.caches);
    this.#window = new Float32Array(windows.frames * layout.bins);
    this.#memory = new Float32Array(this.batchMax * this.#window.length);
  }

  /** The caches of a stream that begins. */
  createCaches(): Rows {
    return this.#caches.create();
  }

  /** Runs over zeros. Returns the width of an output frame. Throws MODEL_FILE_INVALID. */
  async warm(): Promise<number> {
    const caches = this.createCaches();
    const { dims } = await firstRun(this.#model, () => this.#run([caches]));
    return dims[this.#layout.isOutputTimeLast ? 1 : 2]!;
  }

  /** One run over the next window of each stream. Returns how many there were. */
  async encode(batch: readonly WindowStream<Transcriber>[]): Promise<number> {
    for (const [row, stream] of batch.entries()) this.#fill(row, stream);
    const result = await this.#run(batch.map(({ caches }) => caches));
    for (const [row, stream] of batch.entries()) {
      const count = result.counts[row]!;
      stream.push(shareOutFrames(result, row, count, this.#layout.isOutputTimeLast), count);
    }
    return batch.length;
  }

  #fill(row: number, stream: WindowStream<Transcriber>): void {
    const at = row * this.#window.length;
    const { bins, isTimeLast } = this.#layout;
    if (!isTimeLast) {
      stream.take(this.#memory, at);
      return;
    }
    stream.take(this.#window, 0);
    const { frames } = this.windows;
    for (let frame = 0; frame < frames; frame += 1) {
      for (let bin = 0; bin < bins; bin += 1) {
        this.#memory[at + bin * frames + frame] = this.#window[frame * bins + bin]!;
      }
    }
  }

  async #run(caches: readonly Rows[]) {
    const { input, bins, isTimeLast, length, output, isOutputTimeLast, outputLengths } = this.#layout;
    const { frames } = this.windows;
    const feeds = this.#caches.gather(caches);
    const data = this.#memory.subarray(0, caches.length * this.#window.length);
    feeds[input] = float32Tensor(data, [caches.length, ...(isTimeLast ? [bins, frames] : [frames, bins])]);
    if (length !== undefined) {
      const type = integerTypeOf(inputOf(this.#model, length));
      feeds[length] = integerTensor(type, new Array<number>(caches.length).fill(frames), [caches.length]);
    }
    const outputs = await this.#model.run(feeds);
    const encoded = floatsOf(outputs, output);
    const available = encoded.dims[isOutputTimeLast ? 2 : 1]!;
    const told = outputLengths === undefined ? caches.map(() => available) : integersOf(outputs, outputLengths);
    this.#caches.scatter(outputs, caches);
    return { ...encoded, counts: told.map((count) => Math.min(count, available)) };
  }
}

function expectedOf(model: DeclaredTensors & OnnxModel, layout: WindowLayout, windows: Windows) {
  const { input, bins, isTimeLast, length, output, outputLengths, caches } = layout;
  const cache = (name: string, { type, rowDims, batchAxis }: RowTensor): ExpectedTensor => ({
    name,
    type,
    dims: [...rowDims.slice(0, batchAxis), null, ...rowDims.slice(batchAxis)],
  });
  const inputs: ExpectedTensor[] = [
    {
      name: input,
      type: "float32",
      dims: isTimeLast ? [null, bins, windows.frames] : [null, windows.frames, bins],
    },
    ...caches.map((tensor) => cache(tensor.name, tensor)),
  ];
  if (length !== undefined) inputs.push({ name: length, type: integerTypeOf(inputOf(model, length)), dims: [null] });
  const outputs: ExpectedTensor[] = [
    { name: output, type: "float32", dims: [null, null, null] },
    ...caches.map((tensor) => cache(tensor.next, tensor)),
  ];
  if (outputLengths !== undefined) outputs.push({ name: outputLengths, type: "int64", dims: [null] });
  return { inputs, outputs };
}
