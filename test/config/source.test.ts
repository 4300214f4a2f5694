import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { isSyrinxError } from "../../src/base/errors.js";
import {
  ConfigError,
  checkConfig,
  describePlan,
  formatProblems,
  loadConfig,
  moduleUrls,
  type Plan,
} from "../../src/config/index.js";
import { brief, fakeRegistries, load, problemsOf } from "./fakes.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-config-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const ECHO = "version: 1\ngraphs: { echo: [echo] }\n";
const options = { env: {}, registries: fakeRegistries() };

describe("files", () => {
  test("are read by path and by URL, YAML and JSON alike", () => {
    const yaml = file("a.yaml", ECHO);
    const json = file("a.json", '{\n\t"version": 1,\n\t"graphs": { "echo": ["echo"] }\n}\n');
    const plan = loadConfig(yaml, options).plan;
    assert.equal(plan.baseFolder, folder);
    assert.deepEqual(loadConfig(pathToFileURL(yaml), options).plan, plan);
    assert.deepEqual(loadConfig(json, options).plan, plan);
  });

  test("may begin with a byte order mark and end lines as they like", () => {
    const marked = file("bom.yaml", `\u{FEFF}${ECHO.replaceAll("\n", "\r\n")}`);
    assert.equal(loadConfig(marked, options).plan.graphs[0]!.name, "echo");
    const faulty = file("bom2.yaml", "\u{FEFF}version: 1\r\ngraphs: { echo: [ecko] }\r\n");
    assert.deepEqual(brief(checkConfig(faulty, options).problems), ["2:18 unknown-actor graphs.echo[0]"]);
  });

  test("that are missing, folders, too big or not UTF-8 are told without a position", () => {
    const codes = (path: string): string[] => checkConfig(path, options).problems.map((problem) => problem.code);
    assert.deepEqual(codes(join(folder, "none.yaml")), ["file-unreadable"]);
    assert.deepEqual(codes(folder), ["file-unreadable"]);
    assert.deepEqual(codes(file("big.yaml", `# ${"x".repeat(10 * 1024 * 1024)}`)), ["too-large"]);
    assert.deepEqual(codes(file("latin.yaml", Uint8Array.of(0x61, 0x3a, 0x20, 0xe4))), ["file-unreadable"]);
  });

  test("with errors throw CONFIG_INVALID that carries the problems and their text", () => {
    const path = file("bad.yaml", "version: 1\ngraphs: { echo: [ecko] }\n");
    assert.throws(
      () => loadConfig(path, options),
      (error) => {
        assert.ok(error instanceof ConfigError && isSyrinxError(error));
        assert.equal(error.code, "CONFIG_INVALID");
        assert.equal(error.problems.length, 1);
        assert.ok(error.message.includes(formatProblems(error.problems)));
        return true;
      },
    );
  });

  test("name modules relative to themselves", () => {
    file("mine.js", "export {};");
    const path = file("modules.yaml", `${ECHO}modules: [./mine.js]\n`);
    const expected = [pathToFileURL(join(folder, "mine.js")).href];
    assert.deepEqual(moduleUrls(path, options), expected);
    assert.deepEqual(loadConfig(path, options).plan.modules, expected);
  });
});

