/** The cards behind a device, as far as they can be known. */
import { execFile } from "node:child_process";
import { availableParallelism, cpus, totalmem } from "node:os";
import { promisify } from "node:util";
import type { DeviceKind } from "./devices.js";

export interface Card {
  readonly name: string;
  readonly memoryMb?: number;
  readonly freeMemoryMb?: number;
  readonly driver?: string;
}

const BYTES_PER_MB = 1024 * 1024;
const TOOL_MS_MAX = 10_000;
const FIELDS = "name,memory.total,memory.free,driver_version";

/** In the order of their numbers. WebGPU, CoreML and DirectML do not let Node ask: an empty list. Never throws. */
export async function listCards(kind: DeviceKind): Promise<readonly Card[]> {
  if (kind === "cuda") return parseNvidiaSmi(await nvidiaSmi());
  if (kind !== "cpu") return [];
  const name = `${cpus()[0]?.model.trim() || process.arch}, ${availableParallelism()} cores`;
  return [{ name, memoryMb: Math.round(totalmem() / BYTES_PER_MB) }];
}

/** Lines of `--format=csv,noheader,nounits`. A field that the driver does not tell is `[N/A]`. */
export function parseNvidiaSmi(text: string): Card[] {
  return text
    .split("\n")
    .map((line) => line.split(",").map((field) => field.trim()))
    .filter((fields) => fields.length === FIELDS.split(",").length)
    .map(([name, total, free, driver]) => ({
      name: name!,
      ...numberOf("memoryMb", total!),
      ...numberOf("freeMemoryMb", free!),
      ...(/^\d/.test(driver!) && { driver: driver! }),
    }));
}

function numberOf<Key extends string>(key: Key, text: string): { [K in Key]?: number } {
  return /^\d+$/.test(text) ? ({ [key]: Number(text) } as { [K in Key]?: number }) : {};
}

async function nvidiaSmi(): Promise<string> {
  const args = [`--query-gpu=${FIELDS}`, "--format=csv,noheader,nounits"];
  return promisify(execFile)("nvidia-smi", args, { timeout: TOOL_MS_MAX }).then(
    ({ stdout }) => stdout,
    () => "",
  );
}
