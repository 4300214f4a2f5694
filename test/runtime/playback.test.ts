import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PlaybackContext } from "../../src/runtime/playback.js";

const words = ["one", "two", "three", "four"].map((text, index) => ({
  text,
  startMs: index * 100,
  endMs: index * 100 + 100,
}));

describe("playback", () => {
  test("a word is told once, when half of it was heard", () => {
    const context = new PlaybackContext(0, 0);
    context.aligned(words);
    assert.deepEqual(context.takeSpoken(0), [], "no audio was sent");
    context.sent(400, 0);
    assert.deepEqual(context.takeSpoken(49_000), []);
    assert.deepEqual(context.takeSpoken(50_000), ["one"]);
    assert.deepEqual(context.takeSpoken(260_000), ["two", "three"]);
    assert.deepEqual(context.takeSpoken(260_000), []);
    assert.deepEqual(context.takeSpoken(10_000_000), ["four"], "all was heard");
  });

  test("a client's own report moves what was heard, and takes no word back", () => {
    const context = new PlaybackContext(0, 0);
    context.aligned(words);
    context.sent(400, 0);
    assert.deepEqual(context.takeSpoken(160_000), ["one", "two"]);
    context.reported(60, 170_000);
    assert.deepEqual(context.takeSpoken(170_000), []);
    assert.equal(context.spokenText(170_000), "one");
    context.reported(400, 180_000);
    assert.deepEqual(context.takeSpoken(180_000), ["three", "four"]);
  });
});
