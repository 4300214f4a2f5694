/** What a load was measured on. */
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
