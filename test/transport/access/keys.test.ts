import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ApiKey, digestOf } from "../../../src/config/api-keys.js";
import { Admission } from "../../../src/transport/access/admission.js";
import { ANYBODY, type Identity, Keys, type Lease } from "../../../src/transport/access/keys.js";

const BURST_MS = 5_000;

function apiKey(key: string, settings: Partial<ApiKey> = {}): ApiKey {
  return { name: key, digest: digestOf(key).toString("hex"), ...settings };
}

function known(keys: Keys, key: string): Identity {
  const found = keys.find(key);
  assert.ok(found !== undefined, key);
  return found;
}

describe("finding a key", () => {
  const keys = new Keys([apiKey("alpha-0123456789"), apiKey("beta-0123456789", { name: "b" })], BURST_MS);

  test("takes the whole key and nothing near it", () => {
    assert.equal(known(keys, "alpha-0123456789").keyName, "alpha-0123456789");
    assert.equal(known(keys, "beta-0123456789").keyName, "b");
    const digest = digestOf("alpha-0123456789").toString("hex");
    for (const wrong of ["", "alpha-012345678", "alpha-01234567890", "ALPHA-0123456789", digest, `sha256:${digest}`]) {
      assert.equal(keys.find(wrong), undefined, wrong);
    }
    assert.equal(keys.find("x".repeat(10_000_000)), undefined);
  });

  test("forgets a revoked key at once, and knows the new one", () => {
    const changing = new Keys([apiKey("old"), apiKey("kept")], BURST_MS);
    const old = known(changing, "old");
    changing.replace([apiKey("kept"), apiKey("new")]);
    assert.equal(changing.find("old"), undefined);
    assert.ok(!changing.isValid(old));
    assert.ok(changing.isValid(known(changing, "kept")));
    assert.ok(changing.isValid(known(changing, "new")));
    assert.equal(changing.size, 2);
  });
});

