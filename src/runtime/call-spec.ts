/** What a call is made of and whom it tells. Split from `call.ts` for its size. */
import type { Resampler } from "../audio/resampler.js";
import type { PlanEdge, PlanGraph } from "../config/plan.js";
import type { CallEvent, ReceiptEvent } from "../frames/events.js";
import type { CallImpl } from "./call.js";
import type { CallEventsSpec } from "./call-events.js";
import type { CallOptions } from "./call-options.js";
import type { Hub } from "./hub.js";

export interface CallSpec {
  readonly hub: Hub;
  readonly slot: number;
  readonly born: number;
  readonly callId: string;
  readonly graph: PlanGraph;
  readonly options: CallOptions;
  readonly edges: readonly PlanEdge[];
  /** Worker of each node of the graph, in its node order. */
  readonly placement: readonly number[];
  readonly inputRateHz: number;
  readonly inputResampler: Resampler | undefined;
  readonly createOutputResampler: ((fromRateHz: number) => Resampler) | undefined;
  readonly reportPlayback: boolean;
  readonly onEvent: ((event: CallEvent) => void) | undefined;
  /** The slot is free: called once, after the `close` event. */
  readonly onReleased: (call: CallImpl, result: "completed" | "error" | "drained") => void;
  readonly observe: (event: CallEvent) => void;
  /** The receipt as it is to be told. */
  readonly account: (receipt: ReceiptEvent) => ReceiptEvent;
  readonly measure: CallEventsSpec["measure"];
  readonly onHeard: CallEventsSpec["onHeard"];
  /** Something is wrong with the owner's `onEvent`: it threw. */
  readonly onFault: (call: CallImpl, error: unknown) => void;
}
