/**
 * One thread of a worker. It loads its code and opens its model as it begins, and serves when it is asked to start: so a
 * successor loads while its predecessor ends, and a standby has loaded long before. Main thread.
 */
import { MessageChannel, type ResourceLimits, Worker } from "node:worker_threads";
import { reasonOf } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import type { Plan, PlanWorker } from "../config/plan.js";
import { connectControl, type OpenRecord, type WorkerReport } from "./control.js";
import type { WorkerBoot } from "./entry/worker.js";
import type { Mesh } from "./mesh.js";

export interface WorkerThreadSpec {
  readonly plan: Plan;
  readonly mesh: Mesh;
  readonly worker: PlanWorker;
  readonly stats: SharedArrayBuffer;
  readonly resourceLimits: ResourceLimits | undefined;
}

export interface WorkerThreadEvents {
  /** It rang main's bell. */
  rung(): void;
  /** An error ends it; its exit follows. */
  dying(): void;
  /** Wakes the worker to look at its control port. */
  announce(): void;
}

const ENTRY = new URL("./entry/worker.js", import.meta.url);

export class WorkerThread {
  /** Why it ended, once it has. */
  readonly exited: Promise<string>;
  readonly #thread: Worker;
  readonly #ask: ReturnType<typeof connectControl>;
  readonly #unref: () => void;
  #hasExited = false;

  constructor({ plan, mesh, worker, stats, resourceLimits }: WorkerThreadSpec, events: WorkerThreadEvents) {
    const { port1, port2 } = new MessageChannel();
    // Workers serve no socket: the keys stay on main.
    const keyless: Plan = { ...plan, server: { ...plan.server, apiKeys: undefined } };
    const boot: WorkerBoot = { plan: keyless, mesh, workerIndex: worker.index, stats, control: port2 };
    const options = { workerData: boot, transferList: [port2], name: `syrinx ${worker.name}`, ...nodeOptions() };
    const thread = new Worker(ENTRY, resourceLimits === undefined ? options : { ...options, resourceLimits });
    let death = "";
    thread.on("error", (error) => {
      death = reasonOf(error);
      events.dying();
    });
    thread.on("message", () => events.rung());
    this.exited = new Promise((resolve) => {
      thread.on("exit", (code) => {
        this.#hasExited = true;
        port1.close();
        resolve(death === "" ? `it ended with code ${code}` : death);
      });
    });
    this.#thread = thread;
    this.#unref = () => port1.unref();
    this.#ask = connectControl(port1, { worker: worker.name, exited: this.exited, announce: events.announce });
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Waits until it has loaded, and has it serve. What kept it from loading is thrown here; it has ended then. */
  async start(opens: readonly OpenRecord[]): Promise<WorkerReport> {
    try {
      const report = await this.#ask("start", LIMITS.workerStartMs, opens);
      // The thread keeps the process alive until it is stopped; the port need not.
      this.#unref();
      return report;
    } catch (error) {
      // It never ran its loop, so it is in no model run: its start failed or it is gone.
      await this.terminate();
      throw error;
    }
  }

  /** Ends a thread that was never started: it leaves by itself when it has loaded. Resolves then. */
  async dismiss(): Promise<void> {
    void this.#ask("dismiss", LIMITS.workerStartMs).catch(() => undefined);
    await this.exited;
  }

  /** Only for a thread that is in no model run. */
  async terminate(): Promise<void> {
    await this.#thread.terminate();
  }
}

/** Workers inherit the options of `node`, but for code typed on its command line: they refuse to run a file under it. */
function nodeOptions(): { execArgv?: string[] } {
  return process.execArgv.some((option) => option.startsWith("--input-type")) ? { execArgv: [] } : {};
}
