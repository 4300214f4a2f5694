/** Scripts for the turn actor, made by the voice detector, and what came of them. */
import { vadActor } from "../../src/actors/vad.js";
import { seeded } from "../../src/base/prng.js";
import { type Frame, frame } from "../../src/frames/kinds.js";
import { fakeVad } from "../support/fake-models.js";
import { type ActorRun, runActor, type Step } from "../support/run-actor.js";
import { audioSteps, pcmOf, type Stretch } from "../support/steps.js";

/** What the voice detector makes of a script: the turn actor's input. */
export async function heard(stretches: readonly Stretch[], tail: readonly Step[] = [], seed = 1): Promise<Step[]> {
  const steps = [...audioSteps(pcmOf(seeded(seed), stretches)), ...tail];
  const run = await runActor(vadActor, {}, steps, { model: fakeVad() });
  return run.emitted.map(({ kind, meta, position, pcm }) => ({
    frame: frame(kind, meta, position, Int16Array.from(pcm)) as Frame,
  }));
}

/** What was said but for audio, in order. */
export function story(run: ActorRun, call = 0): string[] {
  return run.emitted
    .filter((found) => found.call === call && found.kind !== "audio.in")
    .map((found) => {
      const meta = found.meta as { what?: string; atSample?: number; trigger?: string; id?: string };
      return [found.kind, meta.what, meta.id, meta.trigger].filter((part) => part !== undefined).join(" ");
    });
}

export const ONE_TURN: readonly Stretch[] = [
  ["quiet", 200],
  ["loud", 600],
  ["quiet", 900],
];
