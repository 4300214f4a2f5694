/** Questions in writing, through real threads and a real voice. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { packageRoot } from "../../src/base/package-root.js";
import type { CallEvent, PlaybackEvent } from "../../src/frames/events.js";
import { ASK_CHARS_MAX } from "../../src/runtime/call.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { eventsUntil } from "../support/runtimes.js";
import { readSample } from "../support/system.js";

const isReplyEnd = (event: CallEvent): boolean => event.type === "reply" && event.what === "end";
const textOf = (events: readonly CallEvent[]): string =>
  events.map((event) => (event.type === "text" ? event.text : "")).join("");

describe("questions in writing", { timeout: 60_000 }, () => {
  let runtime: RuntimeImpl;

  before(async () => {
    runtime = await createRuntime(join(packageRoot(), "configs", "assistant.yaml"), { logLevel: "silent" });
  });
  after(() => runtime.drain());

  test("are answered in text and sound, beside spoken ones", async () => {
    const call = await runtime.open("assistant");
    const id = call.ask("where are my keys", { id: "k" });
    assert.equal(id, "k");
    const events = await eventsUntil(call, isReplyEnd);
    assert.equal(textOf(events), "You said: where are my keys.");
    assert.deepEqual(events[0], { type: "reply", what: "start", contextId: 0, turnIndex: -1, askId: "k" });
    assert.deepEqual(events.at(-1), { ...events[0], what: "end", reason: "completed" });
    assert.ok(events.some((event) => event.type === "audio"));
    // Cuts the reply off: the spoken turn then has nothing to interrupt.
    call.interrupt();
    call.write(await readSample("time.wav"));
    const spoken = await eventsUntil(call, (event) => isReplyEnd(event) && !("askId" in event));
    assert.match(textOf(spoken), /what time is it/);
    await call.close();
  });

  test("speech interrupts the answer to one, though no turn has ended", async () => {
    const call = await runtime.open("assistant");
    call.ask("tell me everything that you know about the history of the sea and of those who sailed it");
    await eventsUntil(call, isReplyEnd);
    call.write(await readSample("time.wav"));
    const events = await eventsUntil(call, (event) => event.type === "interrupted" || isReplyEnd(event));
    assert.equal(events.at(-1)?.type, "interrupted");
    call.abort();
  });

  test("how far an answer was heard is told word by word to those who want to know", async () => {
    const call = await runtime.open("assistant", { reportPlayback: true });
    call.ask("four words are enough");
    const events = await eventsUntil(call, (event) => event.type === "playback" && event.isComplete);
    const told = events.filter((event): event is PlaybackEvent => event.type === "playback");
    const aligned = events.flatMap((event) => (event.type === "alignment" ? event.spans.map(({ text }) => text) : []));
    assert.ok(aligned.length > 4);
    assert.deepEqual(
      told.flatMap((event) => event.words),
      aligned,
    );
    assert.ok(told.length > 1, "as they are heard");
    assert.ok(told.every((event, index) => event.isComplete === (index === told.length - 1)));
    call.abort();

    const quiet = await runtime.open("assistant");
    quiet.ask("four words are enough");
    const others = await eventsUntil(quiet, isReplyEnd);
    await quiet.close();
    assert.ok(others.every((event) => event.type !== "playback"));
  });

  test("what cannot be asked is refused with the reason", async () => {
    const call = await runtime.open("assistant");
    const refused = { code: "CALL_ASK_REFUSED" };
    assert.throws(() => call.ask("  "), refused);
    assert.throws(() => call.ask("x".repeat(ASK_CHARS_MAX + 1)), refused);
    call.abort();
    assert.throws(() => call.ask("too late"), { code: "CALL_CLOSED" });
    const echo = await createRuntime({ version: 1, graphs: { echo: [{ echo: {} }] } }, { logLevel: "silent" });
    const other = await echo.open("echo");
    assert.throws(() => other.ask("anybody there?"), refused);
    await echo.drain();
  });
});
