import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { type LoadOptions, loadConfigText, REAL_REGISTRIES } from "../../src/config/index.js";
import "../../src/models/all-families.js";
import { ModelCache } from "../../src/models/catalogue/cache.js";
import { type ChosenModel, loadCatalogue } from "../../src/models/catalogue/catalogue.js";
import { TemporaryCache } from "../models/catalogue/pull-support.js";
import { brief, problemsOf } from "./fakes.js";

const cache = new TemporaryCache();
const filled = new TemporaryCache();
after(() => {
  cache.remove();
  filled.remove();
});

function options(folder = cache.folder, more: LoadOptions = {}): LoadOptions {
  return { env: { SYRINX_CACHE: folder }, registries: REAL_REGISTRIES, ...more };
}

function config(model: string, actor = "vad", server = ""): string {
  return `version: 1\n${server}models:\n  one: { ${model} }\ngraphs:\n  listen:\n    - ${actor}: { model: one }\n`;
}

/** Puts files of the right sizes where a pull would: the configuration looks no closer. */
function pretendPulled(model: ChosenModel): void {
  const folder = new ModelCache(filled.folder).modelFolder(model);
  for (const { path, bytes } of model.variant.files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), Buffer.alloc(bytes!));
  }
  const files = model.variant.files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes }));
  const manifest = {
    version: 1,
    name: model.entry.name,
    precision: model.variant.precision,
    repository: "a/b",
    revision: "c",
    files,
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
}
pretendPulled(loadCatalogue().choose("firered-vad"));

describe("a model of the catalogue", () => {
  test("stands for its family and the files in the cache", () => {
    const { plan, warnings } = loadConfigText(config("catalogue: firered-vad"), "a.yaml", options(filled.folder));
    const folder = join(filled.folder, "models/firered-vad/fp32/pretrained_models/onnx_models");
    assert.deepEqual(warnings, []);
    assert.deepEqual(plan.models[0]!.options, {
      file: join(folder, "fireredvad_stream_vad_with_cache.onnx"),
      cmvn: join(folder, "cmvn.ark"),
    });
    assert.deepEqual([plan.models[0]!.family, plan.models[0]!.task], ["firered-vad", "vad"]);
    assert.equal(plan.models[0]!.catalogue, "firered-vad@fp32");
  });

  test("takes the family's other options, and the model's, beside it", () => {
    const text = config("catalogue: starter-en, beam: 12, replicas: 2", "stt").replace(
      "    - stt",
      "    - vad: { model: two }\n    - stt",
    );
    const two = text.replace("models:\n", "models:\n  two: { catalogue: starter-vad }\n");
    const { plan } = loadConfigText(two, "a.yaml", options());
    const one = plan.models.find(({ name }) => name === "one")!;
    assert.deepEqual([one.options, one.replicas], [{ beam: 12 }, 2]);
  });

  test("gives way to a file that is written beside it", () => {
    const given = config("catalogue: firered-vad, cmvn: ./mine.ark");
    const { plan } = loadConfigText(given, "a.yaml", options(filled.folder));
    assert.equal((plan.models[0]!.options as { cmvn: string }).cmvn, "./mine.ark");
  });

  test("comes with the package or is in the cache; else it is an error that says what to do", () => {
    assert.deepEqual(problemsOf(config("catalogue: starter-vad"), options()), []);
    const [problem, ...others] = problemsOf(config("catalogue: silero-vad"), options());
    assert.deepEqual(others, []);
    assert.deepEqual(
      [problem!.code, problem!.path, problem!.severity],
      ["model-not-cached", "models.one.catalogue", "error"],
    );
    assert.match(problem!.message, /silero-vad@fp32.*1\.3 MB/);
    assert.match(problem!.expected!, /syrinx models pull silero-vad@fp32/);
  });

  test("will be fetched where that is allowed, by the configuration or by who starts it", () => {
    const allowed = config("catalogue: silero-vad", "vad", "server: { pull: missing }\n");
    const found = (text: string, more: LoadOptions): string[] =>
      problemsOf(text, options(cache.folder, more)).map(({ code }) => code);
    assert.deepEqual(found(allowed, {}), ["model-will-be-pulled"]);
    assert.deepEqual(found(allowed, { pull: "never" }), ["model-not-cached"]);
    assert.deepEqual(found(config("catalogue: silero-vad"), { pull: "missing" }), ["model-will-be-pulled"]);
    const { plan } = loadConfigText(allowed, "a.yaml", options());
    assert.equal(plan.server.pull, "missing");
  });

  test("that no graph uses need not be there", () => {
    const text = config("catalogue: starter-vad").replace("models:\n", "models:\n  spare: { catalogue: silero-vad }\n");
    assert.deepEqual(
      problemsOf(text, options()).map(({ code }) => code),
      ["unused-model"],
    );
  });

  test("that there is not is told with the nearest name, or with the precisions that there are", () => {
    const [near] = problemsOf(config("catalogue: silero-vat"), options());
    assert.deepEqual([near!.code, near!.nearest], ["unknown-catalogue", "silero-vad"]);
    const [precision] = problemsOf(config("catalogue: silero-vad@int8"), options());
    assert.equal(precision!.code, "unknown-catalogue");
    assert.match(`${precision!.nearest} ${precision!.expected}`, /silero-vad@fp32/);
  });

  test("of another family than the one beside it is refused, of the same one not", () => {
    assert.deepEqual(brief(problemsOf(config("catalogue: starter-vad, family: silero"), options())), [
      "3:42 invalid-value models.one.family",
    ]);
    assert.deepEqual(problemsOf(config("catalogue: starter-vad, family: starter-vad"), options()), []);
  });

  test("that is no name is refused", () => {
    assert.deepEqual(
      problemsOf(config("catalogue: 7"), options()).map(({ code }) => code),
      ["invalid-value"],
    );
  });

  test("takes the precision for its device", () => {
    const [whisper] = loadCatalogue()
      .list()
      .filter(({ name }) => name === "whisper-tiny.en");
    assert.ok(whisper!.variants.length > 1);
    const registries = {
      ...REAL_REGISTRIES,
      findFamily: (name: string) => REAL_REGISTRIES.findFamily(name === "whisper" ? "starter-ctc" : name),
    };
    const messages = (device: string): string =>
      problemsOf(config(`catalogue: whisper-tiny.en, device: ${device}`, "stt"), options(cache.folder, { registries }))
        .map(({ message }) => message)
        .join("\n");
    assert.match(messages("cuda"), /whisper-tiny\.en@fp16/);
    assert.match(messages("cpu"), /whisper-tiny\.en@int8/);
  });
});
