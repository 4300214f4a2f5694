import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import "../../../src/models/all-families.js";
import { backoffMs } from "../../../src/models/catalogue/backoff.js";
import { ModelCache } from "../../../src/models/catalogue/cache.js";
import { loadCatalogue, modelId, variantSize } from "../../../src/models/catalogue/catalogue.js";
import { wrongFiles } from "../../../src/models/catalogue/pull.js";
import { catalogueEntrySchema, catalogueSchema } from "../../../src/models/catalogue/schema.js";
import { catalogueSettings } from "../../../src/models/catalogue/settings.js";
import { findFamily } from "../../../src/models/registry.js";
import { ROOT, readText } from "../../tidy/repository.js";
import { sharedFile } from "../family-support.js";
import { modelOf, TemporaryCache } from "./pull-support.js";

const catalogue = loadCatalogue();
const entries = catalogue.list();
const cache = new TemporaryCache();
after(() => cache.remove());

describe("models/catalogue.json", () => {
  test("is what its schema says, and no name stands in it twice", () => {
    const { models } = catalogueSchema.parse(JSON.parse(readText("models/catalogue.json")));
    assert.ok(models.length >= 20);
    assert.equal(new Set(models.map(({ name }) => name)).size, models.length);
  });

  test("has one variant for each precision, and in each every path among its files", () => {
    for (const { name, variants } of entries) {
      assert.equal(new Set(variants.map(({ precision }) => precision)).size, variants.length, name);
      for (const { files, paths } of variants) {
        const folders = files.flatMap(({ path }) => (path.includes("/") ? [dirname(path)] : []));
        const known = new Set([".", ...folders, ...files.map(({ path }) => path)]);
        for (const path of Object.values(paths)) assert.ok(known.has(path), `${name}: ${path}`);
        assert.equal(new Set(files.map(({ path }) => path)).size, files.length, name);
      }
    }
  });

  test("calls an entry exact if every digest of it is known, and only then", () => {
    for (const { name, source, evidence, variants } of entries) {
      if (source.kind === "package") continue;
      const isExact = variants.every(({ files }) =>
        files.every(({ sha256, bytes }) => sha256 !== undefined && bytes !== undefined),
      );
      assert.equal(evidence === "exact", isExact, name);
    }
  });

  test("has options that the families of this build take", () => {
    const missing = new Set<string>();
    for (const entry of entries) {
      const family = findFamily(entry.family);
      if (family === undefined) missing.add(entry.family);
      else assert.equal(family.task as string, entry.task, entry.name);
      for (const variant of entry.variants) {
        const options = new ModelCache(cache.folder).familyOptions({ entry, variant });
        const result = family?.options.safeParse(options);
        assert.ok(result === undefined || result.success, `${entry.name}: ${result?.error?.message}`);
      }
    }
    assert.ok(["starter-vad", "starter-ctc", "flite", "silero", "firered-vad"].every((name) => !missing.has(name)));
  });

  test("knows every starter model by the digest of the file that is here", async () => {
    const bundled = entries.filter(({ source }) => source.kind === "package");
    assert.deepEqual(
      bundled.map(({ name }) => name),
      ["starter-vad", "starter-en", "flite"],
    );
    for (const entry of bundled) {
      const model = { entry, variant: entry.variants[0]! };
      assert.equal(new ModelCache(cache.folder).state(model), "bundled");
      assert.equal(new ModelCache(cache.folder).files(model)?.length, entry.variants[0]!.files.length);
      assert.deepEqual(await wrongFiles(model, catalogueSettings({ SYRINX_CACHE: cache.folder })), []);
    }
  });

  test("has the digests of the files that are at hand", (t) => {
    const manifest = sharedFile("models", "manifest.json");
    if (manifest === undefined) return t.skip("no ../shared/models/manifest.json");
    const known = JSON.parse(readFileSync(manifest, "utf8")) as { sha256: string; bytes: number; source: string }[];
    const files = entries.flatMap(({ source, variants }) =>
      variants.flatMap((variant) => variant.files.map((file) => ({ ...file, source }))),
    );
    let count = 0;
    for (const { sha256, bytes, source } of files) {
      if (sha256 === undefined || source.kind === "package") continue;
      const found = known.find((each) => each.sha256 === sha256);
      assert.deepEqual([found?.bytes, found?.source], [bytes, source.repository]);
      count++;
    }
    assert.ok(count >= 6);
  });

  test("is in the package", () => {
    const { files } = JSON.parse(readText("package.json")) as { files: string[] };
    assert.ok(files.includes("models"));
    assert.ok(existsSync(join(ROOT, "models", "catalogue.json")));
  });
});

