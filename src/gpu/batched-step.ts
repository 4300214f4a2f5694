/**
 * One step of a batched model: its buffers, the sizes that it is run at, and how long it took.
 *
 * On the CPU a step has exactly as many rows as there are. An accelerator prepares (and often compiles) each new shape,
 * so there rows are filled up to the next power of two: at most twice the rows are computed, which such a device hardly
 * notices at these sizes, and a dozen shapes are warmed instead of hundreds. Rows do not see each other; what the spare
 * ones hold is left over from earlier steps, and what comes out of them is read by nobody.
 */
import { BatchBuffers, type BatchedTensor, type OnnxTensors } from "./batch-buffers.js";
import { bucketFor, warmBuckets } from "./buckets.js";
import type { OnnxModel } from "./onnx-model.js";
import { KeptStepTimes, type StepTimesLog } from "./step-times-file.js";

export interface BatchedStepSpec {
  readonly batchMax: number;
  readonly feeds: readonly BatchedTensor[];
  readonly fetches: readonly BatchedTensor[];
  /** Inputs without a batch. */
  readonly constants?: OnnxTensors;
  readonly log: StepTimesLog;
}

export class BatchedStep {
  readonly batchMax: number;
  readonly feeds: BatchBuffers;
  readonly fetches: BatchBuffers;
  /** Fed by every run; the owner of the model has it saved. */
  readonly times: KeptStepTimes;
  readonly #model: OnnxModel;
  readonly #constants: OnnxTensors;
  readonly #isPadded: boolean;
  /** By size, with the constants: made once. */
  readonly #inputs: (OnnxTensors | undefined)[] = [];

  constructor(model: OnnxModel, { batchMax, feeds, fetches, constants = {}, log }: BatchedStepSpec) {
    this.batchMax = batchMax;
    this.feeds = new BatchBuffers(batchMax, feeds);
    this.fetches = new BatchBuffers(batchMax, fetches);
    this.times = new KeptStepTimes(model.description, model.device, log);
    this.#model = model;
    this.#constants = constants;
    this.#isPadded = model.device !== "cpu";
  }

  /** The size at which so many rows are run, in [rows, batchMax]: what `putRow`, `run` and `takeRow` must be told. */
  sizeFor(rows: number): number {
    return this.#isPadded ? bucketFor(rows, this.batchMax) : rows;
  }

  /** Runs what is in `feeds` into `fetches`. Blocks the thread while the model computes. */
  async run(size: number): Promise<void> {
    const startMs = performance.now();
    await this.#model.run(this.#inputsOf(size), this.fetches.tensors(size));
    this.times.observe(size, performance.now() - startMs);
  }

  /**
   * Runs sizes before the first call does, and has the table learn from them. An accelerator prepares each size in its
   * first run, so there all are run twice; the CPU prepares nothing, and both ends tell enough: a worker that starts again
   * has somebody waiting.
   */
  async warm(): Promise<void> {
    if (this.#isPadded) {
      return warmBuckets(this.batchMax, async (size) => {
        await this.#model.run(this.#inputsOf(size), this.fetches.tensors(size));
        await this.run(size);
      });
    }
    await this.#model.run(this.#inputsOf(1), this.fetches.tensors(1));
    for (const size of new Set([1, this.batchMax])) await this.run(size);
  }

  #inputsOf(size: number): OnnxTensors {
    this.#inputs[size] ??= { ...this.feeds.tensors(size), ...this.#constants };
    return this.#inputs[size];
  }
}
