/** Finding a recogniser's files in a folder, under the names that exporters give them. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import type { DeclaredTensor } from "../../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../../gpu/onnx-model.js";
import type { TrialShapeOf } from "../../gpu/trial.js";
import type { FamilyContext } from "../family.js";

export const folderOption = z
  .string()
  .min(1)
  .describe(
    "folder of the model's files, under the names they are published with; relative to the configuration's folder",
  );

const PRECISIONS = ["int8", "fp32", "fp16"] as const;
type Precision = (typeof PRECISIONS)[number];

export const precisionOption = z
  .enum(["auto", ...PRECISIONS])
  .default("auto")
  .describe(
    "which of several files of one network to take; auto: int8 on the CPU, fp32 elsewhere, if there is a choice",
  );
export type PrecisionOption = z.infer<typeof precisionOption>;

/** An open folder: what is in it, and which of its networks are loaded. */
export class ModelFolder {
  readonly path: string;
  readonly #names: readonly string[];
  readonly #preferred: readonly Precision[];
  readonly #context: FamilyContext;
  readonly #models: OnnxModel[] = [];

  private constructor(path: string, names: readonly string[], preferred: readonly Precision[], context: FamilyContext) {
    this.path = path;
    this.#names = names;
    this.#preferred = preferred;
    this.#context = context;
  }

  /**
   * Opens a folder, and what `use` opens in it; if that fails, it is released again.
   * Throws MODEL_FILE_MISSING if there is no such folder, and what `use` throws.
   */
  static async use<Result>(
    path: string,
    precision: PrecisionOption,
    context: FamilyContext,
    use: (folder: ModelFolder) => Promise<Result>,
  ): Promise<Result> {
    const folder = await ModelFolder.#open(path, precision, context);
    try {
      return await use(folder);
    } catch (error) {
      await folder.release();
      throw error;
    }
  }

  static async #open(path: string, precision: PrecisionOption, context: FamilyContext): Promise<ModelFolder> {
    const names = await readdir(path).catch((error: unknown) => {
      throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    });
    const isOnCpu = context.device === "auto" || context.device === "cpu";
    const automatic: readonly Precision[] = isOnCpu ? PRECISIONS : ["fp32", "fp16", "int8"];
    return new ModelFolder(path, names.sort(), precision === "auto" ? automatic : [precision], context);
  }

  /** A file by one of these names, if there is one. */
  file(...names: readonly string[]): string | undefined {
    const found = names.find((name) => this.#names.includes(name));
    return found === undefined ? undefined : join(this.path, found);
  }

  /** A file that must be there. Throws MODEL_FILE_MISSING. */
  expectFile(...names: readonly string[]): string {
    const found = this.file(...names);
    if (found !== undefined) return found;
    throw new SyrinxError("MODEL_FILE_MISSING", { path: join(this.path, names.join(" or ")) });
  }

  /** Whether there is a network by this name: `role.onnx`, or `role`, a sign and more, such as `encoder-model.int8.onnx`. */
  has(role: string): boolean {
    return this.#candidates(role).length > 0;
  }

  /**
   * Opens a network. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, DEVICE_UNAVAILABLE, DEVICE_PRECISION,
   * DEVICE_WRONG_ANSWERS.
   * @param trial how to try it on an accelerator; without it, `auto` is the CPU
   */
  async model(role: string, trial?: TrialShapeOf): Promise<OnnxModel> {
    const { device, session, log } = this.#context;
    const model = await openOnnxModel({ path: this.#choose(role), device, session, ...(trial && { trial }), log });
    this.#models.push(model);
    return model;
  }

  /** Where the networks run, and their files in one line. */
  get device(): string {
    return this.#models[0]?.device ?? this.#context.device;
  }

  get description(): string {
    return this.#models.map(({ description }) => description).join("; ");
  }

  async release(): Promise<void> {
    for (const model of this.#models) await model.release();
  }

  #candidates(role: string): string[] {
    return this.#names.filter((name) => name.startsWith(role) && /^([-.].*)?\.onnx$/.test(name.slice(role.length)));
  }

  #choose(role: string): string {
    const candidates = this.#candidates(role);
    for (const precision of this.#preferred) {
      const [first, second] = candidates.filter((name) => precisionOf(name) === precision);
      if (first === undefined) continue;
      if (second === undefined) return join(this.path, first);
      const reason = `it is one of several: ${first}, ${second}; leave one in the folder`;
      throw new SyrinxError("MODEL_FILE_INVALID", { path: join(this.path, first), reason });
    }
    const sort = this.#preferred.length === 1 && this.#preferred[0] !== "fp32" ? `.${this.#preferred[0]}` : "";
    throw new SyrinxError("MODEL_FILE_MISSING", { path: join(this.path, `${role}${sort}.onnx`) });
  }
}

function precisionOf(name: string): Precision {
  if (/int8|uint8|quant/.test(name)) return "int8";
  return /fp16|float16/.test(name) ? "fp16" : "fp32";
}

export const inputOf = (model: OnnxModel, name: string): DeclaredTensor | undefined =>
  model.inputs.find((input) => input.name === name);
export const outputOf = (model: OnnxModel, name: string): DeclaredTensor | undefined =>
  model.outputs.find((output) => output.name === name);

/** A dimension that a file fixes; undefined if it leaves it free. */
export function fixedDim(tensor: DeclaredTensor | undefined, axis: number): number | undefined {
  const dim = tensor?.dims[axis];
  return typeof dim === "number" ? dim : undefined;
}

/** Runs a model for the first time. Throws MODEL_FILE_INVALID with ONNX Runtime's reason if it cannot. */
export async function firstRun<Result>(model: OnnxModel, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof SyrinxError) throw error;
    const reason = `it does not run: ${reasonOf(error).split("\n")[0]}`;
    throw new SyrinxError("MODEL_FILE_INVALID", { path: model.path, reason }, error);
  }
}
