/** Every model family by its name in the configuration. A new family is one file and one row here. */

import { assert } from "../base/assert.js";
import type { FamilyDefinition } from "./family.js";
import { fireredVadFamily } from "./firered-vad.js";
import { fliteFamily } from "./flite/index.js";
import { gtcrnFamily } from "./gtcrn.js";
import { kittenFamily } from "./kitten.js";
import { kokoroFamily } from "./kokoro.js";
import { moonshineFamily } from "./moonshine.js";
import { moonshineSpellingFamily } from "./moonshine-spelling.js";
import { moonshineStreamingFamily } from "./moonshine-streaming/index.js";
import { nemoCtcFamily } from "./nemo-ctc.js";
import { nemoStreamingFamily } from "./nemo-streaming.js";
import { nemoTdtFamily } from "./nemo-tdt.js";
import { piperFamily } from "./piper.js";
import { pocketTtsFamily } from "./pocket-tts.js";
import { sileroFamily } from "./silero.js";
import { smartTurnFamily } from "./smart-turn.js";
import { starterCtcFamily } from "./starter-ctc/index.js";
import { starterVadFamily } from "./starter-vad.js";
import { supertonicFamily } from "./supertonic.js";
import { whisperFamily } from "./whisper/index.js";
import { zipformerFamily } from "./zipformer.js";

/** A family whose options' type has been forgotten: options go through its schema before they reach `open`. */
export type AnyFamily = FamilyDefinition;

const BUILT_IN: readonly AnyFamily[] = [
  fireredVadFamily,
  fliteFamily,
  gtcrnFamily,
  kittenFamily,
  kokoroFamily,
  moonshineFamily,
  moonshineSpellingFamily,
  moonshineStreamingFamily,
  nemoCtcFamily,
  nemoStreamingFamily,
  nemoTdtFamily,
  piperFamily,
  pocketTtsFamily,
  sileroFamily,
  smartTurnFamily,
  starterCtcFamily,
  starterVadFamily,
  supertonicFamily,
  whisperFamily,
  zipformerFamily,
] as AnyFamily[];

const families = new Map<string, AnyFamily>(BUILT_IN.map((family) => [family.name, family]));

export function findFamily(name: string): AnyFamily | undefined {
  return families.get(name);
}

/** In the order of registration, built-in ones first. */
export function listFamilies(): AnyFamily[] {
  return [...families.values()];
}

/**
 * Adds a user's family on this thread; a worker registers it again for itself. Registering the same definition twice
 * does nothing; a name that is taken by another one is a programmer's error.
 */
export function registerFamily(family: AnyFamily): void {
  const known = families.get(family.name);
  assert(known === undefined || known === family, `the family name ${family.name} is free`);
  families.set(family.name, family);
}
