import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ERRORS, SyrinxError } from "../../src/base/errors.js";
import { areaOf, CLOSE_CODES, ERROR_AREAS, renderErrorsDoc } from "../../src/base/errors-doc.js";
import { packageRoot } from "../../src/base/package-root.js";

const PAGE = join(packageRoot(), "docs", "ERRORS.md");
const rows = Object.entries(ERRORS);

test("docs/ERRORS.md is what the table says (SYRINX_UPDATE_DOCS=1 writes it)", () => {
  const rendered = renderErrorsDoc();
  if (process.env.SYRINX_UPDATE_DOCS === "1") writeFileSync(PAGE, rendered);
  assert.equal(readFileSync(PAGE, "utf8"), rendered, "run this test with SYRINX_UPDATE_DOCS=1");
  for (const [code] of rows) assert.ok(rendered.includes(`### ${code}\n`), `${code} is documented`);
});

test("every area has a title, and every title an area", () => {
  assert.deepEqual([...new Set(rows.map(([code]) => areaOf(code)))].sort(), Object.keys(ERROR_AREAS).sort());
});

test("every close code of the table is explained", () => {
  for (const [code, { closeCode }] of rows) assert.ok(Object.hasOwn(CLOSE_CODES, closeCode), `${code}: ${closeCode}`);
});

test("a hint is sentences, and a message the part of one that follows a colon", () => {
  for (const [code, { message, hint }] of rows) {
    assert.match(hint, /\.$/, `${code}: ${hint}`);
    assert.doesNotMatch(message, /\.$/, `${code}: the message is no sentence of its own`);
  }
});

test("an error fills in what it is given and leaves what it is not", () => {
  const error = new SyrinxError("CALL_LIMIT", { limit: 3 });
  assert.equal(error.message, "all 3 call slots are in use");
  assert.equal(error.hint, "Retry in {retryAfterMs} ms, or raise server.maxCalls.");
});
