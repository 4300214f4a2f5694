export { type ApiKey, digestOf, KEY_LIMITS, keyEntry, newKey, parseKeyLines } from "./api-keys.js";
export { describePlan, ringPairs } from "./describe.js";
export {
  checkConfig,
  familiesOf,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  loadConfigText,
  moduleUrls,
} from "./load.js";
export * from "./plan.js";
export {
  ConfigError,
  type ConfigProblem,
  formatProblems,
  PROBLEM_CODES,
  type ProblemCode,
  type Severity,
} from "./problem.js";
export { REAL_REGISTRIES, type Registries } from "./registries.js";
export {
  DEFAULT_ROUTE,
  FACE_NAMES,
  PLANNED_FACES,
  RESERVED_ROUTES,
} from "./schema.js";
