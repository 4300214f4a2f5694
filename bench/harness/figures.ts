/** From repeats to figures. */
import type { Bar, Bench, BenchContext, Figure, Range, Sample, VariantParameters } from "./bench.js";
import { median, rangeOf } from "./statistics.js";

export interface FigureSpec {
  readonly bench: Pick<Bench, "name">;
  readonly metric: string;
  readonly unit: string;
  /** One per repeat. */
  readonly values: readonly number[];
  /** One per repeat, measured next to the value of the same index. */
  readonly baselines?: readonly number[];
  /** Which way the unit counts. Default: less is better. */
  readonly better?: "less" | "more";
  readonly bar?: Bar;
}

export function figure({ bench, metric, unit, values, baselines, better = "less", bar }: FigureSpec): Figure {
  if (values.length === 0) throw new Error(`${bench.name}: ${metric} was never measured`);
  const ratios = baselines?.map((baseline, index) =>
    better === "less" ? baseline / values[index]! : values[index]! / baseline,
  );
  const value = median(values);
  const ratio = ratios === undefined ? null : median(ratios);
  const spread: { value: Range; ratio: Range | null } = {
    value: rangeOf(values),
    ratio: ratios === undefined ? null : rangeOf(ratios),
  };
  return {
    name: bench.name,
    metric,
    unit,
    value,
    baseline: baselines === undefined ? null : median(baselines),
    ratio,
    n: values.length,
    spread,
    repeats: { values, baselines: baselines ?? null },
    bar: bar ?? null,
    pass: bar === undefined ? null : isPassed(bar, bar.of === "value" ? value : ratio!),
  };
}

function isPassed(bar: Bar, measured: number): boolean {
  return bar.must === "be at least" ? measured >= bar.bar : measured < bar.bar;
}

/**
 * Runs each variant `repeats` times, next to each other and in alternating order, so that neither a machine that grows
 * busier nor what the one before left in caches favours one of them.
 */
export async function alternate<Name extends string>(
  context: BenchContext,
  variants: readonly Name[],
  repeats: number,
  parameters: VariantParameters = {},
): Promise<Record<Name, Sample[]>> {
  const samples = Object.fromEntries(variants.map((name) => [name, []])) as unknown as Record<Name, Sample[]>;
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const name of repeat % 2 === 0 ? variants : [...variants].reverse()) {
      context.progress(`${name}, ${repeat + 1} of ${repeats}`);
      samples[name].push(await context.variant(name, parameters));
    }
  }
  return samples;
}
