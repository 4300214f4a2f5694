import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CAPTION_CHARS_MAX, type Caption, Captions } from "../../../src/transport/faces/rtvi-captions.js";

function captions(): Captions {
  let count = 0;
  return new Captions(() => count++);
}

const textsOf = (found: readonly Caption[]): string[] => found.map(({ text }) => text);

describe("captions", () => {
  test("are sentences, told when the next one begins or the text ends", () => {
    const all = captions();
    assert.deepEqual(textsOf(all.push("It is three. ")), []);
    assert.deepEqual(textsOf(all.push("Or f")), ["It is three."]);
    assert.deepEqual(textsOf(all.push("our? I do not know")), ["Or four?"]);
    assert.deepEqual(textsOf(all.finish()), ["I do not know"]);
    assert.deepEqual(textsOf(all.finish()), []);
  });

  test("follow what is heard, though the voice spells words in its own way", () => {
    const all = captions();
    const found = [...all.push("Take 2 pills. Then sleep, please."), ...all.finish()];
    assert.deepEqual(
      found.map(({ segmentId }) => segmentId),
      [0, 1],
    );
    assert.deepEqual(all.heard(["take"]), [{ caption: found[0], accumulated: "Take", remaining: " 2 pills." }]);
    assert.deepEqual(all.heard(["two"]), [], "not found, so passed over");
    assert.deepEqual(all.heard(["PILLS"]), [{ caption: found[0], accumulated: "Take 2 pills.", remaining: "" }]);
    assert.deepEqual(all.heard(["then", "sleep"]), [
      { caption: found[1], accumulated: "Then sleep,", remaining: " please." },
    ]);
    assert.deepEqual(all.complete(), [{ caption: found[1], accumulated: "Then sleep, please.", remaining: "" }]);
    assert.deepEqual(all.complete(), [], "once");
  });

  test("do not jump ahead for a word that is far away", () => {
    const all = captions();
    all.push(`One ${"and ".repeat(40)}end.`);
    all.finish();
    assert.deepEqual(all.heard(["end"]), []);
    assert.equal(all.heard(["one"])[0]?.accumulated, "One");
  });

  test("hold the whole text once, however it comes and is heard", () => {
    const word = fc.constantFrom("Yes.", "no", "İstanbul", "3.5", "Dr.", "…", "why?", "\n", "x".repeat(300));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), fc.array(word), fc.nat(4), (words, heard, step) => {
        const all = captions();
        const text = words.join(" ");
        const found: Caption[] = [];
        for (let at = 0; at < text.length; at += step + 1) found.push(...all.push(text.slice(at, at + step + 1)));
        found.push(...all.finish());
        const squeezed = (value: string): string => value.replace(/\s+/g, "");
        assert.equal(squeezed(textsOf(found).join("")), squeezed(text));
        for (const { text: caption, start } of found) {
          assert.equal(text.slice(start, start + caption.length), caption);
          assert.ok(caption.length <= 2 * CAPTION_CHARS_MAX);
        }
        const progress = [...heard.flatMap((one) => all.heard([one])), ...all.complete()];
        for (const { caption, accumulated, remaining } of progress) assert.equal(accumulated + remaining, caption.text);
        const done = progress.filter(({ remaining }) => remaining === "").map(({ caption }) => caption.segmentId);
        assert.deepEqual(
          done,
          found.map(({ segmentId }) => segmentId),
          "each is completed once, in order",
        );
      }),
      { seed: 43, numRuns: 300 },
    );
  });
});
