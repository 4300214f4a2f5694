/**
 * The supervisor of one worker: starts it, hears when it dies, starts a successor with the same memory and the same calls,
 * and gives up when it dies too often. Main thread.
 *
 * A worker is never terminated while it may be inside a model run: that would abort the process. It is asked to stop and
 * leaves when its step is done; terminated is only one that sleeps.
 */
import { BroadcastChannel, MessageChannel, type ResourceLimits, Worker } from "node:worker_threads";
import { reasonOf, SyrinxError, toSyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import type { Plan, PlanWorker } from "../config/plan.js";
import { Bell, BellRope } from "../ring/index.js";
import type { WorkerStatus } from "./api.js";
import { connectControl, type OpenRecord, type WorkerReport } from "./control.js";
import type { WorkerBoot } from "./entry/worker.js";
import { doorbellName, type Mesh } from "./mesh.js";

export interface SupervisorHost {
  /** The worker rang main's bell. */
  rung(): void;
  /** The calls that a successor must take over: those placed on this worker and open now. */
  openCalls(worker: number): readonly OpenRecord[];
  started(worker: PlanWorker, report: WorkerReport, restarts: number): void;
  restarting(worker: PlanWorker, reason: string): void;
  /** The worker is given up: its calls cannot go on. */
  failed(worker: PlanWorker, reason: string): void;
  nowMs(): number;
}

export interface WorkerHandleSpec {
  readonly plan: Plan;
  readonly mesh: Mesh;
  readonly worker: PlanWorker;
  readonly stats: SharedArrayBuffer;
  readonly host: SupervisorHost;
  readonly resourceLimits: ResourceLimits | undefined;
}

const ENTRY = new URL("./entry/worker.js", import.meta.url);

export class WorkerHandle {
  readonly worker: PlanWorker;
  readonly #spec: WorkerHandleSpec;
  readonly #rope: BellRope;
  readonly #bell: Bell;
  readonly #doorbell: BroadcastChannel | undefined;
  #state: WorkerStatus["state"] = "starting";
  #reason: string | undefined;
  #report: WorkerReport | undefined;
  /** Times of the restarts within the period, newest last. */
  #restarts: number[] = [];
  #restartCount = 0;
  #lastBeat = -1;
  #lastBeatMs = 0;
  #thread: Worker | undefined;
  #exited: Promise<string> = Promise.resolve("not started");

  constructor(spec: WorkerHandleSpec) {
    this.#spec = spec;
    this.worker = spec.worker;
    const buffer = spec.mesh.bells[spec.worker.index]!;
    if (spec.worker.thread === "io") {
      this.#doorbell = new BroadcastChannel(doorbellName(spec.mesh, spec.worker.index));
      this.#doorbell.unref();
    }
    this.#rope = new BellRope(buffer, this.#doorbell);
    this.#bell = new Bell(buffer);
  }

  get status(): WorkerStatus {
    return {
      name: this.worker.name,
      state: this.#state,
      restarts: this.#restartCount,
      ...(this.worker.model === undefined ? {} : { model: this.worker.model }),
      ...(this.#report === undefined ? {} : { description: this.#report.description }),
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  /**
   * How long the worker's heartbeat has been seen unmoved, from look to look: the first look after a beat says 0. A long
   * model run beats late, so the bound is generous.
   */
  silentMs(nowMs: number): number {
    const beat = this.#bell.heartbeat;
    if (this.#state !== "running" || beat !== this.#lastBeat) {
      this.#lastBeat = beat;
      this.#lastBeatMs = nowMs;
    }
    return nowMs - this.#lastBeatMs;
  }

  /** First start. Throws what kept the worker from starting; there is no second try, the caller is still waiting. */
  async start(): Promise<void> {
    try {
      await this.#launch();
    } catch (error) {
      this.#state = "failed";
      this.#reason = reasonOf(error);
      throw toSyrinxError(error);
    }
  }

  /** Asks the worker to leave and waits for it. Resolves to false if it had to be left behind. */
  async stop(deadlineMs: number): Promise<boolean> {
    if (this.#state === "failed" || this.#thread === undefined) {
      this.#doorbell?.close();
      return true;
    }
    this.#state = "stopped";
    this.#rope.requestStop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), deadlineMs);
    });
    const outcome = await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    this.#doorbell?.close();
    if (outcome !== undefined) return true;
    // Asleep means outside of any model run: only then is terminate safe.
    if (this.#bell.isParked) await this.#thread.terminate();
    return this.#bell.isParked;
  }

  async #launch(): Promise<void> {
    const { plan, mesh, worker, stats, host, resourceLimits } = this.#spec;
    const { port1, port2 } = new MessageChannel();
    // Workers serve no socket: the keys stay on main.
    const keyless: Plan = { ...plan, server: { ...plan.server, apiKeys: undefined } };
    const boot: WorkerBoot = { plan: keyless, mesh, workerIndex: worker.index, stats, control: port2 };
    const options = { workerData: boot, transferList: [port2], name: `syrinx ${worker.name}`, ...nodeOptions() };
    const thread = new Worker(ENTRY, resourceLimits === undefined ? options : { ...options, resourceLimits });
    this.#thread = thread;
    let death = "";
    thread.on("error", (error) => {
      death = reasonOf(error);
    });
    thread.on("message", () => host.rung());
    this.#exited = new Promise((resolve) => {
      thread.on("exit", (code) => {
        port1.close();
        resolve(death === "" ? `it ended with code ${code}` : death);
        this.#ended(thread, death === "" ? `it ended with code ${code}` : death);
      });
    });
    const ask = connectControl(port1, {
      worker: worker.name,
      exited: this.#exited,
      announce: () => this.#rope.announceControl(),
    });
    try {
      this.#report = await ask("start", LIMITS.workerStartMs, host.openCalls(worker.index));
    } catch (error) {
      // It never ran its loop, so it is in no model run: its start failed or it is gone.
      await thread.terminate();
      throw error;
    }
    this.#state = "running";
    this.#reason = undefined;
    // The thread keeps the process alive until it is stopped; the port need not.
    port1.unref();
    host.started(worker, this.#report, this.#restartCount);
  }

  #ended(thread: Worker, reason: string): void {
    if (thread !== this.#thread || this.#state !== "running") return;
    this.#restart(reason);
  }

  #restart(reason: string): void {
    const { host } = this.#spec;
    const nowMs = host.nowMs();
    this.#restarts = this.#restarts.filter((atMs) => nowMs - atMs < LIMITS.restartPeriodMs);
    if (this.#restarts.length >= LIMITS.restartsMax) {
      this.#state = "failed";
      this.#reason = `${reason} (${LIMITS.restartsMax} restarts in ${LIMITS.restartPeriodMs / 1000} s)`;
      host.failed(this.worker, this.#reason);
      return;
    }
    this.#restarts.push(nowMs);
    this.#restartCount++;
    this.#state = "restarting";
    this.#reason = reason;
    host.restarting(this.worker, reason);
    this.#launch().catch((error: unknown) => {
      // Dying at start is dying: it counts, and ends in `failed` when it goes on.
      if (this.#state === "restarting") this.#restart(reasonOf(error));
    });
  }
}

/** A start that failed, said so that an operator knows which worker and why. */
export function startFailure(worker: string, error: unknown): SyrinxError {
  const known = toSyrinxError(error);
  return known.code === "INTERNAL"
    ? new SyrinxError("WORKER_START_FAILED", { worker, reason: known.message }, error)
    : known;
}

/** Workers inherit the options of `node`, but for code typed on its command line: they refuse to run a file under it. */
function nodeOptions(): { execArgv?: string[] } {
  return process.execArgv.some((option) => option.startsWith("--input-type")) ? { execArgv: [] } : {};
}
