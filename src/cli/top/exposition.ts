/** Reads the Prometheus text of a server of ours. Not a general reader: timestamps and exemplars do not occur in it. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples by name; histograms as `_bucket`, `_sum` and `_count`. */
export type Scrape = ReadonlyMap<string, readonly Sample[]>;

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

export function readScrape(text: string): Scrape {
  const scrape = new Map<string, Sample[]>();
  for (const line of text.split("\n")) {
    const [, name, inBraces = "", value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const labels: Record<string, string> = {};
    for (const [, label, escaped] of inBraces.matchAll(LABEL)) labels[label!] = escaped!.replace(/\\(.)/g, "$1");
    const samples = scrape.get(name);
    const sample = { labels, value: Number(value) };
    if (samples === undefined) scrape.set(name, [sample]);
    else samples.push(sample);
  }
  return scrape;
}

export type Labels = Readonly<Record<string, string>>;

/** Sum over all series that have these labels. */
export function sumOf(scrape: Scrape, name: string, labels: Labels = {}): number {
  return matching(scrape, name, labels).reduce((sum, { value }) => sum + value, 0);
}

export function matching(scrape: Scrape, name: string, labels: Labels): readonly Sample[] {
  const wanted = Object.entries(labels);
  return (scrape.get(name) ?? []).filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value));
}

/** Values that a label has, in the order of the text. */
export function labelValues(scrape: Scrape, name: string, label: string): readonly string[] {
  return [...new Set((scrape.get(name) ?? []).map(({ labels }) => labels[label] ?? ""))];
}
