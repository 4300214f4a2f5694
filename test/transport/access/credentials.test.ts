import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { credentialOf, type Offer, withoutCredentials } from "../../../src/transport/access/credentials.js";

const KEY = "syx_0123456789-abcdef_ABCDEF";

interface Parts {
  readonly headers?: Record<string, string>;
  readonly subprotocols?: readonly string[];
  readonly query?: string;
}

function offer({ headers = {}, subprotocols = [], query = "" }: Parts): Offer {
  return { headers, subprotocols, query: new URLSearchParams(query) };
}

/** Each place that a client was seen to use. */
const PLACES: readonly Parts[] = [
  { headers: { authorization: `Bearer ${KEY}` } },
  { headers: { authorization: `Token ${KEY}` } },
  { headers: { authorization: `token ${KEY}` } },
  { headers: { authorization: `BEARER  ${KEY} ` } },
  { headers: { "xi-api-key": KEY } },
  { headers: { "x-api-key": KEY } },
  { headers: { "x-api-key": "", "xi-api-key": KEY } },
  { headers: { authorization: "Basic dXNlcjpwYXNz", "x-api-key": KEY } },
  { subprotocols: ["token", KEY] },
  { subprotocols: ["bearer", KEY] },
  { subprotocols: ["token", KEY, "x-deepgram-session-id", "8e0c"] },
  { subprotocols: ["realtime", `openai-insecure-api-key.${KEY}`, "openai-beta.realtime-v1"] },
  { subprotocols: ["syrinx.v1", `syrinx.key.${KEY}`] },
  { query: `api_key=${KEY}` },
  { query: `token=${KEY}` },
  { query: `access_token=${KEY}` },
  { query: `model=x&key=${KEY}` },
];

describe("a key", () => {
  test("is found wherever a client puts it, and a face is not shown it", () => {
    for (const place of PLACES) {
      const request = offer(place);
      assert.equal(credentialOf(request), KEY, JSON.stringify(place));
      const seen = withoutCredentials(request);
      assert.doesNotMatch(JSON.stringify({ ...seen, query: seen.query.toString() }), new RegExp(KEY));
    }
  });

  test("is the first of several, headers before subprotocols before the query", () => {
    const headers = { authorization: "Bearer one", "x-api-key": "two" };
    const later = { subprotocols: ["token", "three"], query: "api_key=four&token=five" };
    assert.equal(credentialOf(offer({ ...later, headers })), "one");
    assert.equal(credentialOf(offer({ ...later, headers: { "x-api-key": "two" } })), "two");
    assert.equal(credentialOf(offer(later)), "three");
    assert.equal(credentialOf(offer({ query: later.query })), "four");
  });

  test("is none where there is none", () => {
    for (const parts of [
      {},
      { headers: { authorization: "" } },
      { headers: { authorization: KEY } },
      { headers: { authorization: `Digest ${KEY}` } },
      { headers: { authorization: `Bearer ${KEY} ${KEY}` } },
      { subprotocols: ["token"] },
      { subprotocols: ["Token", KEY] },
      { query: "api_key=" },
      { query: `API_KEY=${KEY}` },
    ]) {
      assert.equal(credentialOf(offer(parts)), undefined, JSON.stringify(parts));
    }
  });

  test("beyond ASCII is understood as UTF-8 bytes, and as Latin-1 where it is no UTF-8", () => {
    const bytes = Buffer.from("schlüssel", "utf8").toString("latin1");
    assert.equal(credentialOf(offer({ headers: { "x-api-key": bytes } })), "schlüssel");
    assert.equal(credentialOf(offer({ headers: { "x-api-key": "schlüssel" } })), "schlüssel");
  });
});

describe("what a face sees", () => {
  test("has all that is no key, in order", () => {
    const seen = withoutCredentials(
      offer({
        headers: { host: "h", "user-agent": "u", cookie: "c", authorization: "Bearer k" },
        subprotocols: ["token", KEY, "x-deepgram-session-id", "8e0c"],
        query: `model=nova-3&keyterm=a&keyterm=b&token=${KEY}`,
      }),
    );
    assert.deepEqual(seen.headers, { host: "h", "user-agent": "u" });
    assert.deepEqual(seen.subprotocols, ["token", "x-deepgram-session-id", "8e0c"]);
    assert.equal(seen.query.toString(), "model=nova-3&keyterm=a&keyterm=b");
    assert.deepEqual(withoutCredentials(offer({ subprotocols: [`syrinx.key.${KEY}`] })).subprotocols, ["syrinx.key"]);
  });

  test("never holds the key that was found, whatever was offered", () => {
    const word = fc.constantFrom(
      "token",
      "bearer",
      "syrinx.v1",
      `syrinx.key.${KEY}`,
      KEY,
      `openai-insecure-api-key.${KEY}`,
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (subprotocols) => {
        const request = offer({ subprotocols });
        if (credentialOf(request) !== KEY) return;
        const { subprotocols: seen } = withoutCredentials(request);
        // A key that stands where no key is looked for is just a word that nobody knows.
        const strays = subprotocols.filter(
          (name, at) => name === KEY && !/^(token|bearer)$/.test(subprotocols[at - 1] ?? ""),
        );
        assert.equal(seen.filter((name) => name.includes(KEY)).length, strays.length);
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});
