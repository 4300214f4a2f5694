import { join, resolve } from "node:path";
import { z } from "zod";
import { packageRoot } from "../base/package-root.js";

/** The folder of the models that come with the package. */
export function starterFolder(): string {
  return join(packageRoot(), "models", "starter");
}

/** The `file` option of a family that has a model in the package. */
export const fileOption = z
  .string()
  .min(1)
  .optional()
  .describe("model file, relative to the configuration's folder; by default the one that comes with the package");

/** Where a family's model file is: as configured, else the starter model `fallback`. */
export function modelPath(file: string | undefined, baseFolder: string, fallback: string): string {
  return file === undefined ? join(starterFolder(), fallback) : resolve(baseFolder, file);
}
