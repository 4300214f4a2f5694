import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sttActor } from "../../../src/actors/stt.js";
import { seeded } from "../../../src/base/prng.js";
import type { SttModel } from "../../../src/models/family.js";
import { nemoStreamingFamily } from "../../../src/models/nemo-streaming.js";
import { nemoTdtFamily } from "../../../src/models/nemo-tdt.js";
import { zipformerFamily } from "../../../src/models/zipformer.js";
import { type ActorRun, type RunOptions, runActor } from "../../support/run-actor.js";
import { audioSteps, close, interleave } from "../../support/steps.js";
import { tonesOf } from "../../support/tones.js";
import { openFamily } from "../family-support.js";
import { inSilence, temporaryFolder } from "./stt-support.js";
import { writeTinyStreaming } from "./tiny-streaming.js";
import { enciphered, writeTinyTransducer } from "./tiny-transducer.js";
import { encipheredByTwo, writeTinyZipformer } from "./tiny-zipformer.js";

const TEXTS = ["turn on the light", "what time is it", "zebra quartz"];
const folderOf = temporaryFolder();

const FAMILIES: readonly [name: string, open: () => Promise<SttModel>, cipher: (text: string) => string][] = [
  [
    "nemo-tdt",
    () => {
      writeTinyTransducer(folderOf("tdt"), { layout: "fused", durations: 5 });
      return openFamily(nemoTdtFamily, { folder: folderOf("tdt") });
    },
    enciphered,
  ],
  [
    "nemo-streaming",
    () => {
      writeTinyStreaming(folderOf("streaming"), { layout: "split" });
      return openFamily(nemoStreamingFamily, { folder: folderOf("streaming") });
    },
    enciphered,
  ],
  [
    "zipformer",
    () => {
      writeTinyZipformer(folderOf("zipformer"));
      return openFamily(zipformerFamily, { folder: folderOf("zipformer") });
    },
    encipheredByTwo,
  ],
];

const story = (run: ActorRun, call: number) =>
  run.emitted.filter((found) => found.call === call).map(({ kind, meta, position }) => ({ kind, meta, position }));

for (const [name, open, cipher] of FAMILIES) {
  describe(`the stt actor with ${name}`, () => {
    const scripts = TEXTS.map((text, call) => [...audioSteps(inSilence(tonesOf(cipher(text))), call), close(call)]);
    const steps = interleave(seeded(5), scripts);
    const hear = (model: SttModel, options: RunOptions = {}) =>
      runActor(sttActor, {}, steps, { model, calls: TEXTS.length, inputKinds: ["audio.in"], ...options });

    test("says the same however frames are grouped, and if its worker dies", async () => {
      const model = await open();
      const plain = await hear(model);
      for (const [call, text] of TEXTS.entries()) {
        const finals = story(plain, call).filter(({ kind }) => kind === "transcript.final");
        assert.deepEqual(
          finals.map(({ meta }) => (meta as { text: string }).text),
          [text],
        );
        const partials = story(plain, call).filter(({ kind }) => kind === "transcript.partial");
        assert.ok(partials.length >= 2, `${partials.length} partials of call ${call}`);
      }
      for (const disturbed of [
        { batchMax: 7, seed: 1 },
        { batchMax: 40, seed: 2, killAfter: 0.1, killDuring: 0.1 },
      ]) {
        const run = await hear(model, disturbed);
        for (const call of TEXTS.keys()) assert.deepEqual(story(run, call), story(plain, call));
      }
      await model.release();
    });
  });
}
