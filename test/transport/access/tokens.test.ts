import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ApiKey, digestOf } from "../../../src/config/api-keys.js";
import { type Identity, Keys } from "../../../src/transport/access/keys.js";
import { Tokens } from "../../../src/transport/access/tokens.js";

const apiKeys: readonly ApiKey[] = ["a", "b"].map((key) => ({ name: key, digest: digestOf(key).toString("hex") }));

function stage(limits?: { waiting: number; waitingPerKey: number }): {
  keys: Keys;
  tokens: Tokens;
  a: Identity;
  b: Identity;
} {
  const keys = new Keys(apiKeys, 5_000);
  return { keys, tokens: new Tokens(keys, limits), a: keys.find("a")!, b: keys.find("b")! };
}

describe("a token", () => {
  test("stands for its key, once", () => {
    const { tokens, a } = stage();
    const token = tokens.issue(a, 1_000, 0);
    assert.ok(Tokens.isToken(token));
    assert.match(token, /^[\w-]{40,}$/, "fits into a header, a query and a subprotocol");
    assert.equal(tokens.take(token, 999)?.keyName, "a");
    assert.equal(tokens.take(token, 999), undefined);
    assert.equal(tokens.size, 0);
  });

  test("is good until its time, and no longer", () => {
    const { tokens, a } = stage();
    const [early, late] = [tokens.issue(a, 1_000, 0), tokens.issue(a, 1_000, 0)];
    assert.ok(tokens.take(early, 999.9) !== undefined);
    assert.equal(tokens.take(late, 1_000), undefined);
    assert.equal(tokens.size, 0, "one that came too late is gone too");
  });

  test("that was made up, cut short or changed is nobody's", () => {
    const { tokens, a } = stage();
    const token = tokens.issue(a, 1_000, 0);
    const digest = digestOf(token).toString("hex");
    for (const forged of [token.slice(0, -1), `${token}A`, "syxt_", digest, "syxt_".padEnd(token.length, "A")]) {
      assert.equal(tokens.take(forged, 0), undefined);
    }
    assert.ok(tokens.take(token, 0) !== undefined);
  });

  test("ends with its key", () => {
    const { keys, tokens, a, b } = stage();
    const [ofA, ofB] = [tokens.issue(a, 1_000, 0), tokens.issue(b, 1_000, 0)];
    keys.replace([apiKeys[1]!]);
    assert.equal(tokens.take(ofA, 1), undefined);
    assert.equal(tokens.take(ofB, 1)?.keyName, "b");
  });

  test("keeps to its graph", () => {
    const { keys, tokens, a } = stage();
    const identity = tokens.take(tokens.issue(a, 1_000, 0, "echo"), 0)!;
    const lease = keys.enter(identity);
    lease.open({ graph: "echo" });
    assert.throws(() => lease.open({ graph: "assistant" }), { code: "AUTH_GRAPH" });
  });
});

describe("tokens that wait to be used", () => {
  test("are bounded for each key and in all, and make room when they are too old", () => {
    const { tokens, a, b } = stage({ waiting: 5, waitingPerKey: 3 });
    for (let count = 0; count < 3; count++) tokens.issue(a, 1_000, 0);
    assert.throws(() => tokens.issue(a, 1_000, 1), { code: "TOKEN_LIMIT" });
    for (let count = 0; count < 2; count++) tokens.issue(b, 2_000, 1);
    assert.throws(() => tokens.issue(b, 2_000, 1), { code: "TOKEN_LIMIT" });
    assert.equal(tokens.size, 5);
    tokens.issue(a, 1_000, 1_000);
    assert.equal(tokens.size, 3);
  });
});