describe("YAML", () => {
  const codesOf = (text: string): string[] => [...new Set(problemsOf(text).map((problem) => problem.code))];

  test("syntax errors are told where they are, all of them", () => {
    assert.deepEqual(brief(problemsOf("version: 1\ngraphs: { echo: [echo }\n")), [
      "2:23 yaml-syntax ",
      "2:24 yaml-syntax ",
    ]);
    assert.deepEqual(codesOf("version: 1\nserver:\n\tport: 3\n"), ["yaml-syntax"]);
    assert.deepEqual(codesOf("version: 1\n---\nversion: 1\n"), ["yaml-syntax"]);
    assert.deepEqual(codesOf(`${ECHO}server: !!js/function "x"\n`), ["yaml-syntax"]);
    assert.deepEqual(codesOf(`${ECHO}? [a, b]\n: 1\n`), ["yaml-syntax"]);
  });

  test("duplicate keys are told at the second", () => {
    assert.deepEqual(brief(problemsOf(`${ECHO}server: { port: 1, port: 2 }`)), ["3:20 duplicate-key server.port"]);
  });

  test("reserved keys are refused everywhere and pollute nothing", () => {
    for (const key of ["__proto__", "constructor", "prototype"]) {
      assert.deepEqual(brief(problemsOf(`${ECHO}${key}: { polluted: 1 }`)), [`3:1 forbidden-key ${key}`]);
      assert.deepEqual(codesOf(`${ECHO}server: { log: { ${key}: { polluted: 1 } } }`), ["forbidden-key"]);
    }
    const object = JSON.parse('{"version":1,"graphs":{"e":["echo"]},"__proto__":{"polluted":1}}') as object;
    assert.deepEqual(
      checkConfig(object, options).problems.map((problem) => problem.code),
      ["forbidden-key"],
    );
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  test("names like those of Object's methods are unknown names like any other", () => {
    assert.deepEqual(brief(problemsOf("version: 1\ngraphs: { g: [toString] }\nroutes: { /a: { graph: valueOf } }")), [
      "2:15 unknown-actor graphs.g[0]",
      '3:24 unknown-graph routes["/a"].graph',
    ]);
  });

  test("merge keys are refused", () => {
    assert.deepEqual(codesOf(`${ECHO}server: { <<: { port: 1 } }`), ["merge-key"]);
  });

  test("aliases copy", () => {
    const { plan } = load(
      "version: 1\nmodels: { a: &m { family: starter-vad }, b: *m }\ngraphs: { g: [{ vad: { model: a } }], h: [{ vad: { model: b } }] }",
    );
    assert.deepEqual({ ...plan.models[0], name: "" }, { ...plan.models[1], name: "" });
  });

  test("aliases that expand to much, refer to nothing or to themselves are refused", () => {
    const laughs = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"];
    for (let level = 1; level < 10; level++) {
      laughs.push(`a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`);
    }
    assert.deepEqual(codesOf(laughs.join("\n")), ["too-large"]);
    assert.deepEqual(codesOf(`${ECHO}server: *nobody`), ["yaml-syntax"]);
    assert.deepEqual(codesOf(`${ECHO}server: &s { port: *s }`), ["yaml-syntax"]);
  });

  test("deep nesting is refused, however deep", () => {
    assert.deepEqual(codesOf(`a: ${"[".repeat(40)}1${"]".repeat(40)}`), ["too-large"]);
    assert.deepEqual(brief(problemsOf("[".repeat(200_000))), ["1:33 too-large "]);
    assert.deepEqual(brief(problemsOf(`"a": |\n  b\nb: ${"{ a: ".repeat(200)}`)), ["3:164 too-large "]);
    assert.deepEqual(codesOf("- ".repeat(200_000)), ["too-large"]);
    assert.deepEqual(codesOf("? ".repeat(200_000)), ["too-large"]);
    assert.deepEqual(codesOf("a: ".repeat(200_000)), ["too-large"]);
    let stairs = "";
    for (let level = 0; level < 1000; level++) stairs += `${" ".repeat(level)}a:\n`;
    assert.deepEqual(codesOf(stairs), ["too-large"]);
  });

  test("a megabyte of keys is read in time that does not explode", () => {
    let text = "";
    for (let index = 0; text.length < 900_000; index++) text += `key${index}: 1\n`;
    assert.deepEqual(codesOf(text), ["too-large"]);
  });
});

describe("the environment", () => {
  const served = (value: string, env: Record<string, string>) => load(`${ECHO}server: { host: ${value} }`, { env });

  test("stands in strings, with defaults as in a shell", () => {
    assert.equal(served('"127.0.0.$' + '{N}"', { N: "9" }).plan.server.host, "127.0.0.9");
    assert.equal(served('"$' + '{H:-127.0.0.2}"', {}).plan.server.host, "127.0.0.2");
    assert.equal(served('"$' + '{H:-127.0.0.2}"', { H: "" }).plan.server.host, "127.0.0.2");
    assert.equal(served('"$' + '{H:-127.0.0.2}"', { H: "::1" }).plan.server.host, "::1");
  });

  test("becomes a number or boolean where one is wanted", () => {
    const text = `${ECHO}server: { port: "\${P}", allowAnonymous: "\${A}", host: 0.0.0.0 }`;
    assert.equal(load(text, { env: { P: "9000", A: "true" } }).plan.server.port, 9000);
    const problems = problemsOf(text, { env: { P: "9000; rm", A: "true" } });
    assert.deepEqual(brief(problems), ["3:17 invalid-value server.port"]);
  });

  test("must be quoted where braces mean a mapping, which is said", () => {
    const problems = problemsOf(`${ECHO}server: { port: \${P}, host: 0.0.0.0 }`, { env: { P: "1" } });
    assert.deepEqual(brief(problems), ["3:18 yaml-syntax "]);
    assert.match(problems[0]!.message, /must stand in quotes/);
  });

  test("that lacks a variable is a problem at the place that names it, all of them at once", () => {
    const text = `${ECHO}server: { host: "\${A}\${B}", port: "\${C}" }`;
    assert.deepEqual(brief(problemsOf(text)), [
      "3:17 env-missing server.host",
      "3:17 env-missing server.host",
      "3:35 env-missing server.port",
    ]);
  });

  test("cannot add structure", () => {
    const env = { X: "echo]\n- evil: 1", Y: "{ evil: 1 }" };
    const problems = problemsOf('version: 1\ngraphs: { g: ["$' + '{X}", "$' + '{Y}"] }', { env });
    assert.deepEqual(brief(problems), ["2:15 unknown-actor graphs.g[0]", "2:23 unknown-actor graphs.g[1]"]);
  });

  test("is not looked into again", () => {
    const loaded = loadConfig(
      { version: 1, server: { host: "$" + "{A}", allowAnonymous: true }, graphs: { g: ["echo"] } },
      { ...options, env: { A: "$" + "{B}", B: "secret" } },
    );
    assert.equal(loaded.plan.server.host, "$" + "{B}");
  });

  test("references without name or end are told, and a doubled dollar means itself", () => {
    for (const bad of ["$" + "{", "$" + "{}", "$" + "{1A}", "$" + "{A", "$" + "{$" + "{A}}", "$" + "{A:-$" + "{B}}"]) {
      const codes = problemsOf(`${ECHO}server: { host: '${bad}' }`, { env: { A: "127.0.0.1" } }).map(
        (each) => each.code,
      );
      assert.ok(codes.includes("env-malformed"), bad);
    }
    const { plan } = load(`${ECHO}server: { host: "$\${A}", allowAnonymous: true }`);
    assert.equal(plan.server.host, "$" + "{A}");
  });

  test("stands in no key", () => {
    assert.deepEqual(brief(problemsOf(`${ECHO}"\${A}": 1`, { env: { A: "server" } })), [`3:1 unknown-key ["\${A}"]`]);
  });

  test("does not lend its inherited properties", () => {
    assert.deepEqual(brief(problemsOf(`${ECHO}server: { host: "\${toString}" }`)), ["3:17 env-missing server.host"]);
  });
});

describe("secrets", () => {
  const open = (apiKeys: string): string => `${ECHO}server: { host: 0.0.0.0, apiKeys: ${apiKeys} }`;
  const KEY = "0123456789abcdef0123";
  const OTHER = "fedcba9876543210fedc";
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const digestsOf = (plan: Plan): string[] => plan.server.apiKeys!.keys.map(({ digest }) => digest);

  test("are read from the environment or a file", () => {
    const { plan } = load(open("{ env: KEYS }"), { env: { KEYS: `${KEY}, ${OTHER}` } });
    assert.deepEqual(digestsOf(plan), [KEY, OTHER].map(sha256));
    file("keys.txt", `# one per line\n${KEY}\n\n  ${OTHER}\r\n`);
    const fromFile = load(open("{ file: ./keys.txt }"), { baseFolder: folder });
    assert.deepEqual(digestsOf(fromFile.plan), [KEY, OTHER].map(sha256));
    assert.equal(fromFile.plan.server.apiKeys?.file, join(folder, "keys.txt"));
  });

  test("are kept as digests alone, with the settings that stand beside them", () => {
    file("limits.txt", `sha256:${sha256(KEY)}  name=acme calls=20 audio=2.5 # until June\n${OTHER} name=old\n`);
    const { plan } = load(open("{ file: ./limits.txt }"), { baseFolder: folder });
    assert.deepEqual(plan.server.apiKeys!.keys, [
      { digest: sha256(KEY), name: "acme", maxCalls: 20, audioRate: 2.5 },
      { digest: sha256(OTHER), name: "old" },
    ]);
    const env = { KEYS: `${KEY} name=acme calls=3, sha256:${sha256(OTHER).toUpperCase()}` };
    const inEnv = load(open("{ env: KEYS }"), { env }).plan;
    assert.deepEqual(inEnv.server.apiKeys!.keys, [
      { digest: sha256(KEY), name: "acme", maxCalls: 3 },
      { digest: sha256(OTHER), name: `key-${sha256(OTHER).slice(0, 8)}` },
    ]);
    for (const each of [plan, inEnv]) assert.doesNotMatch(JSON.stringify(each), new RegExp(`${KEY}|${OTHER}`));
  });

  test("that are no key with its settings are told by line, and nothing of the line is shown", () => {
    const faulty = [
      "sha256:abc",
      `${KEY} ${OTHER}`,
      `${KEY} calls=0`,
      `${KEY} calls=1.5`,
      `${KEY} audio=much`,
      `${KEY} name=`,
      `${KEY} weight=2`,
      "calls=3",
      "k".repeat(2_000),
      `${KEY}\n\n${KEY}`,
      `${KEY}\nsha256:${sha256(KEY)}`,
    ];
    for (const lines of faulty) {
      file("faulty.txt", `# comment\n${lines}\n`);
      const problems = problemsOf(open("{ file: ./faulty.txt }"), { env: {}, baseFolder: folder });
      assert.deepEqual(
        problems.map(({ code }) => code),
        ["key-invalid"],
        lines,
      );
      assert.match(problems[0]!.message, /^line [234]: /);
      assert.doesNotMatch(formatProblems(problems), new RegExp(`${KEY}|kkk|abc`));
    }
  });

  test("in the file itself are refused and not repeated", () => {
    for (const literal of [KEY, `[${KEY}]`, `{ keys: [${KEY}] }`]) {
      const problems = problemsOf(open(literal).replace("0.0.0.0", "0.0.0.0, port: 99999"));
      assert.deepEqual(
        problems.map((problem) => problem.code),
        ["invalid-value", "literal-secret"],
      );
      assert.equal(formatProblems(problems).includes(KEY), false);
    }
  });

  test("that are missing, empty or short are told, without being shown", () => {
    file("empty.txt", "# nothing\n");
    const codes = (text: string, env: Record<string, string> = {}): string[] =>
      problemsOf(text, { env, baseFolder: folder }).map((problem) => problem.code);
    assert.deepEqual(codes(open("{ env: NONE }")), ["secret-missing"]);
    assert.deepEqual(codes(open("{ file: ./none.txt }")), ["secret-missing"]);
    assert.deepEqual(codes(open("{ file: ./empty.txt }")), ["secret-missing"]);
    assert.deepEqual(codes(open("{ env: KEYS }"), { KEYS: "short" }), ["weak-secret"]);
    assert.deepEqual(codes(open("{ env: KEYS, file: ./empty.txt }"), { KEYS: KEY }), ["invalid-value"]);
  });

  test("from the environment appear in no report", () => {
    const env = { PORT: KEY };
    const problems = problemsOf(`${ECHO}server: { port: "\${PORT}", log: { level: "\${PORT}" } }`, { env });
    assert.equal(problems.length, 2);
    assert.equal(JSON.stringify(problems).includes(KEY), false);
    const { plan } = load(open("{ env: KEYS }"), { env: { KEYS: KEY } });
    for (const format of ["text", "mermaid", "dot"] as const) {
      assert.equal(describePlan(plan, { format }).includes(KEY), false);
    }
  });

  test("let every page of the web in only where there are keys, or it is wanted", () => {
    const codes = (server: string): string[] =>
      problemsOf(`${ECHO}server: ${server}`, { env: { KEYS: KEY } }).map((problem) => problem.code);
    assert.deepEqual(codes('{ cors: { origins: "*" } }'), ["anonymous-network"]);
    assert.deepEqual(codes('{ cors: { origins: "*" }, allowAnonymous: true }'), []);
    assert.deepEqual(codes('{ cors: { origins: "*" }, apiKeys: { env: KEYS } }'), []);
    const { plan } = load(`${ECHO}server: { cors: { origins: [https://a.example, "capacitor://localhost"] } }`);
    assert.deepEqual(plan.server.origins, ["https://a.example", "capacitor://localhost"]);
    for (const origin of [
      "https://a.example/",
      "https://*.a.example",
      "a.example",
      "https://A.example",
      "null",
      "https://a.example:443",
    ]) {
      assert.deepEqual(codes(`{ cors: { origins: ["${origin}"] } }`), ["invalid-value"], origin);
    }
    assert.deepEqual(codes("{ cors: { origins: [] } }"), ["invalid-value"]);
  });

  test("of TLS are files, told if they are not there, or made by the server", () => {
    const codes = (tls: string): string[] =>
      problemsOf(`${ECHO}server: { tls: ${tls} }`, { baseFolder: folder }).map((problem) => problem.code);
    file("cert.pem", "certificate");
    file("key.pem", "key");
    const { plan } = load(`${ECHO}server: { tls: { cert: ./cert.pem, key: key.pem, port: 8443 } }`, {
      baseFolder: folder,
    });
    const full = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem"), port: 8443 };
    assert.deepEqual(plan.server.tls, full);
    assert.deepEqual(load(`${ECHO}server: { tls: { selfSigned: true } }`).plan.server.tls, { selfSigned: true });
    assert.deepEqual(codes("{ cert: cert.pem, key: none.pem }"), ["secret-missing"]);
    for (const wrong of ["{}", "{ cert: cert.pem }", "{ key: key.pem }", "{ selfSigned: false }", "{ port: 8443 }"]) {
      assert.deepEqual(codes(wrong), ["invalid-value"], wrong);
    }
    assert.deepEqual(codes("{ selfSigned: true, cert: cert.pem, key: key.pem }"), ["invalid-value"]);
  });

  test("are needed on addresses that others can reach, unless that is wanted", () => {
    const codes = (server: string): string[] => problemsOf(`${ECHO}server: ${server}`).map((problem) => problem.code);
    assert.deepEqual(brief(problemsOf(`${ECHO}server: { host: 0.0.0.0 }`)), ["3:17 anonymous-network server.host"]);
    assert.deepEqual(codes('{ host: "::" }'), ["anonymous-network"]);
    assert.deepEqual(codes("{ host: example.org }"), ["anonymous-network"]);
    assert.deepEqual(codes("{ host: 127.0.0.1.example.org }"), ["anonymous-network"]);
    assert.deepEqual(codes("{ host: 0.0.0.0, allowAnonymous: true }"), []);
    for (const host of ["127.0.0.1", "127.1.2.3", "localhost", '"::1"'])
      assert.deepEqual(codes(`{ host: ${host} }`), []);
  });
});
