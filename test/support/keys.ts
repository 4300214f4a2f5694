import { digestOf } from "../../src/config/api-keys.js";
import type { PlanKeys } from "../../src/config/plan.js";

/** As the configuration makes them of these keys. */
export function plainKeys(...keys: readonly string[]): PlanKeys {
  return { keys: keys.map((key, index) => ({ name: `key-${index}`, digest: digestOf(key).toString("hex") })) };
}
