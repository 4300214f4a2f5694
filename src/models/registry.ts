/**
 * Every model family by its name in the configuration. A new family is one file and one row here.
 *
 * A worker opens one model and loads that family's code alone, which makes its start some 200 ms shorter. What needs to
 * know all of them, such as the check of a configuration, takes them from all-families.ts.
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
  ["moonshine", async () => (await import("./moonshine.js")).moonshineFamily as AnyFamily],
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

/** A user's family, or one of the package's, loaded now. */
export async function loadFamily(name: string): Promise<AnyFamily | undefined> {
  return own.get(name) ?? (await BUILT_IN.get(name)?.());
}

/** Whether there is a family of this name; loads none. */
export function hasFamily(name: string): boolean {
  return own.has(name) || BUILT_IN.has(name);
}

/** All of the package's. */
export function loadBuiltIn(): Promise<AnyFamily[]> {
  return Promise.all(Array.from(BUILT_IN.values(), (load) => load()));
}

export function ownFamilies(): ReadonlyMap<string, AnyFamily> {
  return own;
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
