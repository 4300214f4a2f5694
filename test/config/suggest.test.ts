import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest, suggestKey } from "../../src/config/suggest.js";

test("the nearest name survives case, a transposition and a missing part", () => {
  const names = ["starter-vad", "starter-ctc", "flite", "silero"];
  assert.equal(nearest("Flite", names), "flite");
  assert.equal(nearest("filte", names), "flite");
  assert.equal(nearest("slero", names), "silero");
  assert.equal(nearest("starter_vad", names), "starter-vad");
  assert.equal(nearest("idle", ["port", "idleTimeoutMs"]), "idleTimeoutMs");
});

test("nothing is suggested for what resembles nothing", () => {
  assert.equal(nearest("whisper", ["starter-vad", "flite"]), undefined);
  assert.equal(nearest("b", ["a", "c"]), undefined);
  assert.equal(nearest("", ["a"]), undefined);
  assert.equal(nearest("x".repeat(100_000), ["xx"]), undefined);
});

test("a key is recognised without its unit, in another unit and in another spelling of it", () => {
  const keys = ["startMs", "stopMs", "sampleRateHz", "stops"];
  for (const key of ["stop", "stopSeconds", "stop_ms", "stopSec", "stop-s", "stopMillis"]) {
    assert.equal(suggestKey(key, keys)?.nearest, "stopMs", key);
  }
  assert.deepEqual(suggestKey("stopSeconds", keys)?.unit, { word: "milliseconds", factor: 1000 });
  assert.deepEqual(suggestKey("sampleRate", keys)?.unit, { word: "hertz", factor: undefined });
  assert.equal(suggestKey("stopz", keys)?.nearest, "stops");
});
