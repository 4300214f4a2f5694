/**
 * An engine for filters of speech that work on spectra: one window's spectrum and all recurrent state in, the filtered
 * spectrum and the next state out, one tensor each. A family says which tensors a file has; here calls become batches.
 *
 * A file whose batch is fixed to 1 takes the calls of a step one by one, any other as many as the batch limit allows.
 */
import { BatchBuffers, type BatchedTensor } from "../gpu/batch-buffers.js";
import { type ExpectedTensor, expectTensors } from "../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import type { TrialShape } from "../gpu/trial.js";
import type { DenoiseModel, FamilyContext } from "./family.js";
import type { Stft } from "./front-ends/stft.js";

/** A tensor that goes in and comes out: what it is without the batch, and where the batch stands. */
export interface FilteredTensor {
  readonly input: string;
  readonly output: string;
  /** Dimensions without the batch. */
  readonly rowDims: readonly number[];
  readonly batchAxis: number;
}

export interface StreamFilterSpec {
  /** The family's name, for errors. */
  readonly family: string;
  readonly stft: Stft;
  /** Floats of a row: re and im of each bin in turn. */
  readonly spectrum: FilteredTensor;
  /** Zeros are the beginning of each. */
  readonly states: readonly FilteredTensor[];
}

/** Loads, checks and warms a filter. Blocks this thread while it does. Throws as {@link openOnnxModel}, and MODEL_TENSORS_MISMATCH. */
export async function openStreamFilter(
  path: string,
  spec: StreamFilterSpec,
  context: FamilyContext,
): Promise<DenoiseModel> {
  const { device, session, log } = context;
  const model = await openOnnxModel({ path, device, session, trial: trialOf(spec), log });
  const isBatched = checkTensors(model, spec);
  const filter = new StreamFilter(model, spec, isBatched ? context.batchMax : 1);
  await filter.warm();
  return filter;
}

/** One row, which files whose batch is fixed take too. */
function trialOf({ spectrum, states }: StreamFilterSpec): TrialShape {
  const dims = [spectrum, ...states].map(
    ({ input, rowDims, batchAxis }) => [input, rowDims.toSpliced(batchAxis, 0, 1)] as const,
  );
  return { dims: Object.fromEntries(dims) };
}

/** Returns true if the file leaves the batch free. */
function checkTensors(model: OnnxModel, { family, spectrum, states }: StreamFilterSpec): boolean {
  const found = model.inputs.find(({ name }) => name === spectrum.input)?.dims[spectrum.batchAxis];
  const batch = typeof found === "string" ? "batch" : 1;
  const expected = (name: string, { rowDims, batchAxis }: FilteredTensor): ExpectedTensor => ({
    name,
    type: "float32",
    dims: [...rowDims.slice(0, batchAxis), batch, ...rowDims.slice(batchAxis)],
  });
  const tensors = [spectrum, ...states];
  expectTensors(model, family, {
    inputs: tensors.map((tensor) => expected(tensor.input, tensor)),
    outputs: tensors.map((tensor) => expected(tensor.output, tensor)),
  });
  return batch !== 1;
}

interface StateTensor extends FilteredTensor {
  /** Where it stands in a call's state, and how long it is. */
  readonly at: number;
  readonly floats: number;
}

/** A call's state: the model's, tensor by tensor, then the transform's carry and tail. */
class StreamFilter implements DenoiseModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples: number;
  readonly lagSamples: number;
  readonly stateFloats: number;
  readonly #model: OnnxModel;
  readonly #stft: Stft;
  readonly #spectrum: FilteredTensor;
  readonly #states: readonly StateTensor[];
  readonly #carryAt: number;
  readonly #tailAt: number;
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;

  constructor(model: OnnxModel, { stft, spectrum, states }: StreamFilterSpec, batchMax: number) {
    this.device = model.device;
    this.description = model.description;
    this.windowSamples = stft.hop;
    this.lagSamples = stft.overlap;
    this.#model = model;
    this.#stft = stft;
    this.#spectrum = spectrum;
    let at = 0;
    this.#states = states.map((tensor) => {
      const floats = tensor.rowDims.reduce((product, dim) => product * dim, 1);
      at += floats;
      return { ...tensor, at: at - floats, floats };
    });
    this.#carryAt = at;
    this.#tailAt = at + stft.overlap;
    this.stateFloats = at + 2 * stft.overlap;
    const tensors = [spectrum, ...states];
    const named = (name: string, { rowDims, batchAxis }: FilteredTensor): BatchedTensor => ({
      name,
      rowDims,
      batchAxis,
    });
    this.#feeds = new BatchBuffers(
      batchMax,
      tensors.map((tensor) => named(tensor.input, tensor)),
    );
    this.#fetches = new BatchBuffers(
      batchMax,
      tensors.map((tensor) => named(tensor.output, tensor)),
    );
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], output: Float32Array): Promise<void> {
    const { batchMax } = this.#feeds;
    const rowFloats = 2 * this.#stft.bins;
    const spectra = new Float32Array(rowFloats);
    for (let start = 0; start < count; start += batchMax) {
      const rows = Math.min(batchMax, count - start);
      // The carries move on before the run: on a failure the worker starts anew from what was saved.
      for (let row = 0; row < rows; row += 1) this.#gather(rows, row, pcm, start + row, states[start + row]!, spectra);
      await this.#run(rows);
      for (let row = 0; row < rows; row += 1)
        this.#scatter(rows, row, states[start + row]!, output, start + row, spectra);
    }
  }

  async warm(): Promise<void> {
    for (const rows of new Set([1, this.#feeds.batchMax])) await this.#run(rows);
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  #gather(
    rows: number,
    row: number,
    pcm: Float32Array,
    window: number,
    state: Float32Array,
    spectrum: Float32Array,
  ): void {
    this.#stft.analyse(state, this.#carryAt, pcm, window * this.windowSamples, spectrum, 0);
    this.#feeds.putRow(this.#spectrum.input, rows, row, spectrum);
    for (const { input, at } of this.#states) this.#feeds.putRow(input, rows, row, state.subarray(at));
  }

  #scatter(
    rows: number,
    row: number,
    state: Float32Array,
    output: Float32Array,
    window: number,
    spectrum: Float32Array,
  ): void {
    for (const { output: name, at } of this.#states) this.#fetches.takeRow(name, rows, row, state.subarray(at));
    this.#fetches.takeRow(this.#spectrum.output, rows, row, spectrum);
    this.#stft.synthesise(spectrum, 0, state, this.#tailAt, output, window * this.windowSamples);
  }

  async #run(rows: number): Promise<void> {
    await this.#model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
  }
}
