/**
 * The control plane between main and a worker: comlink over a port of its own, a few calls per worker's life. Frames
 * never travel here.
 *
 * comlink loses an error's code and cause, and a request to a dead worker never settles. So errors cross as `WireError`,
 * and every request races the worker's exit and a timeout.
 */
import { createRequire } from "node:module";
import type { MessagePort } from "node:worker_threads";
import * as Comlink from "comlink";
import { fromWire, isWireError, SyrinxError, toWire, type WireError } from "../base/errors.js";
import type { MetaOf } from "../frames/kinds.js";

const nodeEndpoint = createRequire(import.meta.url)("comlink/dist/umd/node-adapter.js") as (
  port: MessagePort,
) => Comlink.Endpoint;

export interface WorkerReport {
  /** Where the worker's model runs, and what it is. */
  readonly device: string;
  readonly description: string;
  readonly loadMs: number;
}

export interface OpenRecord {
  readonly slot: number;
  readonly open: MetaOf<"open">;
}

/** What a worker can be asked. Every method may throw a SyrinxError. */
export interface WorkerControl {
  /** With the worker's model loaded and warm: creates its actors, takes the calls over and begins to loop. */
  start(opens: readonly OpenRecord[]): Promise<WorkerReport>;
  /** Asked instead of `start`: releases the model and leaves. */
  dismiss(): Promise<void>;
  /** Proves that the worker's event loop turns. */
  ping(): Promise<{ readonly openCallCount: number }>;
}

type Settled<T> = { readonly ok: T } | { readonly error: WireError };
type Wired<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => Promise<Settled<R>> : never;
};

/** The worker's side. `pending` counts requests under way, so that the worker does not sleep on them. */
export function exposeControl(control: WorkerControl, port: MessagePort, pending: { count: number }): void {
  const settle = async <R>(work: () => Promise<R>): Promise<Settled<R>> => {
    pending.count++;
    try {
      return { ok: await work() };
    } catch (error) {
      return { error: toWire(error) };
    } finally {
      pending.count--;
    }
  };
  const wired: Wired<WorkerControl> = {
    start: (opens) => settle(() => control.start(opens)),
    dismiss: () => settle(() => control.dismiss()),
    ping: () => settle(() => control.ping()),
  };
  Comlink.expose(wired, nodeEndpoint(port));
}

export interface ControlOptions {
  readonly worker: string;
  /** Settles when the worker has ended, for whatever reason. */
  readonly exited: Promise<string>;
  /** Wakes the worker after a request was posted. */
  readonly announce: () => void;
}

/** Main's side. `timeoutMs` per request. */
export function connectControl(
  port: MessagePort,
  options: ControlOptions,
): <K extends keyof WorkerControl>(
  operation: K,
  timeoutMs: number,
  ...args: Parameters<WorkerControl[K]>
) => Promise<Awaited<ReturnType<WorkerControl[K]>>> {
  const remote = Comlink.wrap<Wired<WorkerControl>>(nodeEndpoint(port));
  const { worker, exited, announce } = options;
  return async (operation, timeoutMs, ...args) => {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new SyrinxError("WORKER_TIMEOUT", { worker, operation, timeoutMs })), timeoutMs);
    });
    const gone = exited.then((reason): never => {
      throw new SyrinxError("WORKER_START_FAILED", { worker, reason });
    });
    try {
      const method = remote[operation] as unknown as (...args: unknown[]) => Promise<Settled<never>>;
      const request = method(...args);
      announce();
      const settled = await Promise.race([request, timeout, gone]);
      if ("error" in settled) throw isWireError(settled.error) ? fromWire(settled.error) : settled.error;
      return settled.ok;
    } finally {
      clearTimeout(timer);
    }
  };
}
