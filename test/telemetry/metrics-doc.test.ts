import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/base/package-root.js";
import { METRIC_PREFIX, METRIC_TABLE, metricRows } from "../../src/telemetry/metric-table.js";
import { METRIC_ALERTS, METRIC_QUERIES, renderMetricsDoc } from "../../src/telemetry/metrics-doc.js";

const PAGE = join(packageRoot(), "docs", "METRICS.md");

test("docs/METRICS.md is what the table says (SYRINX_UPDATE_DOCS=1 writes it)", () => {
  const rendered = renderMetricsDoc();
  if (process.env.SYRINX_UPDATE_DOCS === "1") writeFileSync(PAGE, rendered);
  assert.equal(readFileSync(PAGE, "utf8"), rendered, "run this test with SYRINX_UPDATE_DOCS=1");
  for (const [name] of metricRows()) assert.ok(rendered.includes(`\`${METRIC_PREFIX}${name}\``), name);
});

test("every metric and label in the documented queries and alerts exists", () => {
  const known = new Set(Object.keys(METRIC_TABLE));
  const labels = new Set([...metricRows().flatMap(([, row]) => Object.keys(row.labels)), "le"]);
  const queries = [...METRIC_QUERIES.map(([, promql]) => promql), ...METRIC_ALERTS.map(([promql]) => promql)];
  for (const promql of queries) {
    const names = [...promql.matchAll(/syrinx_(\w+)/g)].map(([, name]) => name!.replace(/_(bucket|sum|count)$/, ""));
    assert.ok(names.length > 0 || promql.startsWith("nodejs_"), promql);
    for (const name of names) assert.ok(known.has(name), `${promql} uses ${name}`);
    for (const [, list] of promql.matchAll(/(?:by|on) \(([^)]*)\)/g)) {
      for (const label of list!.split(/,\s*/)) assert.ok(labels.has(label), `${promql} uses label ${label}`);
    }
  }
});
