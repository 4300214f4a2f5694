/** Users' own actors and families: modules that every worker, and main, import by URL. A function cannot cross threads. */
import type { AnyActor } from "../actors/define.js";
import { registerActor } from "../actors/registry.js";
import { reasonOf, SyrinxError } from "../base/errors.js";
import type { FamilyDefinition } from "../models/family.js";
import { registerFamily } from "../models/registry.js";

const imported = new Set<string>();

/** Imports each module once per thread and registers what it exports. Throws MODULE_INVALID. */
export async function importModules(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    if (imported.has(url)) continue;
    imported.add(url);
    let exports: Record<string, unknown>;
    try {
      exports = (await import(url)) as Record<string, unknown>;
    } catch (error) {
      throw new SyrinxError("MODULE_INVALID", { module: url, reason: reasonOf(error) }, error);
    }
    let found = 0;
    for (const value of Object.values(exports)) {
      if (isMarked(value, "actor")) registerActor(value as unknown as AnyActor);
      else if (isMarked(value, "family")) registerFamily(value as unknown as FamilyDefinition);
      else continue;
      found++;
    }
    if (found === 0)
      throw new SyrinxError("MODULE_INVALID", { module: url, reason: "it exports no actor and no family" });
  }
}

function isMarked(value: unknown, kind: "actor" | "family"): value is { readonly syrinx: string } {
  return typeof value === "object" && value !== null && (value as { syrinx?: unknown }).syrinx === kind;
}
