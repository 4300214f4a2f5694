/**
 * Receipts for clients of protocols that have no word for them: a client, or its route, asks for them, and whoever does not
 * ask never sees one. The native protocol and RTVI have messages of their own.
 */
import type { ReceiptEvent } from "../frames/events.js";
import type { FaceCodec } from "./faces/face.js";

/** In the query of the upgrade or the request; `true` asks for receipts. */
export const RECEIPTS_PARAMETER = "syrinx_receipts";

/** Takes the parameter out of the query, so that faces need not know it. */
export function takeReceiptsWish(query: URLSearchParams): boolean {
  const wish = query.get(RECEIPTS_PARAMETER) === "true";
  query.delete(RECEIPTS_PARAMETER);
  return wish;
}

/** The extra message: the receipt event, under a type that no protocol uses, and whose channel it is. */
export function receiptMessage(receipt: ReceiptEvent, channel: number): string {
  return JSON.stringify({ ...receipt, type: "SyrinxReceipt", channel });
}

/** The codec, which tells receipts besides. */
export function withReceipts(codec: FaceCodec): FaceCodec {
  return {
    ...(codec.call === undefined ? {} : { call: codec.call }),
    ...(codec.ready === undefined ? {} : { ready: codec.ready }),
    decode: (data, isBinary) => codec.decode(data, isBinary),
    encode(event, channel) {
      const messages = codec.encode(event, channel);
      return event.type === "receipt" ? [...messages, receiptMessage(event, channel)] : messages;
    },
    end: (ending) => codec.end(ending),
    react: (event, channel) => codec.react?.(event, channel) ?? [],
    dispose: () => codec.dispose?.(),
  };
}

/**
 * The receipts of a whole request as the value of a `Server-Timing` header (https://www.w3.org/TR/server-timing/): each
 * stage's milliseconds, all turns together, then `total` over their number. `undefined` without any.
 */
export function serverTiming(receipts: readonly ReceiptEvent[]): string | undefined {
  if (receipts.length === 0) return undefined;
  const sums = new Map<string, number>();
  for (const { stages, totalMs } of receipts) {
    for (const { stage, queueMs, batchWaitMs, computeMs, waitMs } of stages) {
      sums.set(stage, (sums.get(stage) ?? 0) + queueMs + batchWaitMs + computeMs + waitMs);
    }
    sums.set("total", (sums.get("total") ?? 0) + totalMs);
  }
  const parts = [...sums].map(([stage, ms]) => `${stage};dur=${Math.round(ms * 1000) / 1000}`);
  return [...parts, `turns;desc="${receipts.length}"`].join(", ");
}
