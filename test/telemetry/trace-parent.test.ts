import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../src/base/prng.js";
import { parseTraceparent, TRACEPARENT_CHARS_MAX } from "../../src/telemetry/trace-parent.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const WHOLE = `00-${TRACE}-${SPAN}-01`;

describe("traceparent", () => {
  test("is read as the standard writes it", () => {
    assert.deepEqual(parseTraceparent(WHOLE), { traceId: TRACE, spanId: SPAN, isSampled: true });
    assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.isSampled, false);
    assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-03-what-comes-later`)?.isSampled, true);
  });

  const WRONG: Readonly<Record<string, string>> = {
    "the reserved version": `ff-${TRACE}-${SPAN}-01`,
    "a longer version 00": `${WHOLE}-00`,
    "a trace of zeros": `00-${"0".repeat(32)}-${SPAN}-01`,
    "a span of zeros": `00-${TRACE}-${"0".repeat(16)}-01`,
    capitals: WHOLE.toUpperCase(),
    "a line break": `${WHOLE}\n`,
    "a space": ` ${WHOLE}`,
    "two headers": `${WHOLE}, ${WHOLE}`,
    nothing: "",
    "too much": `01-${TRACE}-${SPAN}-01-${"x".repeat(TRACEPARENT_CHARS_MAX)}`,
  };
  for (const [what, header] of Object.entries(WRONG)) {
    test(`with ${what} counts as absent`, () => assert.equal(parseTraceparent(header), undefined));
  }

  test("broken in one place is refused, or means what it says; nothing throws", () => {
    const chance = seeded(4_711);
    let refusedCount = 0;
    for (let round = 0; round < 20_000; round++) {
      const at = chance.integer(0, WHOLE.length);
      const letter = String.fromCharCode(chance.integer(0, 256));
      const mutations = [
        WHOLE.slice(0, at) + letter + WHOLE.slice(at + 1),
        WHOLE.slice(0, at) + letter + WHOLE.slice(at),
        WHOLE.slice(0, at) + WHOLE.slice(at + 1),
      ];
      const header = mutations[chance.integer(0, mutations.length)]!;
      const parsed = parseTraceparent(header);
      if (parsed === undefined) {
        refusedCount += 1;
        continue;
      }
      const { traceId, spanId, isSampled } = parsed;
      const fields = header.split("-");
      assert.deepEqual([traceId, spanId], fields.slice(1, 3));
      assert.equal(isSampled, "13579bdf".includes(fields[3]![1]!));
    }
    assert.ok(refusedCount > 10_000 && refusedCount < 20_000, `${refusedCount}`);
  });
});
