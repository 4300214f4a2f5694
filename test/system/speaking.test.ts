/** How soon a long text is heard: real threads, a real voice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRuntime } from "../../src/runtime/runtime.js";

const SENTENCES = 12;
const TEXT = Array.from({ length: SENTENCES }, (_, index) => `This is sentence number ${index + 1} of a long text.`);

test("the first clause of a text that came as a whole is heard while the others are spoken", async () => {
  const runtime = await createRuntime(
    { version: 1, models: { voice: { family: "flite" } }, graphs: { say: [{ tts: { model: "voice" } }] } },
    { logLevel: "error" },
  );
  try {
    const call = await runtime.open("say");
    const startMs = performance.now();
    call.say(TEXT.join(" "));
    let firstMs = 0;
    for await (const event of call) {
      if (event.type === "audio" && firstMs === 0) firstMs = performance.now() - startMs;
      if (event.type === "reply" && event.what === "end") break;
    }
    const lastMs = performance.now() - startMs;
    // One of twelve; a third leaves room for a machine that is busy with others.
    assert.ok(firstMs > 0 && firstMs < lastMs / 3, `the first audio after ${firstMs} ms, the last after ${lastMs} ms`);
    await call.close();
  } finally {
    await runtime.drain();
  }
});
