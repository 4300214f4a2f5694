/** A receipt as RTVI's `metrics`. Seconds; processors are the graph's nodes. */
import type { ReceiptEvent } from "../../frames/events.js";
import type { GraphFacts } from "./face.js";

interface Metric {
  readonly processor: string;
  readonly value: number;
}

export interface RtviMetrics {
  /**
   * Of the recogniser: from the end of speech to the final transcript. Of the agent: from the verdict that the turn is over
   * to the first word. Of the voice: from the first clause to its first sample.
   */
  readonly ttfb: readonly Metric[];
  /** Computing on the way to the first sample of the answer. */
  readonly processing: readonly Metric[];
}

export function rtviMetrics({ milestones, stages }: ReceiptEvent, graph: GraphFacts): RtviMetrics {
  const { turnEndMs, sttFinalMs, firstTokenMs, firstTextMs, firstPcmMs } = milestones;
  const spans = [
    ["stt", 0, sttFinalMs],
    ["agent", turnEndMs, firstTokenMs],
    ["tts", firstTextMs, firstPcmMs],
  ] as const;
  const ttfb: Metric[] = [];
  for (const [actor, fromMs, toMs] of spans) {
    const processor = graph.nodes.find((node) => node.actor === actor)?.name;
    if (processor === undefined || fromMs === undefined || toMs === undefined) continue;
    ttfb.push({ processor, value: seconds(toMs - fromMs) });
  }
  const nodes = new Set(graph.nodes.map((node) => node.name));
  const processing = stages
    .filter(({ stage }) => nodes.has(stage))
    .map(({ stage, computeMs }) => ({ processor: stage, value: seconds(computeMs) }));
  return { ttfb, processing };
}

function seconds(ms: number): number {
  return Math.round(ms * 1000) / 1_000_000;
}
