/** What a configuration names and must be there before it is checked. Main thread: workers get a plan. */
import { familiesOf, type LoadOptions, moduleUrls } from "../config/load.js";
import { loadFamily } from "../models/registry.js";
import { importModules } from "./modules.js";

/**
 * Loads the package's families that a configuration's models are of, and imports its modules and these.
 * Throws CONFIG_INVALID for modules that are not there, and MODULE_INVALID; the families are loaded then.
 */
export async function importNamed(
  source: string | URL | object,
  options: LoadOptions = {},
  modules: readonly string[] = [],
): Promise<void> {
  await Promise.all(familiesOf(source, options).map(loadFamily));
  await importModules([...modules, ...moduleUrls(source, options)]);
}