describe("calls at the same time", () => {
  test("are as many as the key may have, and room comes back when one leaves, once", () => {
    const keys = new Keys([apiKey("k", { maxCalls: 2 })], BURST_MS);
    const identity = known(keys, "k");
    const first = keys.enter(identity);
    const second = keys.enter(identity);
    assert.throws(() => keys.enter(identity), { code: "KEY_CALLS_LIMIT" });
    first.leave();
    first.leave();
    const third = keys.enter(identity);
    assert.throws(() => keys.enter(identity), { code: "KEY_CALLS_LIMIT" });
    assert.throws(() => second.open({ graph: "g", channels: 2 }), { code: "KEY_CALLS_LIMIT" });
    third.leave();
    second.open({ graph: "g", channels: 2 });
    assert.throws(() => keys.enter(identity), { code: "KEY_CALLS_LIMIT" });
    second.leave();
    keys.enter(identity, 2).leave();
    assert.throws(() => keys.enter(identity, 3), { code: "KEY_CALLS_LIMIT" });
  });

  test("go on counting for a key that was revoked and given again", () => {
    const keys = new Keys([apiKey("k", { maxCalls: 1 })], BURST_MS);
    const lease = keys.enter(known(keys, "k"));
    keys.replace([]);
    keys.replace([apiKey("k", { maxCalls: 1 })]);
    assert.throws(() => keys.enter(known(keys, "k")), { code: "KEY_CALLS_LIMIT" });
    lease.leave();
    keys.enter(known(keys, "k")).leave();
  });

  test("of anybody, where there are no keys, are not counted", () => {
    const keys = new Keys([], BURST_MS);
    for (let calls = 0; calls < 10_000; calls++) keys.enter(ANYBODY);
  });

  test("are none when all have left, whatever happened in between, and never more than the key may have", () => {
    type Step = { what: "enter" | "grow" | "leave" | "revoke" | "restore"; at: number; callCount: number };
    const step: fc.Arbitrary<Step> = fc.record({
      what: fc.constantFrom("enter", "enter", "grow", "leave", "leave", "revoke", "restore"),
      at: fc.nat(20),
      callCount: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (steps, maxCalls) => {
        const all = [apiKey("k", { maxCalls })];
        const keys = new Keys(all, BURST_MS);
        const identity = known(keys, "k");
        const leases: Lease[] = [];
        const model = new Map<Lease, number>();
        for (const { what, at, callCount } of steps) {
          const inUse = [...model.values()].reduce((sum, count) => sum + count, 0);
          const hasRoom = inUse + callCount <= maxCalls;
          const lease = leases[at];
          if (what === "enter") {
            if (hasRoom) {
              leases.push(keys.enter(identity, callCount));
              model.set(leases.at(-1)!, callCount);
            } else assert.throws(() => keys.enter(identity, callCount), { code: "KEY_CALLS_LIMIT" });
          } else if (what === "revoke") keys.replace([]);
          else if (what === "restore") keys.replace(all);
          else if (lease === undefined) continue;
          else if (what === "leave") {
            lease.leave();
            model.delete(lease);
          } else if (!model.has(lease)) lease.grow(callCount);
          else if (hasRoom) {
            lease.grow(callCount);
            model.set(lease, model.get(lease)! + callCount);
          } else assert.throws(() => lease.grow(callCount), { code: "KEY_CALLS_LIMIT" });
          assert.equal(
            identity.account?.calls,
            [...model.values()].reduce((sum, count) => sum + count, 0),
          );
        }
        for (const lease of leases) lease.leave();
        assert.equal(identity.account?.calls, 0);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe("audio per second", () => {
  test("may come at once for five seconds' worth, then at the key's rate, all its calls together", () => {
    const keys = new Keys([apiKey("k", { audioRate: 2 })], BURST_MS);
    const [one, two] = [keys.enter(known(keys, "k")), keys.enter(known(keys, "k"))];
    assert.equal(one.spendAudio(6_000, 0), 0);
    assert.equal(two.spendAudio(4_000, 0), 0);
    assert.equal(one.spendAudio(1_000, 0), 500);
    assert.equal(two.audioWaitMs(250), 250);
    assert.equal(two.spendAudio(100, 250), 300);
    assert.equal(one.audioWaitMs(550), 0);
  });

  test("comes to the rate over an hour, however it is sent", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 50, maxLength: 50 }), (sizes) => {
        const keys = new Keys([apiKey("k", { audioRate: 3 })], BURST_MS);
        const lease = keys.enter(known(keys, "k"));
        let nowMs = 0;
        let sentMs = 0;
        for (let at = 0; nowMs < 3_600_000; at++) {
          const audioMs = sizes[at % sizes.length]!;
          nowMs += lease.spendAudio(audioMs, nowMs);
          sentMs += audioMs;
        }
        const allowedMs = 3 * nowMs + 3 * BURST_MS;
        assert.ok(sentMs <= allowedMs + 1 && sentMs > 0.99 * allowedMs, `${sentMs} of ${allowedMs}`);
      }),
      { seed: 3, numRuns: 20 },
    );
  });

  test("has no limit where the key names none", () => {
    const keys = new Keys([apiKey("k")], BURST_MS);
    assert.equal(keys.enter(known(keys, "k")).spendAudio(1e9, 0), 0);
    assert.equal(keys.enter(ANYBODY).spendAudio(1e9, 0), 0);
  });

  test("follows a changed limit", () => {
    const keys = new Keys([apiKey("k", { audioRate: 100 })], BURST_MS);
    const lease = keys.enter(known(keys, "k"));
    assert.equal(lease.spendAudio(1_000, 0), 0);
    keys.replace([apiKey("k", { audioRate: 1 })]);
    assert.equal(lease.spendAudio(6_000, 0), 1_000);
  });
});

describe("a stranger", () => {
  function stranger(keys: Keys): { admission: Admission; known: () => number } {
    let count = 0;
    const door = {
      recognise: (credential: string | undefined) => known(keys, credential ?? ""),
      enter: (identity: Identity) => keys.enter(identity),
    };
    const admission = new Admission(door, undefined, () => {
      count += 1;
    });
    return { admission, known: () => count };
  }

  test("has no place until it says who it is, and is no stranger then", () => {
    const keys = new Keys([apiKey("k", { maxCalls: 1 })], BURST_MS);
    const { admission, known: knownCount } = stranger(keys);
    assert.ok(admission.isStranger);
    keys.enter(known(keys, "k")).leave();
    assert.equal(admission.introduce("k"), undefined);
    assert.equal(knownCount(), 1);
    assert.throws(() => keys.enter(known(keys, "k")), { code: "KEY_CALLS_LIMIT" });
    admission.leave();
    admission.leave();
    assert.equal(knownCount(), 1);
    keys.enter(known(keys, "k")).leave();
  });

  test("that goes, or whose key has no room, gives its place among strangers back once", () => {
    const keys = new Keys([apiKey("k", { maxCalls: 1 })], BURST_MS);
    const lease = keys.enter(known(keys, "k"));
    const { admission, known: knownCount } = stranger(keys);
    assert.equal(admission.introduce("k")?.code, "KEY_CALLS_LIMIT");
    assert.equal(knownCount(), 0);
    admission.leave();
    admission.leave();
    assert.equal(knownCount(), 1);
    lease.leave();
    assert.equal(known(keys, "k").account?.calls, 0);
  });
});
