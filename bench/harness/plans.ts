/** The shipped configurations, changed where a bench must. */
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.js";
import { loadConfig } from "../../src/config/load.js";
import type { Plan } from "../../src/config/plan.js";
import { importNamed } from "../../src/runtime/import-named.js";
import { importModules } from "../../src/runtime/modules.js";
import { RuntimeImpl } from "../../src/runtime/runtime.js";
import { createLogger } from "../../src/telemetry/index.js";

/** The plan of `configs/NAME.yaml`, without its network and its admission and with as many calls as wanted. */
export async function shippedPlan(name: string, maxCalls: number): Promise<Plan> {
  const path = join(packageRoot(), "configs", `${name}.yaml`);
  await importNamed(path);
  const { plan } = loadConfig(path);
  const { admission: _, ...server } = plan.server;
  return { ...plan, server: { ...server, maxCalls, logLevel: "silent" } };
}

export async function startRuntime(plan: Plan): Promise<RuntimeImpl> {
  await importModules(plan.modules);
  const runtime = new RuntimeImpl(plan, createLogger({ level: "silent" }), undefined);
  await runtime.start();
  return runtime;
}

/** 16 kHz mono of a file under `samples/`: what stands behind its 44 bytes of header. */
export function samplePath(name: string): string {
  return join(packageRoot(), "samples", name);
}
