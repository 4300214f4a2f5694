/** Which worker serves which call: pinned when it opens, for as long as it lasts. Main thread. */
import type { Plan } from "../config/plan.js";

export class Placement {
  readonly #plan: Plan;
  readonly #callsPerWorker: number[];

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#callsPerWorker = new Array<number>(plan.workers.length + 1).fill(0);
  }

  /**
   * Of each node's replicas the one with the fewest calls, the same for all nodes that share its replicas; in the order
   * of `nodes`. Counts the call until `release`.
   */
  choose(nodes: readonly number[]): number[] {
    const chosen = new Map<string, number>();
    const placement = nodes.map((index) => {
      const { workers } = this.#plan.nodes[index]!;
      const key = workers.join();
      const counts = this.#callsPerWorker;
      const worker = chosen.get(key) ?? workers.reduce((best, next) => (counts[next]! < counts[best]! ? next : best));
      chosen.set(key, worker);
      return worker;
    });
    this.#move(placement, 1);
    return placement;
  }

  /** Calls placed on a worker now. */
  callsOn(worker: number): number {
    return this.#callsPerWorker[worker]!;
  }

  release(placement: readonly number[]): void {
    this.#move(placement, -1);
  }

  #move(placement: readonly number[], delta: number): void {
    for (const worker of new Set(placement)) this.#callsPerWorker[worker] = this.#callsPerWorker[worker]! + delta;
  }
}
