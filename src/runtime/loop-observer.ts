/** What the loop tells about itself, and what it must be told about the graph. Implemented over shared-memory counters. */
import type { FrameKind } from "../frames/index.js";
import type { ModelSteps } from "../models/family.js";
import type { BatchWindow } from "./batch-window.js";
import type { InboxItem } from "./hosted-node.js";

export interface LoopObserver {
  /** The node that consumes the edge. */
  nodeOfEdge(edge: number): number;
  /** The worker's model is open and warm: what its table of step times knows. */
  learned(steps: ModelSteps): void;
  /**
   * A batch of a node is done. Called once per batch; must not allocate per frame. Returns how many calls were in it.
   * @param window of the node's model, if it has one: it knows the deadlines
   */
  ran(
    node: number,
    batch: readonly InboxItem[],
    startedUs: number,
    endedUs: number,
    window: BatchWindow | undefined,
  ): number;
  /** A frame left the node, however many edges it takes. */
  emitted(node: number): void;
  stale(node: number): void;
  duplicate(edge: number): void;
  poison(node: number): void;
  lost(node: number, kind: FrameKind): void;
  /** A call has opened, or closed, on a node of this worker. */
  opened(node: number): void;
  closed(node: number): void;
  /** The worker slept; a producer woke it, or the timeout did. */
  parked(wasRung: boolean): void;
}
