/** The table of limits in docs/OPERATIONS.md is made from the table in the source: its values and its comments. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LIMITS } from "../../src/base/limits.js";
import { ROOT, readText } from "./repository.js";

const PAGE = "docs/OPERATIONS.md";
const PLACE = /(<!-- limits: [^>]*-->\n)[\s\S]*(<!-- \/limits -->)/;

/** Each limit's comment; neighbours that share one share it here too. */
function comments(): Map<string, string> {
  const found = new Map<string, string>();
  let comment = "";
  for (const line of readText("src/base/limits.ts").split("\n")) {
    comment = /^ {2}\/\*\* (.*) \*\/$/.exec(line)?.[1] ?? comment;
    const name = /^ {2}(\w+): /.exec(line)?.[1];
    if (name !== undefined) found.set(name, comment);
  }
  return found;
}

test("docs/OPERATIONS.md has every limit, its value and what happens at it (SYRINX_UPDATE_DOCS=1 writes it)", () => {
  const meanings = comments();
  const rows = Object.entries(LIMITS).map(([name, value]) => `| \`${name}\` | ${value} | ${meanings.get(name)} |`);
  const table = ["| Limit | Value | Meaning |", "|---|---|---|", ...rows].join("\n");
  const page = readText(PAGE);
  assert.match(page, PLACE);
  const wanted = page.replace(PLACE, (_whole, open: string, close: string) => `${open}\n${table}\n\n${close}`);
  if (process.env.SYRINX_UPDATE_DOCS === "1") writeFileSync(join(ROOT, PAGE), wanted);
  assert.equal(readText(PAGE), wanted, "run this test with SYRINX_UPDATE_DOCS=1");
  for (const name of Object.keys(LIMITS)) assert.ok((meanings.get(name) ?? "").length > 10, `${name} has a comment`);
});
