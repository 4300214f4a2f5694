import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { besideCheckout } from "../support/system.js";
import { agreement, clipPaths, readClip, recogniseClip, startClips } from "./clips-run.js";

/** Of each kind a few: read, spoken, telephone, far away, noisy, noise alone, another language. */
const CHOSEN = [
  "1272-128104-0004-8k.wav",
  "84-121550-0000.flac",
  "aishell-BAC009S0724W0121.wav",
  "arctic_a0024.wav",
  "firered_hello_en.wav",
  "gtcrn_mix_noisy.wav",
  "jfk.wav",
  "libri-1088-134315-0000_rvb.wav",
  "no_1000ms.wav",
  "noise2.wav",
  "rhasspy3_set_timer.wav",
];

test("recordings of real people go through the recogniser without a fault", { timeout: 120_000 }, async (t) => {
  const paths = clipPaths();
  const models = besideCheckout("models");
  if (paths === undefined || models === undefined) {
    t.skip("no recordings or models beside the checkout");
    return;
  }
  const runtime = await startClips();
  t.after(() => runtime.drain());
  let [heardS, alikeS] = [0, 0];
  for (const name of CHOSEN.filter((chosen) => existsSync(join(dirname(paths[0]!), chosen)))) {
    const clip = await readClip(join(dirname(paths[0]!), name));
    const text = await recogniseClip(runtime, clip);
    const { ours, silero, agreed, seconds } = await agreement(runtime, clip);
    t.diagnostic(
      `${name}: ${seconds.toFixed(1)} s, speech ${ours.toFixed(2)} s, Silero ${silero.toFixed(2)} s, agreed ${(100 * agreed).toFixed(1)}%`,
    );
    const isNoise = name.startsWith("noise");
    assert.ok(isNoise || text.length > 0, `${name} says something`);
    heardS += seconds;
    alikeS += agreed * seconds;
    // Of a second with one word in it, half is a matter of taste.
    assert.ok(seconds < 2 || agreed > 0.85, `${name}: the VADs agree on ${agreed}`);
  }
  assert.ok(alikeS / heardS > 0.93, `the VADs agree on ${alikeS / heardS} of all`);
  assert.ok(runtime.status().every(({ restarts }) => restarts === 0));
  assert.equal(runtime.capacity().activeCalls, 0);
});
