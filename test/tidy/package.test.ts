/** What must hold of the package: its doors exist, and its licences allow what its own promises. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { configJsonSchema } from "../../src/config/json-schema.js";
import { ROOT, readText } from "./repository.js";

interface PackageJson {
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string | Record<string, string>>;
  readonly files: readonly string[];
  readonly engines: { readonly node: string };
  readonly license: string;
  readonly scripts: Record<string, string>;
}
const pkg = JSON.parse(readText("package.json")) as PackageJson;

describe("package.json", () => {
  test("every door and every folder of the package exists after the build", () => {
    const doors = Object.values(pkg.exports).flatMap((door) =>
      typeof door === "string" ? [door] : Object.values(door),
    );
    for (const path of [...doors, ...Object.values(pkg.bin), ...pkg.files]) {
      assert.ok(existsSync(join(ROOT, path)), `there is no ${path}`);
    }
  });

  test("every door says its types first", () => {
    for (const [name, door] of Object.entries(pkg.exports)) {
      if (typeof door !== "string") assert.equal(Object.keys(door)[0], "types", name);
    }
  });

  test("the command line begins with the line that makes it one", () => {
    for (const path of Object.values(pkg.bin)) assert.match(readText(path), /^#!\/usr\/bin\/env node\n/);
  });
});

// Not beside tests that import users' modules: those add to the registries of the process.
test("configs/schema.json is what the registries say: `npm run schema` writes it", () => {
  assert.deepEqual(JSON.parse(readText("configs/schema.json")), JSON.parse(JSON.stringify(configJsonSchema())));
});

interface LockEntry {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
  readonly engines?: { readonly node?: string };
}

/** Copyleft that ends at the file or library: may be installed beside ours, unchanged; NOTICE says so. */
const LIBRARY_COPYLEFT: readonly string[] = ["codec-parser"];

describe("production dependencies", () => {
  const lock = JSON.parse(readText("package-lock.json")) as { packages: Record<string, LockEntry> };
  const installed = Object.entries(lock.packages).filter(([path, entry]) => path !== "" && entry.dev !== true);
  const nameOf = (path: string): string => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

  test("none is under the GPL or AGPL, and none without a licence", () => {
    assert.ok(installed.length > 20, "the lock file was understood");
    const found = new Set<string>();
    for (const [path, entry] of installed) {
      const name = nameOf(path);
      const file = join(ROOT, path, "package.json");
      const stated = existsSync(file)
        ? (JSON.parse(readText(`${path}/package.json`)) as LockEntry).license
        : entry.license;
      assert.ok(typeof stated === "string" && stated !== "", `${name} states no licence`);
      assert.doesNotMatch(stated, /(?<!L)GPL/, `${name} is under ${stated}: replace it`);
      if (!/LGPL|MPL|EPL|CDDL/.test(stated)) continue;
      assert.ok(
        LIBRARY_COPYLEFT.includes(name),
        `${name} is under ${stated}: replace it, or list it and say so in NOTICE`,
      );
      found.add(name);
    }
    assert.deepEqual([...found].sort(), [...LIBRARY_COPYLEFT].sort(), "the list of exceptions is current");
  });

  test("NOTICE names what needs a notice", () => {
    const notice = readText("NOTICE");
    for (const name of ["Flite", "CMU Pronouncing Dictionary", "WordNet", "mpg123", "codec-parser", "ONNX Runtime"]) {
      assert.ok(notice.includes(name), name);
    }
  });
});
