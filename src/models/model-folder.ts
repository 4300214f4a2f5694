/**
 * A model's folder as it is published on a hub: JSON files at its top, ONNX files there or in `onnx/`, in one or several
 * precisions that their names tell.
 */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";

/** What a precision is called at the end of a file's name, in the order in which they are looked for. */
const SUFFIXES = {
  fp32: [""],
  fp16: ["_fp16", ".fp16"],
  int8: ["_quantized", "_int8", "_uint8", ".int8"],
  q4: ["_q4", "_bnb4"],
  q4f16: ["_q4f16"],
} as const;

export const PRECISIONS = ["fp32", "fp16", "int8", "q4", "q4f16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What suits a device best first: small integers make a CPU faster and an accelerator slower. */
const PREFERENCES = {
  cpu: ["int8", "fp32", "q4", "fp16", "q4f16"],
  accelerator: ["fp16", "fp32", "q4f16", "q4", "int8"],
} as const satisfies Record<string, readonly Precision[]>;

export const folderOption = z
  .string()
  .min(1)
  .describe("folder of the model's files as published, relative to the configuration's folder");

export const precisionOption = z
  .enum(["auto", ...PRECISIONS])
  .default("auto")
  .describe("which of the folder's files; auto: int8 on the CPU and fp16 elsewhere, if there");

export interface FileSearch {
  readonly folder: string;
  readonly precision: Precision | "auto";
  /** As configured. */
  readonly device: string;
}

/**
 * The path of the ONNX file of this name (without precision and ending), `.onnx` or `.ort`. Throws MODEL_FILE_MISSING with
 * the path that was expected.
 */
export async function findOnnxFile(search: FileSearch, name: string): Promise<string> {
  const found = await tryOnnxFile(search, name);
  if (found !== undefined) return found;
  const suffix = search.precision === "auto" ? "" : SUFFIXES[search.precision][0];
  throw new SyrinxError("MODEL_FILE_MISSING", { path: join(search.folder, "onnx", `${name}${suffix}.onnx`) });
}

/** The same, undefined if there is none. */
export async function tryOnnxFile(search: FileSearch, name: string): Promise<string | undefined> {
  const { folder, precision, device } = search;
  const isCpu = device === "cpu" || device === "auto";
  const wanted = precision === "auto" ? PREFERENCES[isCpu ? "cpu" : "accelerator"] : [precision];
  for (const each of wanted) {
    for (const suffix of SUFFIXES[each]) {
      for (const ending of [".onnx", ".ort"]) {
        for (const place of [join(folder, "onnx"), folder]) {
          const path = join(place, name + suffix + ending);
          if (await exists(path)) return path;
        }
      }
    }
  }
  return undefined;
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Reads one of a folder's JSON files; an empty object takes the place of one that is not there. Throws MODEL_FILE_INVALID
 * if it does not have the shape.
 */
export async function readJson<Shape>(folder: string, name: string, shape: z.ZodType<Shape>): Promise<Shape> {
  const path = join(folder, name);
  const text = (await exists(path)) ? await readFile(path, "utf8") : "{}";
  try {
    return shape.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : "it is not JSON";
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: reason.split("\n").join(" ") }, error);
  }
}
