/** The actors that there are: one row each. Users' modules add theirs with `registerActor`. */
import { SyrinxError } from "../base/errors.js";
import { agentActor } from "./agent.js";
import type { AnyActor } from "./define.js";
import { denoiseActor } from "./denoise.js";
import { echoActor } from "./echo.js";
import { resampleActor } from "./resample.js";
import { sttActor } from "./stt.js";
import { tapActor } from "./tap.js";
import { ttsActor } from "./tts.js";
import { turnActor } from "./turn.js";
import { vadActor } from "./vad.js";

const BUILT_IN: readonly AnyActor[] = [
  vadActor,
  turnActor,
  sttActor,
  agentActor,
  ttsActor,
  resampleActor,
  denoiseActor,
  tapActor,
  echoActor,
];

const registry = new Map<string, AnyActor>(BUILT_IN.map((actor) => [actor.name, actor]));

export function findActor(name: string): AnyActor | undefined {
  return registry.get(name);
}

/** In the order of registration: those of the package first. */
export function actorNames(): string[] {
  return [...registry.keys()];
}

/** Adds an actor on this thread. The same definition may come again; another of the same name: MODULE_INVALID. */
export function registerActor(actor: AnyActor): void {
  const known = registry.get(actor.name);
  if (known !== undefined && known !== actor) {
    throw new SyrinxError("MODULE_INVALID", {
      module: actor.name,
      reason: `an actor named ${actor.name} exists already`,
    });
  }
  registry.set(actor.name, actor);
}
