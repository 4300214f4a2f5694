/** What may be named in a configuration. A parameter everywhere, so that tests and `syrinx check` bring their own. */
import type { AnyActor } from "../actors/define.js";
import { actorNames, findActor } from "../actors/registry.js";
import type { FamilyDefinition } from "../models/family.js";
import { familyNames, findFamily } from "../models/registry.js";

export interface Registries {
  findActor(name: string): AnyActor | undefined;
  actorNames(): readonly string[];
  findFamily(name: string): FamilyDefinition | undefined;
  familyNames(): readonly string[];
}

/**
 * The actors and families that this process knows: built in, and those of modules imported so far. The package's families
 * that a configuration names are loaded before it is (`importNamed`).
 */
export const REAL_REGISTRIES: Registries = {
  findActor,
  actorNames,
  findFamily,
  familyNames,
};
