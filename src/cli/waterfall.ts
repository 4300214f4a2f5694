/** A turn's receipt as a small waterfall for a terminal. Pure. */
import type { ReceiptEvent, ReceiptStage } from "../frames/events.js";

const BAR_COLUMNS = 40;
const NAME_COLUMNS = 12;

/** Lines without a newline; no colour, so that they can go into a file as they are. */
export function waterfallLines(receipt: ReceiptEvent): string[] {
  const { totalMs, stages } = receipt;
  const scale = totalMs > 0 ? BAR_COLUMNS / totalMs : 0;
  let startMs = 0;
  const lines = stages.map((stage) => {
    const durationMs = sumMs(stage);
    const from = Math.round(startMs * scale);
    const to = Math.max(from + (durationMs > 0 ? 1 : 0), Math.round((startMs + durationMs) * scale));
    startMs += durationMs;
    const mark = stage.waitMs > 0 ? "░" : "█";
    const bar = (" ".repeat(from) + mark.repeat(to - from)).padEnd(BAR_COLUMNS).slice(0, BAR_COLUMNS + 1);
    return `${stage.stage.padEnd(NAME_COLUMNS)} ${ms(durationMs)} │${bar}│ ${detail(stage)}`;
  });
  const head = `turn ${receipt.turnIndex + 1}: first audio ${totalMs.toFixed(1)} ms after the end of speech`;
  return [head, ...lines];
}

export function sumMs({ queueMs, batchWaitMs, computeMs, waitMs }: ReceiptStage): number {
  return queueMs + batchWaitMs + computeMs + waitMs;
}

function detail({ stage, queueMs, batchWaitMs, computeMs, waitMs, batchSize }: ReceiptStage): string {
  if (waitMs > 0) return "silence that ends the turn";
  if (stage === "egress") return "to the client";
  return `queue ${queueMs.toFixed(1)}, batch ${batchWaitMs.toFixed(1)} of ${batchSize}, compute ${computeMs.toFixed(1)}`;
}

function ms(value: number): string {
  return `${value.toFixed(1).padStart(7)} ms`;
}
