/** Scripts for `run-actor.ts`: audio that is loud where somebody speaks, and the frames around it. */
import type { Prng } from "../../src/base/prng.js";
import { frame, type MetaOf } from "../../src/frames/kinds.js";
import type { Step } from "./run-actor.js";

/** Stretches of stream time: `["quiet", 500]` or `["loud", 800]`, in milliseconds. */
export type Stretch = readonly ["quiet" | "loud", number];

/** 16 kHz PCM of stretches; loud ones are noise of the prng. */
export function pcmOf(chance: Prng, stretches: readonly Stretch[]): Int16Array {
  const total = stretches.reduce((sum, [, ms]) => sum + ms * 16, 0);
  const pcm = new Int16Array(total);
  let at = 0;
  for (const [what, ms] of stretches) {
    for (const end = at + ms * 16; at < end; at++) pcm[at] = what === "loud" ? chance.integer(-9000, 9000) : 0;
  }
  return pcm;
}

/** `audio.in` frames of 20 ms, or of lengths that the prng draws from `lengths`. */
export function audioSteps(pcm: Int16Array, call = 0, start = 0, chance?: Prng): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < pcm.length; ) {
    const count = Math.min(pcm.length - at, chance === undefined ? 320 : chance.integer(1, 1600));
    steps.push({ call, frame: frame("audio.in", {}, start + at, pcm.slice(at, at + count)) });
    at += count;
  }
  return steps;
}

export function fence(id: string, reason: MetaOf<"fence">["reason"] = "mark", call = 0): Step {
  return { call, frame: frame("fence", { id, reason }) };
}

/** The call's options change here, for the node under test. */
export function change(version: number, options: Readonly<Record<string, unknown>>, call = 0): Step {
  const meta = { id: `change ${version}`, reason: "configure", change: { version, nodes: { node: options } } } as const;
  return { call, frame: frame("fence", meta) };
}

export function close(call = 0): Step {
  return { call, frame: frame("close", {}) };
}

/** Several calls' scripts as one, each in its own order, in turns that the prng chooses. */
export function interleave(chance: Prng, scripts: readonly (readonly Step[])[]): Step[] {
  const at = scripts.map(() => 0);
  const merged: Step[] = [];
  for (;;) {
    const open = scripts.map((_, index) => index).filter((index) => at[index]! < scripts[index]!.length);
    if (open.length === 0) return merged;
    const index = chance.pick(open);
    merged.push(scripts[index]![at[index]!++]!);
  }
}
