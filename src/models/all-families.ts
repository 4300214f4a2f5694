/** All families at once, the package's loaded with this module, for whoever lists what there is. */
import { type AnyFamily, familyNames, findFamily, loadFamily } from "./registry.js";

await Promise.all(familyNames().map(loadFamily));

/** The package's first, then users' in the order of registration. */
export function listFamilies(): AnyFamily[] {
  return familyNames().map((name) => findFamily(name)!);
}
