/**
 * Every model family by its name in the configuration. A new family is one file and one row here.
 *
 * Code is loaded by the family: a worker opens one model, a configuration names a few. Loading all takes some 150 ms, so
 * whoever needs to know all of them imports all-families.ts.
 */
import { assert } from "../base/assert.js";
import type { FamilyDefinition } from "./family.js";

/** A family whose options' type has been forgotten: options go through its schema before they reach `open`. */
export type AnyFamily = FamilyDefinition;

const BUILT_IN: ReadonlyMap<string, () => Promise<AnyFamily>> = new Map([
  ["firered-vad", async () => (await import("./firered-vad.js")).fireredVadFamily as AnyFamily],
  ["flite", async () => (await import("./flite/index.js")).fliteFamily as AnyFamily],
  ["gtcrn", async () => (await import("./gtcrn.js")).gtcrnFamily as AnyFamily],
  ["kitten", async () => (await import("./kitten.js")).kittenFamily as AnyFamily],
  ["kokoro", async () => (await import("./kokoro.js")).kokoroFamily as AnyFamily],
  ["moonshine", async () => (await import("./moonshine/index.js")).moonshineFamily as AnyFamily],
  ["moonshine-spelling", async () => (await import("./moonshine-spelling.js")).moonshineSpellingFamily as AnyFamily],
  [
    "moonshine-streaming",
    async () => (await import("./moonshine-streaming/index.js")).moonshineStreamingFamily as AnyFamily,
  ],
  ["nemo-ctc", async () => (await import("./nemo-ctc.js")).nemoCtcFamily as AnyFamily],
  ["nemo-streaming", async () => (await import("./nemo-streaming.js")).nemoStreamingFamily as AnyFamily],
  ["nemo-tdt", async () => (await import("./nemo-tdt.js")).nemoTdtFamily as AnyFamily],
  ["piper", async () => (await import("./piper.js")).piperFamily as AnyFamily],
  ["pocket-tts", async () => (await import("./pocket-tts.js")).pocketTtsFamily as AnyFamily],
  ["silero", async () => (await import("./silero.js")).sileroFamily as AnyFamily],
  ["smart-turn", async () => (await import("./smart-turn.js")).smartTurnFamily as AnyFamily],
  ["starter-ctc", async () => (await import("./starter-ctc/index.js")).starterCtcFamily as AnyFamily],
  ["starter-vad", async () => (await import("./starter-vad.js")).starterVadFamily as AnyFamily],
  ["supertonic", async () => (await import("./supertonic.js")).supertonicFamily as AnyFamily],
  ["whisper", async () => (await import("./whisper/index.js")).whisperFamily as AnyFamily],
  ["zipformer", async () => (await import("./zipformer.js")).zipformerFamily as AnyFamily],
]);

const own = new Map<string, AnyFamily>();
const loaded = new Map<string, AnyFamily>();

/** A user's family, or one of the package's, loaded if it was not. */
export async function loadFamily(name: string): Promise<AnyFamily | undefined> {
  const load = BUILT_IN.get(name);
  if (load === undefined) return own.get(name);
  const family = loaded.get(name) ?? (await load());
  loaded.set(name, family);
  return family;
}

/** A family that is there already: a user's, or one of the package's that was loaded before. */
export function findFamily(name: string): AnyFamily | undefined {
  assert(loaded.has(name) || !BUILT_IN.has(name), `the family ${name} is loaded before it is looked for`);
  return loaded.get(name) ?? own.get(name);
}

/** Whether there is a family of this name; loads none. */
export function hasFamily(name: string): boolean {
  return own.has(name) || BUILT_IN.has(name);
}

/** The package's first, then users' in the order of registration; loads none. */
export function familyNames(): string[] {
  return [...BUILT_IN.keys(), ...own.keys()];
}

/**
 * Adds a user's family on this thread; a worker registers it again for itself. Registering the same definition twice
 * does nothing; a name that is taken by another one is a programmer's error.
 */
export function registerFamily(family: AnyFamily): void {
  const known = own.get(family.name);
  const isFree = known === undefined ? !BUILT_IN.has(family.name) : known === family;
  assert(isFree, `the family name ${family.name} is free`);
  own.set(family.name, family);
}
