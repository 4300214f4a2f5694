/** What must hold of the words around the code: pages, links, configurations, error codes. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";
import { ERRORS } from "../../src/base/errors.js";
import { checkConfig, PROBLEM_CODES } from "../../src/config/index.js";
import { configJsonSchema } from "../../src/config/json-schema.js";
import { importNamed } from "../../src/runtime/import-named.js";
import { listFiles, ROOT, readText, sourceFiles, textFiles } from "./repository.js";

const pages = listFiles("", (path) => path.endsWith(".md"));

function withoutFences(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, "");
}

/** As the usual renderers make them: `## What it is` → `what-it-is`. */
function anchorsOf(markdown: string): string[] {
  return [...withoutFences(markdown).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("markdown pages", () => {
  for (const path of pages) {
    const text = withoutFences(readText(path));

    test(`${path} has one title, on its first line`, () => {
      assert.match(text, /^# \S/, "the first line is `# Title`");
      assert.equal([...text.matchAll(/^# /gm)].length, 1);
    });

    test(`${path} links to files and headings that exist`, () => {
      for (const [, target] of text.replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue;
        const [file = "", anchor] = target!.split("#");
        const full = file === "" ? path : normalize(join(dirname(path), file));
        assert.ok(existsSync(join(ROOT, full)), `${path} links to ${target}, and there is no ${full}`);
        if (anchor !== undefined) assert.ok(anchorsOf(readText(full)).includes(anchor), `${full} has no #${anchor}`);
      }
    });

    test(`${path} names only files that exist`, () => {
      const named = [
        ...text.matchAll(/`((?:src|docs|configs|models|samples|examples|scripts|deploy|test)\/[\w./-]+\w)`/g),
      ];
      for (const [, file] of named) assert.ok(existsSync(join(ROOT, file!)), `${path} names ${file}`);
    });
  }

  test("the README says what a newcomer needs, in less than 200 lines", () => {
    const readme = readText("README.md");
    assert.ok(readme.split("\n").length <= 200);
    for (const words of ["npm ci && npm run demo", "npm ci && npm test", "docs/TOUR.md", "docs/PROTOCOL.md"]) {
      assert.ok(readme.includes(words), words);
    }
  });
});

describe("docs/TOUR.md", () => {
  test("names functions that stand in the files it names", () => {
    const stops = [...readText("docs/TOUR.md").matchAll(/`(src\/[\w./-]+\.ts)`\s→\s((?:`#?\w+`(?:,\s)?)+)/g)];
    assert.ok(stops.length > 25, "the tour was understood");
    for (const [, file, names] of stops) {
      const { bare } = sourceFiles(dirname(file!)).find(({ path }) => path === file)!;
      for (const [, name] of names!.matchAll(/`(#?\w+)`/g)) {
        assert.match(bare, new RegExp(`(?<![\\w#])${name}\\b`), `${file} has no ${name}`);
      }
    }
  });
});

describe("docs/CONFIG.md", () => {
  test("has every problem that can be reported", () => {
    const page = readText("docs/CONFIG.md");
    for (const [code, { severity, meaning }] of Object.entries(PROBLEM_CODES)) {
      assert.ok(page.includes(`| \`${code}\` | ${severity} | ${meaning} |`), code);
    }
  });

  test("has a word about every key of the schema", () => {
    const page = readText("docs/CONFIG.md");
    const missing = new Set<string>();
    const walk = (schema: unknown): void => {
      if (typeof schema !== "object" || schema === null) return;
      const { properties } = schema as { properties?: Record<string, unknown> };
      for (const key of Object.keys(properties ?? {})) if (!page.includes(`\`${key}\``)) missing.add(key);
      for (const value of Object.values(schema)) walk(value);
    };
    walk(configJsonSchema());
    assert.deepEqual([...missing], []);
  });
});

describe("docs/CLI.md", () => {
  test("has every command and every option of the program", () => {
    const page = readText("docs/CLI.md");
    for (const { path, text } of sourceFiles("src/cli/commands")) {
      for (const [, name] of text.matchAll(/\.command\("(\w+)"\)/g))
        assert.ok(page.includes(`## ${name}\n`), `${path}: ${name}`);
      for (const [, option] of text.matchAll(/[oO]ption\("[^"]*?(--[a-z-]+)/g))
        assert.ok(page.includes(`\`${option}`), `${path}: ${option}`);
    }
  });
});

describe("configurations", () => {
  const configs = listFiles("", (path) => /^(configs|deploy|examples)\/.*\.yaml$/.test(path));
  for (const path of configs) {
    test(`${path} has no problem`, async () => {
      const env = { SYRINX_API_KEYS: "0123456789abcdef0123456789abcdef" };
      const options = { env, coreCount: 8 };
      await importNamed(join(ROOT, path), options);
      const { problems } = checkConfig(join(ROOT, path), options);
      assert.deepEqual(problems, []);
    });
  }
});

describe("error codes", () => {
  const source = sourceFiles("src").filter(({ path }) => !path.startsWith("src/base/errors"));
  const whole = source.map(({ uncommented }) => uncommented).join("\n");

  test("every code of the table is used somewhere", () => {
    const unused = Object.keys(ERRORS).filter((code) => !new RegExp(`\\b${code}\\b`).test(whole));
    assert.deepEqual(unused, [], "remove the row, or use it");
  });

  test("every code that a comment or page names is in the table", () => {
    const areas = [...new Set(Object.keys(ERRORS).map((code) => code.split("_")[0]))].join("|");
    const pattern = new RegExp(`(?<![\\w.])(?:${areas})_[A-Z_]*[A-Z](?![\\w(])`, "g");
    const own = new Set(
      source.flatMap(({ bare }) => [...bare.matchAll(/\bconst ([A-Z_]+)\b/g)].map(([, name]) => name)),
    );
    for (const { path, text } of [...source, ...pages.map((path) => ({ path, text: readText(path) }))]) {
      for (const [code] of text.matchAll(pattern)) {
        if (code.endsWith("_API_KEY")) continue;
        assert.ok(code in ERRORS || own.has(code), `${path} names ${code}, which is not in src/base/errors.ts`);
      }
    }
  });
});

describe("the repository speaks of the product alone", () => {
  test("no file names this machine's folders", () => {
    const folders = [ROOT, homedir()].filter((folder) => folder.split("/").length > 2);
    const patterns = [/\/home\/\w+\//, /\/Users\/\w+\//, /\/root\//, /[A-Z]:\\Users\\/];
    for (const path of textFiles()) {
      const text = readText(path);
      for (const folder of folders) assert.ok(!text.includes(`${folder}/`), `${path} names ${folder}`);
      for (const pattern of path === "test/tidy/docs.test.ts" ? [] : patterns) assert.doesNotMatch(text, pattern, path);
    }
  });

  test("neither lock file nor .npmrc names a registry", () => {
    for (const path of ["package-lock.json", ".npmrc"]) {
      assert.doesNotMatch(readText(path), /"resolved": "https?:|^registry/m, path);
    }
  });
});
