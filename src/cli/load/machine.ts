/** What a load was measured on. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { packageVersion } from "../../base/package-root.js";

export function describeMachine(): Readonly<Record<string, string>> {
  return {
    machine: `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    syrinx: packageVersion(),
  };
}

const TICK_MS = 10;

/**
 * CPU time of all cores and processes since the machine began, waiting for discs excluded; proc(5). `undefined` on systems
 * without /proc.
 */
export function machineCpuMs(): number | undefined {
  try {
    const [user, nice, system, , , irq, softIrq] = readFileSync("/proc/stat", "utf8")
      .split(/\s+/)
      .slice(1, 8)
      .map(Number);
    return TICK_MS * (user! + nice! + system! + irq! + softIrq!);
  } catch {
    return undefined;
  }
}
