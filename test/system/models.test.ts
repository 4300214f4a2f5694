/** `syrinx models`, and what `serve` does about models that are missing: whole processes against a hub on loopback. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { packageRoot } from "../../src/base/package-root.js";
import { TemporaryCache } from "../models/catalogue/pull-support.js";
import { HubServer, sha256 } from "../support/hub-server.js";
import { cli, type Finished, startCli } from "../support/system.js";

/** The starter models, as if others published them. */
const VAD = readFileSync(join(packageRoot(), "models", "starter", "vad.onnx"));
const AT = "acme/ears/onnx/vad.onnx";

function entry(name: string, file: object, family = "starter-vad"): object {
  return {
    name,
    title: "A detector",
    task: "vad",
    family,
    languages: ["zxx"],
    licence: "MIT",
    source: { kind: "hub", repository: "acme/ears", revision: "main" },
    evidence: "listed",
    variants: [{ precision: "fp32", devices: ["cpu"], files: [file], paths: { file: "onnx/vad.onnx" } }],
  };
}

const CONFIG = `version: 1
server: { port: 0 }
models: { vad: { catalogue: pinned-vad } }
graphs: { listen: [{ vad: { model: vad } }] }
`;

describe("syrinx models", { timeout: 150_000 }, () => {
  let hub: HubServer;
  let cache: TemporaryCache;
  let env: Record<string, string>;
  let config: string;

  before(async () => {
    hub = await HubServer.start();
    hub.add(AT, VAD, { isLarge: true });
  });
  after(() => hub.stop());
  beforeEach((t) => {
    cache = new TemporaryCache();
    if ("after" in t) t.after(() => cache.remove());
    const own = join(cache.folder, "own.json");
    config = join(cache.folder, "agent.yaml");
    const path = "onnx/vad.onnx";
    const models = [
      entry("pinned-vad", { path, sha256: sha256(VAD), bytes: VAD.length }),
      entry("unknown-vad", { path }),
      entry("wrong-vad", { path, sha256: "0".repeat(64) }),
      entry("far-vad", { path, sha256: sha256(VAD) }, "not-in-this-build"),
    ];
    writeFileSync(own, JSON.stringify({ version: 1, models }));
    writeFileSync(config, CONFIG);
    hub.asked.length = 0;
    env = { SYRINX_CACHE: cache.folder, SYRINX_CATALOGUE: own, HF_ENDPOINT: hub.url, HF_TOKEN: "", SYRINX_OFFLINE: "" };
  });

  function models(...args: readonly string[]): Promise<Finished> {
    return cli(["models", ...args], { env });
  }

  function json({ stdout }: Finished): Record<string, unknown> {
    return JSON.parse(stdout.trim()) as Record<string, unknown>;
  }

  function assertTold({ code, stdout, stderr }: Finished, errorCode: string, exitCode = 1): void {
    assert.equal(code, exitCode, stderr);
    assert.match(stderr, new RegExp(`\\(${errorCode}, see docs/ERRORS\\.md\\)`));
    assert.doesNotMatch(stderr, /^\s+at .*:\d+/m);
    assert.doesNotMatch(stdout + stderr, /\{\w+\}|undefined|\[object/);
  }

  for (const command of ["list", "info", "pull", "verify", "path"]) {
    test(`\`models ${command} --help\` has an example and --json`, async () => {
      const { code, stdout } = await models(command, "--help");
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Usage: syrinx models ${command}`));
      assert.match(stdout, /Examples:\n {2}/);
      assert.match(stdout, /--json/);
    });
  }

  test("`list` says what is here and what this build cannot run, and asks no network", async () => {
    const { code, stdout } = await models("list", "--task", "vad");
    assert.equal(code, 0);
    assert.match(stdout, /^starter-vad +vad +461 kB +fp32\* +Apache-2\.0 +bundled$/m);
    assert.match(stdout, /^far-vad .* not in this build$/m);
    assert.match(stdout, /^unknown-vad +vad +\? /m);
    assert.doesNotMatch(stdout, /^flite/m);
    assert.deepEqual(hub.asked, []);
    assertTold(await models("list", "--task", "sing"), "CLI_OPTION_INVALID", 2);
  });

  test("`info` shows digests, and where there is none says that there is none", async () => {
    assert.match(
      (await models("info", "pinned-vad")).stdout,
      new RegExp(`onnx/vad\\.onnx +${VAD.length} +${sha256(VAD)}`),
    );
    assert.match((await models("info", "unknown-vad")).stdout, /digest: unknown, recorded on first pull/);
    assertTold(await models("info", "no-such-model"), "MODEL_UNKNOWN");
  });

  test("`pull`, `list`, `verify` and `path` of a model, as JSON", async () => {
    const pulled = json(await models("pull", "pinned-vad", "--json"));
    assert.deepEqual([pulled.type, pulled.id], ["pulled", "pinned-vad@fp32"]);
    const listed = json(await models("list", "--cached", "--json")) as { models: { name: string }[] };
    assert.ok(listed.models.some(({ name }) => name === "pinned-vad"));
    const verified = json(await models("verify", "pinned-vad", "--json")) as {
      figures: { name: string; value: number }[];
    };
    assert.ok(verified.figures.find(({ name }) => name === "taken for speech in requests")!.value > 80);
    const { path, state } = json(await models("path", "pinned-vad", "--json"));
    assert.deepEqual([path, state], [pulled.folder, "cached"]);
    assert.deepEqual(readFileSync(join(String(path), "onnx", "vad.onnx")), VAD);
  });

  test("`pull` says aloud that it trusts a file on first use, once", async () => {
    const first = await models("pull", "unknown-vad");
    assert.deepEqual([first.code, first.stderr], [0, ""]);
    assert.match(
      first.stdout,
      new RegExp(`nobody knew its digest; recorded on this first pull: onnx/vad\\.onnx sha256 ${sha256(VAD)}`),
    );
    const second = await models("pull", "unknown-vad");
    assert.match(second.stdout, /unknown-vad@fp32: is here/);
    assert.doesNotMatch(second.stdout, /nobody knew/);
  });

  test("`pull --config` fetches what a configuration uses, and nothing else", async () => {
    const { code, stdout } = await models("pull", "--config", config);
    assert.equal(code, 0);
    assert.match(stdout, /^pinned-vad@fp32: fetched 1 of 1 files, 461 kB$/m);
    assert.deepEqual(cache.names("models"), ["pinned-vad"]);
  });

  test("a wrong digest, a gated repository, no network: each is told with what to do", async () => {
    assertTold(await models("pull", "wrong-vad"), "MODEL_DIGEST_MISMATCH");
    env.SYRINX_OFFLINE = "1";
    assertTold(await models("pull", "pinned-vad"), "MODEL_OFFLINE");
    env.SYRINX_OFFLINE = "";
    hub.gated.set("acme/ears", "hf_secret");
    try {
      assertTold(await models("pull", "pinned-vad"), "MODEL_GATED");
      env.HF_TOKEN = "hf_secret";
      assert.equal((await models("pull", "pinned-vad")).code, 0);
    } finally {
      hub.gated.clear();
    }
  });

  test("Ctrl-C during a pull exits with 130, and the next one goes on", async () => {
    hub.mishaps.set(AT, [{ hangAfter: 100_000 }]);
    const program = startCli(["models", "pull", "pinned-vad"], { env });
    await new Promise<void>((resolve) => {
      hub.onRead = async () => resolve();
    });
    program.child.kill("SIGINT");
    const { code, stderr } = await program.finished;
    hub.onRead = async () => {};
    assert.equal(code, 130, stderr);
    assert.match(stderr, /what has come is kept/);
    assert.equal((await models("pull", "pinned-vad")).code, 0);
  });

  test("two processes that pull the same fetch it once", async () => {
    const both = await Promise.all([models("pull", "pinned-vad"), models("pull", "pinned-vad")]);
    assert.deepEqual(
      both.map(({ code }) => code),
      [0, 0],
    );
    assert.equal(hub.reads("onnx/vad.onnx").filter(({ origin }) => origin === "storage").length, 1);
  });

  test("`verify` without a name does all that are here, and finds the one that was changed", async () => {
    await models("pull", "pinned-vad", "far-vad");
    const good = await models("verify");
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /^starter-en@fp32: 1 digest right; .*word error rate 0\.0 %/m);
    assert.match(good.stdout, /^far-vad@fp32: 1 digest right; not tried, this build cannot run it$/m);
    const blob = join(cache.folder, "blobs", `sha256-${sha256(VAD)}`);
    chmodSync(blob, 0o644);
    writeFileSync(blob, Buffer.concat([VAD.subarray(0, -1), Buffer.from("!")]));
    const bad = await models("verify");
    assertTold(bad, "MODEL_DIGEST_MISMATCH");
    assert.match(bad.stdout, /^starter-en@fp32: 1 digest right/m);
    assertTold(await models("verify", "unknown-vad"), "MODEL_NOT_CACHED");
  });

  test("`serve` refuses a model that is missing, and asks no network", async () => {
    const { code, stdout, stderr } = await cli(["serve", config], { env });
    assert.equal(code, 1);
    assert.match(stdout + stderr, /pinned-vad@fp32.*not in the cache/);
    const checked = await cli(["check", config], { env });
    assert.equal(checked.code, 1);
    assert.match(checked.stdout, /model-not-cached/);
    assert.deepEqual(hub.asked, []);
  });

  test("`serve --pull missing` fetches it once; afterwards `serve` starts without a network", async () => {
    for (const args of [["--pull", "missing"], []]) {
      const server = startCli(["serve", config, "--json", ...args], { env });
      await server.until(({ stdout }) => stdout.includes('"type":"serving"'));
      server.child.kill("SIGTERM");
      const { code, stderr } = await server.finished;
      assert.equal(code, 0, stderr);
      assert.equal(hub.asked.length > 0, args.length > 0);
      hub.asked.length = 0;
    }
    assertTold(await cli(["serve", config, "--pull", "always"], { env }), "CLI_OPTION_INVALID", 2);
  });
});
