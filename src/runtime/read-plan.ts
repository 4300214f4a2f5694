/** From a configuration to the plan that a runtime starts from: checked, its modules imported, its models on disk. */
import type { ResourceLimits } from "node:worker_threads";
import { loadConfig } from "../config/load.js";
import type { Plan, PlanAdmission } from "../config/plan.js";
import { createLogger, type Logger } from "../telemetry/index.js";
import { importNamed } from "./import-named.js";
import { pullMissingModels } from "./pull-models.js";

export interface RuntimeOptions {
  /** Modules that define actors and families of your own: URLs that every worker imports. */
  readonly modules?: readonly (string | URL)[];
  readonly env?: NodeJS.ProcessEnv;
  /** Default: lines on stderr at the configuration's level. Workers write their own lines. */
  readonly logger?: Logger;
  /** Instead of the configuration's `server.log.level`, for main and workers. */
  readonly logLevel?: Plan["server"]["logLevel"];
  /** Instead of the configuration's `server.admission.mode`. */
  readonly admission?: PlanAdmission["mode"];
  /** Heap limits of each worker; beyond them the worker dies and is restarted. */
  readonly resourceLimits?: ResourceLimits;
  /** Folder for relative file names when the configuration is an object. Default: the current one. */
  readonly baseFolder?: string;
  /** Instead of the configuration's `server.pull`: whether models of the catalogue that are missing are fetched. */
  readonly pull?: "never" | "missing";
}

/** The first half of `createRuntime`: the checked configuration, its models fetched if that is allowed. Throws the same. */
export async function readPlan(
  source: string | URL | object,
  options: RuntimeOptions,
): Promise<{ readonly plan: Plan; readonly log: Logger }> {
  const modules = (options.modules ?? []).map(String);
  const reading = {
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.baseFolder === undefined ? {} : { baseFolder: options.baseFolder }),
    ...(options.pull === undefined ? {} : { pull: options.pull }),
  };
  // Before the configuration is checked: it names what the modules define.
  await importNamed(source, reading, modules);
  const { plan, warnings } = loadConfig(source, reading);
  const server = serverOf(plan.server, options);
  const log = loggerOf(server, options);
  for (const warning of warnings) log.warn({ path: warning.path, problem: warning.message }, "configuration warning");
  const whole: Plan = { ...plan, server, modules: [...new Set([...plan.modules, ...modules])] };
  await pullMissingModels(whole, log, options.env);
  return { plan: whole, log };
}

function serverOf(server: Plan["server"], { logLevel = server.logLevel, admission: mode }: RuntimeOptions) {
  const { admission } = server;
  if (mode === undefined || admission === undefined) return { ...server, logLevel };
  return { ...server, logLevel, admission: { ...admission, mode } };
}

export function loggerOf({ logLevel, logContent }: Plan["server"], { logger }: RuntimeOptions): Logger {
  return logger ?? createLogger({ level: logLevel, content: logContent });
}