describe("an entry", () => {
  const entry = catalogue.find("whisper-tiny.en")!;

  test("is had in the precision asked for, else in that for the device; auto is the CPU", () => {
    const chosen = (...from: [string, string?]): string => modelId(catalogue.choose(...from));
    assert.equal(chosen("whisper-tiny.en@fp16"), "whisper-tiny.en@fp16");
    assert.equal(chosen("whisper-tiny.en", "cuda:1"), "whisper-tiny.en@fp16");
    assert.equal(chosen("whisper-tiny.en", "auto"), "whisper-tiny.en@int8");
    assert.equal(chosen("whisper-tiny.en"), "whisper-tiny.en@int8");
    assert.equal(chosen("silero-vad", "cuda"), "silero-vad@fp32");
  });

  test("that is not there is told with those that are", () => {
    assert.throws(() => catalogue.choose("wisper"), /no model wisper/);
    assert.throws(() => catalogue.choose("silero-vad@int8"), /no model silero-vad@int8/);
  });

  test("says its size exactly where all are known, else about, else not", () => {
    assert.deepEqual(variantSize(catalogue.find("firered-vad")!.variants[0]!), {
      bytes: 2_306_042 + 1311,
      isExact: true,
    });
    assert.equal(variantSize(entry.variants[0]!)?.isExact, false);
    assert.equal(variantSize(modelOf([{ path: "a.onnx" }]).variant), undefined);
  });

  const bad: readonly (readonly [what: string, change: Record<string, unknown>])[] = [
    ["a name that leaves the cache", { name: "../evil" }],
    ["a name of dots", { name: ".." }],
    ["a name with a separator", { name: "a/b" }],
    ["a repository that is a path", { source: { kind: "hub", repository: "../../etc", revision: "main" } }],
    ["a revision that climbs", { source: { kind: "hub", repository: "a/b", revision: "../main" } }],
    ...["../x", "/etc/passwd", "a/../../x", "a//b", "a\\b", "C:x", "a\0b", "./a", "a/.", ""].map(
      (path) =>
        [
          `the path ${JSON.stringify(path)}`,
          { variants: [{ precision: "fp32", devices: ["cpu"], files: [{ path }] }] },
        ] as const,
    ),
  ];
  for (const [what, change] of bad) {
    test(`with ${what} is refused`, () => {
      assert.equal(catalogueEntrySchema.safeParse({ ...entry, ...change }).success, false);
    });
  }

  test("of one's own is added, and replaces that of the same name", () => {
    const path = join(cache.folder, "own.json");
    const own = { ...modelOf([{ path: "a.onnx" }]).entry, name: "silero-vad" };
    writeFileSync(path, JSON.stringify({ version: 1, models: [own] }));
    const both = loadCatalogue(path);
    assert.equal(both.list().length, entries.length);
    assert.equal(both.find("silero-vad")!.title, own.title);
    writeFileSync(path, JSON.stringify({ version: 1, models: [{ ...own, sha: "?" }] }));
    assert.throws(() => loadCatalogue(path), /own\.json is not a model/);
    assert.throws(() => loadCatalogue(join(cache.folder, "none.json")), /none\.json/);
  });
});

describe("the environment", () => {
  test("says where, or a folder of the user is", () => {
    assert.equal(catalogueSettings({ SYRINX_CACHE: "/models" }).cacheFolder, "/models");
    const { cacheFolder } = catalogueSettings({ SYRINX_CACHE: " " });
    assert.ok(
      cacheFolder.includes("syrinx") && (cacheFolder.startsWith(homedir()) || process.env.XDG_CACHE_HOME !== undefined),
    );
  });

  test("forbids the network with 1, and not with 0", () => {
    assert.equal(catalogueSettings({ SYRINX_OFFLINE: "1" }).isOffline, true);
    assert.equal(catalogueSettings({ HF_HUB_OFFLINE: "true" }).isOffline, true);
    for (const value of ["", "0", "false", undefined]) {
      assert.equal(catalogueSettings({ SYRINX_OFFLINE: value }).isOffline, false);
    }
  });

  test("names the hub, with or without a slash at the end", () => {
    assert.equal(catalogueSettings({ HF_ENDPOINT: "https://mirror.example/" }).hubUrl, "https://mirror.example");
    assert.equal(catalogueSettings({}).hubUrl, "https://huggingface.co");
  });
});

describe("waiting between tries", () => {
  test("doubles, has an end, is spread over the upper half, and is the same for the same seed", () => {
    const [one, two] = [seeded(3), seeded(3)];
    for (let failures = 1; failures < 12; failures++) {
      const longest = Math.min(500 * 2 ** (failures - 1), 20_000);
      const ms = backoffMs(failures, one);
      assert.ok(ms >= longest / 2 && ms <= longest, `${failures}: ${ms}`);
      assert.equal(ms, backoffMs(failures, two));
    }
  });

  test("is as the server asks, up to a minute", () => {
    assert.deepEqual([backoffMs(1, seeded(1), 3_000), backoffMs(1, seeded(1), 9_999_000)], [3_000, 60_000]);
  });
});
