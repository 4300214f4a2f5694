/** What the numbers were measured on, and who else used it meanwhile. */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";

/** Cores that others kept busy on average while the bench ran; `undefined` where the system does not tell. */
export class ForeignLoad {
  readonly #before = readTicks();

  /** Call when all child processes have ended: only then are their ticks known as ours. */
  cores(): number | undefined {
    const before = this.#before;
    const after = readTicks();
    if (before === undefined || after === undefined) return undefined;
    const elapsed = after.perCore - before.perCore;
    return elapsed <= 0 ? undefined : Math.max(0, (after.busy - before.busy - (after.own - before.own)) / elapsed);
  }
}

interface Ticks {
  /** Of all cores and processes, waiting for discs excluded. */
  readonly busy: number;
  /** Of this process and its children that have ended. */
  readonly own: number;
  /** That passed on one core. */
  readonly perCore: number;
}

function readTicks(): Ticks | undefined {
  try {
    const lines = readFileSync("/proc/stat", "utf8").split("\n");
    const [user, nice, system, idle, ioWait, irq, softIrq] = lines[0]!.trim().split(/\s+/).slice(1).map(Number);
    const coreCount = lines.filter((line) => /^cpu\d/.test(line)).length;
    const busy = user! + nice! + system! + irq! + softIrq!;
    // The name in brackets may hold spaces; what follows it does not.
    const own = readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ").slice(11, 15).map(Number);
    return {
      busy,
      own: own.reduce((sum, ticks) => sum + ticks, 0),
      perCore: (busy + idle! + ioWait!) / coreCount,
    };
  } catch {
    return undefined;
  }
}

export interface Machine {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
}

export function readMachine(): Machine {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return {
    machine: `${model}, ${availableParallelism()} cores, ${memoryGib} GiB, ${process.platform} ${process.arch}`,
    node: process.version,
    commit: commit(),
  };
}

export function describeMachine(): string {
  const { machine, node, commit: of } = readMachine();
  return `machine   ${machine}\nnode      ${node}\ncommit    ${of}`;
}

function commit(): string {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
    const hash = execFileSync("git", ["rev-parse", "--short", "HEAD"], options).trim();
    const isChanged = execFileSync("git", ["status", "--porcelain", "src", "bench"], options).trim() !== "";
    return isChanged ? `${hash}, with changes` : hash;
  } catch {
    return "unknown";
  }
}
