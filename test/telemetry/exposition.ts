/** A small reader of the Prometheus text format that refuses what Prometheus refuses, for tests. */
import assert from "node:assert/strict";

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ExposedMetric {
  readonly type: string;
  readonly help: string;
  readonly series: Series[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;

/** Metrics by name. Fails on a sample without its metric, on duplicates and on histograms that do not add up. */
export function parseExposition(text: string): Map<string, ExposedMetric> {
  const metrics = new Map<string, ExposedMetric>();
  const seen = new Set<string>();
  let help: readonly [string, string] | undefined;
  let current: readonly [string, ExposedMetric] | undefined;
  assert.ok(text.endsWith("\n"), "the text ends with a newline");
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "HELP") help = [name, rest];
    else if (keyword === "TYPE") {
      assert.match(name, NAME);
      assert.equal(help?.[0], name, `${name} has its help in front of its type`);
      assert.ok(!metrics.has(name), `${name} is exposed once`);
      assert.ok(["counter", "gauge", "histogram", "summary"].includes(rest), `${name} has a known type`);
      current = [name, { type: rest, help: help[1], series: [] }];
      metrics.set(...current);
    } else {
      const series = parseSample(line);
      assert.ok(current !== undefined && belongsTo(series.name, ...current), `${line} stands under its own metric`);
      const key = `${series.name} ${JSON.stringify(Object.entries(series.labels).sort())}`;
      assert.ok(!seen.has(key), `${key} is exposed once`);
      seen.add(key);
      current[1].series.push(series);
    }
  }
  for (const [name, metric] of metrics) if (metric.type === "histogram") checkHistogram(name, metric);
  return metrics;
}

/** The value of one series; fails if there is none. `labels` must be all of them. */
export function sampleOf(
  metrics: ReadonlyMap<string, ExposedMetric>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const metric = metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, ""));
  assert.ok(metric !== undefined, `${name} is exposed`);
  const wanted = JSON.stringify(Object.entries(labels).sort());
  const found = metric.series.find(
    (each) => each.name === name && JSON.stringify(Object.entries(each.labels).sort()) === wanted,
  );
  assert.ok(found !== undefined, `${name} has the series ${wanted}`);
  return found.value;
}

function parseSample(line: string): Series {
  const [whole, name = "", labelText = "", valueText = ""] = SAMPLE.exec(line) ?? [];
  assert.ok(whole !== undefined, `${line} is a sample`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const at = LABEL.lastIndex;
    const match = LABEL.exec(labelText);
    assert.ok(match !== null, `${line}: a label begins at ${at}`);
    assert.ok(!(match[1]! in labels), `${line}: each label stands once`);
    labels[match[1]!] = match[2]!;
  }
  const value = valueText === "+Inf" ? Number.POSITIVE_INFINITY : Number(valueText);
  // NaN is a value to Prometheus, however it is cased; prom-client has it where nothing was measured yet.
  assert.ok(!Number.isNaN(value) || /^nan$/i.test(valueText), `${line} has a number`);
  return { name, labels, value };
}

function belongsTo(sample: string, name: string, { type }: ExposedMetric): boolean {
  if (type !== "histogram") return sample === name;
  return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample);
}

function checkHistogram(name: string, { series }: ExposedMetric): void {
  const groups = new Map<string, Series[]>();
  for (const each of series) {
    const { le: _, ...labels } = each.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((each) => each.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => (labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le)));
    assert.deepEqual(
      bounds,
      [...bounds].sort((a, b) => a - b),
      `${name}${key}: bounds rise`,
    );
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY, `${name}${key}: the last bucket takes everything`);
    for (const [index, { value }] of buckets.entries()) {
      assert.ok(index === 0 || value >= buckets[index - 1]!.value, `${name}${key}: buckets are cumulative`);
    }
    const counts = group.filter((each) => each.name === `${name}_count`);
    assert.equal(counts.length, 1, `${name}${key} has one count`);
    assert.equal(buckets.at(-1)!.value, counts[0]!.value, `${name}${key}: the last bucket is the count`);
    assert.equal(group.filter((each) => each.name === `${name}_sum`).length, 1, `${name}${key} has one sum`);
  }
}
