import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type ErrorCode, isSyrinxError } from "../../../src/base/errors.js";
import { LIMITS } from "../../../src/base/limits.js";
import { seeded } from "../../../src/base/prng.js";
import { ModelCache } from "../../../src/models/catalogue/cache.js";
import { pullModel, wrongFiles } from "../../../src/models/catalogue/pull.js";
import { COMMIT, HubServer, sha256 } from "../../support/hub-server.js";
import { hurried, modelOf, REPOSITORY, TemporaryCache } from "./pull-support.js";

const WEIGHTS = "onnx/model.onnx";
const AT = `${REPOSITORY}/${WEIGHTS}`;
const prng = seeded(7);
const content = Buffer.from(Array.from({ length: 300_000 }, () => prng.integer(0, 256)));
const pinned = { path: WEIGHTS, sha256: sha256(content), bytes: content.length };

let hub: HubServer;
let cache: TemporaryCache;
beforeEach(async () => {
  hub = await HubServer.start();
  cache = new TemporaryCache();
  hub.add(AT, content, { isLarge: true });
});
afterEach(async () => {
  await hub.stop();
  cache.remove();
});

function fails(code: ErrorCode, says = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isSyrinxError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} ${error.hint}`, says);
    assert.doesNotMatch(`${error.message} ${error.hint}`, /\{\w+\}|undefined/);
    return true;
  };
}

describe("a pull", () => {
  test("puts the files under their names, and the content into the blobs by its digest", async () => {
    hub.add(`${REPOSITORY}/config.json`, "{}");
    const model = modelOf([pinned, { path: "config.json" }]);
    const pulled = await pullModel(model, hurried(cache.settings(hub.url)));
    assert.deepEqual(readFileSync(join(pulled.folder, WEIGHTS)), content);
    assert.equal(readFileSync(join(pulled.folder, "config.json"), "utf8"), "{}");
    assert.deepEqual(cache.names("blobs"), [`sha256-${sha256("{}")}`, `sha256-${pinned.sha256}`].sort());
    assert.deepEqual(cache.names("partial"), []);
    assert.equal(new ModelCache(cache.folder).state(model), "cached");
    assert.deepEqual(new ModelCache(cache.folder).familyOptions(model), { file: join(pulled.folder, WEIGHTS) });
    assert.deepEqual(await wrongFiles(model, cache.settings(hub.url)), []);
  });

  test("of what is here asks the network nothing", async () => {
    const model = modelOf([pinned]);
    await pullModel(model, hurried(cache.settings(hub.url)));
    hub.asked.length = 0;
    const again = await pullModel(model, hurried(cache.settings(hub.url, { SYRINX_OFFLINE: "1" })));
    assert.deepEqual(hub.asked, []);
    assert.deepEqual(again.files, [
      { path: WEIGHTS, sha256: pinned.sha256, bytes: pinned.bytes, isFetched: false, isFirstUse: false },
    ]);
  });

  test("with force fetches anew what is here", async () => {
    const model = modelOf([pinned]);
    const { folder } = await pullModel(model, hurried(cache.settings(hub.url)));
    const forced = await pullModel(model, { ...hurried(cache.settings(hub.url)), force: true });
    assert.equal(forced.files[0]!.isFetched, true);
    assert.equal(hub.reads(WEIGHTS).filter(({ origin }) => origin === "storage").length, 2);
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
  });

  test("shares a blob between two models, without fetching it twice", async () => {
    await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url)));
    hub.asked.length = 0;
    const other = await pullModel(modelOf([pinned], "hub", "other"), hurried(cache.settings(hub.url)));
    assert.deepEqual(hub.asked, []);
    assert.equal(
      statSync(join(other.folder, WEIGHTS)).ino,
      statSync(join(cache.folder, "blobs", `sha256-${pinned.sha256}`)).ino,
    );
  });

  test("reads GitHub's plain addresses as well", async () => {
    const model = modelOf([pinned], "github");
    const { folder } = await pullModel(model, hurried(cache.settings(hub.url)));
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
    assert.ok(hub.asked.every(({ url }) => url === `/${REPOSITORY}/main/${WEIGHTS}`));
  });

  test("tells how many bytes are here, up to all of them", async () => {
    const seen: number[] = [];
    await pullModel(modelOf([pinned]), {
      ...hurried(cache.settings(hub.url)),
      onBytes: (path, received, total) => {
        assert.deepEqual([path, total], [WEIGHTS, content.length]);
        seen.push(received);
      },
    });
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => a - b),
    );
    assert.deepEqual([seen[0], seen.at(-1)], [0, content.length]);
  });

  test("fetches no more files at a time than the limit", async () => {
    const files = Array.from({ length: 12 }, (_, index) => `part-${index}.bin`);
    for (const path of files) hub.add(`${REPOSITORY}/${path}`, `content of ${path}`);
    let [active, most] = [0, 0];
    hub.onRead = async () => {
      active++;
      most = Math.max(most, active);
      await new Promise((done) => setImmediate(done));
      active--;
    };
    await pullModel(modelOf(files.map((path) => ({ path }))), hurried(cache.settings(hub.url)));
    assert.ok(most >= 1 && most <= LIMITS.downloadsAtOnce, `${most} at once`);
  });

  test("by two callers at once fetches each file once", async () => {
    const model = modelOf([pinned, { path: "config.json" }]);
    hub.add(`${REPOSITORY}/config.json`, "{}");
    const both = [1, 2].map(() => pullModel(model, hurried(cache.settings(hub.url))));
    const [one, two] = await Promise.all(both);
    assert.equal(hub.reads(WEIGHTS).filter(({ origin }) => origin === "storage").length, 1);
    assert.equal(hub.reads("config.json").length, 1);
    assert.deepEqual(
      one!.files.map(({ sha256: digest }) => digest),
      two!.files.map(({ sha256: digest }) => digest),
    );
  });
});

describe("a connection that breaks", () => {
  test("is taken up again at the byte where it broke", async () => {
    hub.mishaps.set(AT, [{ cutAfter: 100_000 }, { cutAfter: 50_000 }]);
    const waitsMs: number[] = [];
    const { folder } = await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url), waitsMs));
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
    const ranges = hub
      .reads(WEIGHTS)
      .filter(({ origin }) => origin === "storage")
      .map(({ range }) => range);
    assert.equal(ranges.length, 3);
    assert.equal(ranges[0], undefined);
    assert.match(ranges[1]!, /^bytes=[1-9]\d*-299999$/);
    assert.ok(Number(/=(\d+)/.exec(ranges[2]!)![1]) > Number(/=(\d+)/.exec(ranges[1]!)![1]));
    assert.equal(waitsMs.length, 2);
  });

  test("of a plain address, too", async () => {
    hub.mishaps.set(AT, [{ cutAfter: 100_000 }]);
    const { folder } = await pullModel(modelOf([pinned], "github"), hurried(cache.settings(hub.url)));
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
    assert.match(hub.reads(WEIGHTS).at(-1)!.range!, /^bytes=[1-9]\d*-$/);
  });

  test("leaves to the next pull what came", async () => {
    hub.mishaps.set(AT, [{ cutAfter: 200_000 }, ...Array.from({ length: 5 }, () => ({ status: 503 }))]);
    const pull = pullModel(modelOf([pinned]), hurried(cache.settings(hub.url)));
    await assert.rejects(pull, fails("MODEL_DOWNLOAD_FAILED", /HTTP 503.*models pull tiny/));
    assert.equal(cache.names("partial").filter((name) => name.endsWith(".part")).length, 1);
    assert.equal(existsSync(join(cache.folder, "models")), false);
    hub.asked.length = 0;
    const first: number[] = [];
    const options = {
      ...hurried(cache.settings(hub.url)),
      onBytes: (_: string, received: number) => void first.push(received),
    };
    const { folder } = await pullModel(modelOf([pinned]), options);
    assert.ok(first[0]! > 0);
    assert.match(hub.reads(WEIGHTS).at(-1)!.range!, /^bytes=[1-9]/);
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
  });

  test("is given up after so many tries that brought nothing, each after a longer wait", async () => {
    hub.mishaps.set(
      AT,
      Array.from({ length: 50 }, () => ({ status: 502 })),
    );
    const waitsMs: number[] = [];
    await assert.rejects(
      pullModel(modelOf([pinned]), hurried(cache.settings(hub.url), waitsMs)),
      fails("MODEL_DOWNLOAD_FAILED"),
    );
    assert.equal(waitsMs.length, LIMITS.downloadAttempts - 1);
    for (const [index, ms] of waitsMs.entries()) assert.ok(ms >= 250 * 2 ** index && ms <= 500 * 2 ** index, `${ms}`);
  });

  test("waits as long as the server asks", async () => {
    hub.mishaps.set(AT, [{ status: 429, retryAfter: "7" }]);
    const waitsMs: number[] = [];
    await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url), waitsMs));
    assert.deepEqual(waitsMs, [7000]);
  });

  test("whose server ignores the range is begun anew, and put together rightly", async () => {
    hub.mishaps.set(AT, [{ cutAfter: 100_000 }, ...Array.from({ length: 50 }, () => ({ ignoreRange: true }) as const)]);
    const { folder } = await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url)));
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
  });

  test("to nobody says that nobody is there", async () => {
    const { url } = hub;
    await hub.stop();
    await assert.rejects(
      pullModel(modelOf([pinned]), hurried(cache.settings(url))),
      fails("MODEL_DOWNLOAD_FAILED", /ECONNREFUSED/),
    );
    hub = await HubServer.start();
  });

  test("and is cancelled keeps what came", async () => {
    const stop = new AbortController();
    hub.mishaps.set(AT, [{ hangAfter: 100_000 }]);
    const options = { ...hurried(cache.settings(hub.url)), signal: stop.signal };
    const pull = pullModel(modelOf([pinned]), { ...options, onBytes: (_, received) => received > 0 && stop.abort() });
    await assert.rejects(pull);
    assert.equal(cache.names("partial").filter((name) => name.endsWith(".part")).length, 1);
    assert.deepEqual(cache.names("blobs"), []);
  });
});

describe("content that is not what it should be", () => {
  test("never becomes a blob, and is not kept", async () => {
    hub.files.set(AT, { content: Buffer.from("something else") });
    await assert.rejects(
      pullModel(modelOf([pinned]), hurried(cache.settings(hub.url))),
      fails("MODEL_DIGEST_MISMATCH", new RegExp(pinned.sha256)),
    );
    assert.deepEqual([cache.names("blobs"), cache.names("partial"), cache.names("models")], [[], [], []]);
  });

  test("is not even read if the hub says so beforehand", async () => {
    hub.add(AT, "another large file", { isLarge: true });
    await assert.rejects(
      pullModel(modelOf([pinned]), hurried(cache.settings(hub.url))),
      fails("MODEL_DIGEST_MISMATCH"),
    );
    assert.deepEqual(hub.reads(WEIGHTS), []);
  });

  test("is found by the hub's own digest where the catalogue has none", async () => {
    hub.add(AT, content, { isLarge: true, claims: sha256("what it was") });
    await assert.rejects(
      pullModel(modelOf([{ path: WEIGHTS }]), hurried(cache.settings(hub.url))),
      fails("MODEL_DIGEST_MISMATCH"),
    );
    hub.add(`${REPOSITORY}/config.json`, "{}", { claims: "0".repeat(40) });
    await assert.rejects(
      pullModel(modelOf([{ path: "config.json" }]), hurried(cache.settings(hub.url))),
      fails("MODEL_DIGEST_MISMATCH", /git blob/),
    );
  });

  test("that an earlier pull left is thrown away, and the file fetched whole", async () => {
    hub.mishaps.set(AT, [{ cutAfter: 100_000 }, ...Array.from({ length: 5 }, () => ({ status: 503 }))]);
    await assert.rejects(pullModel(modelOf([pinned]), hurried(cache.settings(hub.url))));
    const [part] = cache.names("partial").filter((name) => name.endsWith(".part"));
    writeFileSync(join(cache.folder, "partial", part!), "rotten");
    const { folder } = await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url)));
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
  });

  test("without end fills no disk", async () => {
    hub.add(AT, content);
    hub.mishaps.set(
      AT,
      Array.from({ length: 20 }, () => ({ excess: 100_000 })),
    );
    await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url))).catch(fails("MODEL_DOWNLOAD_FAILED"));
    for (const name of cache.names("partial")) {
      assert.ok(statSync(join(cache.folder, "partial", name)).size <= content.length);
    }
  });

  test("in the cache is found by hashing it again", async () => {
    const model = modelOf([pinned]);
    const { folder } = await pullModel(model, hurried(cache.settings(hub.url)));
    const rotten = Buffer.from(content);
    rotten[1000]! ^= 1;
    chmodSync(join(folder, WEIGHTS), 0o644);
    writeFileSync(join(folder, WEIGHTS), rotten);
    assert.deepEqual(await wrongFiles(model, cache.settings(hub.url)), [
      { path: WEIGHTS, expected: pinned.sha256, found: sha256(rotten) },
    ]);
    await pullModel(model, { ...hurried(cache.settings(hub.url)), force: true });
    assert.deepEqual(await wrongFiles(model, cache.settings(hub.url)), []);
  });
});

describe("a digest that nobody knows", () => {
  const model = () => modelOf([{ path: WEIGHTS }, { path: "config.json" }]);

  test("is recorded on the first pull, with the commit, and required from then on", async () => {
    hub.add(`${REPOSITORY}/config.json`, "{}");
    const first = await pullModel(model(), hurried(cache.settings(hub.url)));
    assert.deepEqual(
      first.files.map(({ isFirstUse }) => isFirstUse),
      [true, true],
    );
    assert.equal(first.revision, COMMIT);
    const lock = JSON.parse(readFileSync(join(cache.folder, "lock.json"), "utf8")) as Record<string, unknown>;
    const record = (lock.sources as Record<string, { revision: string; files: Record<string, unknown> }>)[
      `hub:${REPOSITORY}@main`
    ]!;
    assert.equal(record.revision, COMMIT);
    assert.deepEqual(record.files[WEIGHTS], { sha256: pinned.sha256, bytes: content.length });
    hub.add(`${REPOSITORY}/config.json`, "{ }");
    await assert.rejects(
      pullModel(model(), { ...hurried(cache.settings(hub.url)), force: true }),
      fails("MODEL_DIGEST_MISMATCH"),
    );
    assert.ok(
      hub.reads(WEIGHTS).at(-1)!.url.includes(`/resolve/${COMMIT}/`),
      "the commit is asked for, not the branch",
    );
  });

  test("is asked for at the commit from the first file on, so that all are of one", async () => {
    hub.add(`${REPOSITORY}/config.json`, "{}");
    await pullModel(model(), hurried(cache.settings(hub.url)));
    const reads = [...hub.reads(WEIGHTS), ...hub.reads("config.json")].filter(({ origin }) => origin === "hub");
    assert.ok(reads.length >= 2);
    for (const { url } of reads) assert.ok(url.includes(`/resolve/${COMMIT}/`), url);
  });

  test("of a pinned model is not recorded", async () => {
    await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url)));
    assert.equal(existsSync(join(cache.folder, "lock.json")), false);
  });
});

describe("a source that refuses", () => {
  test("says how to get in, and with the token lets in", async () => {
    hub.gated.set(REPOSITORY, "hf_secret");
    const refused = pullModel(modelOf([pinned]), hurried(cache.settings(hub.url)));
    await assert.rejects(refused, fails("MODEL_GATED", /HTTP 401.*HF_TOKEN/));
    const wrong = pullModel(modelOf([pinned]), hurried(cache.settings(hub.url, { HF_TOKEN: "a mirror's own kind" })));
    await assert.rejects(wrong, fails("MODEL_GATED", /HTTP 403/));
    await pullModel(modelOf([pinned]), hurried(cache.settings(hub.url, { HF_TOKEN: "hf_secret" })));
  });

  test("is not asked again", async () => {
    hub.gated.set(REPOSITORY, "hf_secret");
    const waitsMs: number[] = [];
    await assert.rejects(pullModel(modelOf([pinned]), hurried(cache.settings(hub.url), waitsMs)));
    assert.deepEqual(waitsMs, []);
  });

  test("the token goes to the hub alone, not to where it redirects, and into no message", async () => {
    const settings = cache.settings(hub.url, { HF_TOKEN: "hf_secret" });
    await pullModel(modelOf([pinned]), hurried(settings));
    const storage = hub.asked.filter(({ origin }) => origin === "storage");
    assert.ok(storage.length > 0 && hub.asked.some(({ token }) => token === "Bearer hf_secret"));
    assert.ok(storage.every(({ token }) => token === undefined));
    const missing = pullModel(modelOf([{ path: "none.onnx" }]), hurried(settings));
    await assert.rejects(
      missing,
      (error) => fails("MODEL_REMOTE_MISSING")(error) && !String(error).includes("hf_secret"),
    );
  });

  test("or has no such file, or no such repository, says which", async () => {
    const none = pullModel(modelOf([{ path: "none.onnx" }]), hurried(cache.settings(hub.url)));
    await assert.rejects(none, fails("MODEL_REMOTE_MISSING", /none\.onnx.*acme\/tiny/));
    hub.lookMishaps.set(
      `${REPOSITORY}/config.json`,
      [1, 2].map(() => ({ status: 401, word: "RepoNotFound" })),
    );
    hub.add(`${REPOSITORY}/config.json`, "{}");
    const gone = pullModel(modelOf([{ path: "config.json" }]), hurried(cache.settings(hub.url)));
    await assert.rejects(gone, fails("MODEL_REMOTE_MISSING"));
  });

  test("is not asked at all when offline", async () => {
    for (const variable of ["SYRINX_OFFLINE", "HF_HUB_OFFLINE"]) {
      const settings = cache.settings(hub.url, { [variable]: "1" });
      await assert.rejects(pullModel(modelOf([pinned]), hurried(settings)), fails("MODEL_OFFLINE"));
    }
    assert.deepEqual(hub.asked, []);
  });
});

describe("a disk that refuses", () => {
  test("has too little room: said before a byte of it is used", async () => {
    const options = { ...hurried(cache.settings(hub.url)), freeBytes: async () => 64e6 + content.length - 1 };
    await assert.rejects(pullModel(modelOf([pinned]), options), fails("MODEL_CACHE_FULL", /needs 1 MB more/));
    assert.deepEqual(hub.reads(WEIGHTS), []);
    await pullModel(modelOf([pinned]), { ...options, freeBytes: async () => 64e6 + content.length });
  });

  test("cannot be written: said, with what to do", async () => {
    const model = modelOf([pinned]);
    // Not by permissions: a superuser may write anywhere. A file where a folder would be refuses everybody.
    const blocked = join(cache.folder, "file");
    writeFileSync(blocked, "");
    const settings = cache.settings(hub.url, { SYRINX_CACHE: join(blocked, "cache") });
    await assert.rejects(pullModel(model, hurried(settings)), fails("MODEL_CACHE_READ_ONLY", /SYRINX_CACHE/));
    const required = (): unknown => new ModelCache(settings.cacheFolder).require(model);
    assert.throws(required, fails("MODEL_NOT_CACHED", /models pull tiny/));
  });

  test("is not written when models in it are used, so that it may be read-only", async () => {
    const model = modelOf([pinned, { path: "config.json" }]);
    hub.add(`${REPOSITORY}/config.json`, "{}");
    await pullModel(model, hurried(cache.settings(hub.url)));
    const everything = (): string[] =>
      readdirSync(cache.folder, { recursive: true, encoding: "utf8" })
        .map((name) => `${name} ${statSync(join(cache.folder, name)).mtimeMs}`)
        .sort();
    const before = everything();
    assert.equal(new ModelCache(cache.folder).require(model).length, 2);
    assert.deepEqual(await wrongFiles(model, cache.settings(hub.url)), []);
    await pullModel(model, hurried(cache.settings(hub.url, { SYRINX_OFFLINE: "1" })));
    assert.deepEqual(everything(), before);
  });
});
