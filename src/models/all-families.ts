/** All families at once, the package's loaded with this module, for whoever checks configurations or lists what there is. */
import { type AnyFamily, loadBuiltIn, ownFamilies } from "./registry.js";

const builtIn = new Map<string, AnyFamily>((await loadBuiltIn()).map((family) => [family.name, family]));

export function findFamily(name: string): AnyFamily | undefined {
  return builtIn.get(name) ?? ownFamilies().get(name);
}

/** The package's first, then users' in the order of registration. */
export function listFamilies(): AnyFamily[] {
  return [...builtIn.values(), ...ownFamilies().values()];
}
