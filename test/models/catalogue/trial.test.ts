import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../../src/base/errors.js";
import { loadCatalogue } from "../../../src/models/catalogue/catalogue.js";
import { catalogueSettings } from "../../../src/models/catalogue/settings.js";
import { type Trial, tryModel } from "../../../src/models/catalogue/trial.js";
import { readSample } from "../../support/system.js";
import { modelOf, TemporaryCache } from "./pull-support.js";

const cache = new TemporaryCache();
after(() => cache.remove());
const settings = catalogueSettings({ SYRINX_CACHE: cache.folder });
const catalogue = loadCatalogue();

function figure({ figures }: Trial, name: string): number {
  const found = figures.find((each) => each.name === name);
  assert.ok(found !== undefined, `${name} among ${figures.map((each) => each.name).join(", ")}`);
  return found.value;
}

describe("a trial", () => {
  test("of a recogniser counts the words that it gets wrong", async () => {
    const trial = await tryModel(catalogue.choose("starter-en"), settings, { device: "cpu" });
    assert.equal(figure(trial, "word error rate"), 0);
    assert.equal(trial.texts.length, 4);
    assert.equal(trial.fault, undefined);
    assert.ok(figure(trial, "audio") > 10);
  });

  test("finds one that does not do its work", async () => {
    const wrong = { pcm: await readSample("timer.wav"), text: "something else entirely was said in here" };
    const trial = await tryModel(catalogue.choose("starter-en"), settings, { device: "cpu", recording: wrong });
    assert.match(trial.fault!, /of 100 words, \d+ are wrong/);
    const silence = { pcm: new Int16Array(16_000), text: "hello" };
    const deaf = await tryModel(catalogue.choose("starter-en"), settings, { device: "cpu", recording: silence });
    assert.equal(deaf.fault, "it heard no word in any recording");
  });

  test("on a recording whose text is unknown says what was heard, and no rate", async () => {
    const recording = { pcm: await readSample("timer.wav"), text: undefined };
    const trial = await tryModel(catalogue.choose("starter-en"), settings, { device: "cpu", recording });
    assert.deepEqual(trial.texts, [{ expected: "", heard: "set a timer for ten minutes" }]);
    assert.ok(trial.figures.every(({ name }) => name !== "word error rate"));
  });

  test("of a detector compares requests with the pauses around them", async () => {
    const trial = await tryModel(catalogue.choose("starter-vad"), settings, { device: "cpu" });
    assert.ok(figure(trial, "taken for speech in requests") > 80);
    assert.ok(figure(trial, "taken for speech in pauses") < 10);
    assert.equal(trial.fault, undefined);
  });

  test("of a voice has it understood", async () => {
    const trial = await tryModel(catalogue.choose("flite"), settings, { device: "cpu" });
    assert.ok(figure(trial, "word error rate of the starter recogniser") <= 20);
    assert.ok(figure(trial, "level") > -30 && figure(trial, "speech") > 1);
    assert.deepEqual(
      trial.texts.map(({ expected }) => expected),
      ["Set a timer for ten minutes."],
    );
  });

  test("of a model that is not here, or that this build cannot run, says so", async () => {
    const code = (wanted: string) => (error: unknown) => isSyrinxError(error) && error.code === wanted;
    await assert.rejects(
      tryModel(modelOf([{ path: "a.onnx" }]), settings, { device: "cpu" }),
      code("MODEL_NOT_CACHED"),
    );
    const own = join(cache.folder, "own.json");
    const entry = { ...modelOf([{ path: "a.onnx" }]).entry, family: "nobody-has-this" };
    writeFileSync(own, JSON.stringify({ version: 1, models: [entry] }));
    await assert.rejects(
      tryModel(loadCatalogue(own).choose("tiny"), settings, { device: "cpu" }),
      code("MODEL_NOT_IN_BUILD"),
    );
  });
});
