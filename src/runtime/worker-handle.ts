/**
 * The supervisor of one worker: starts it, hears when it dies, starts a successor with the same memory and the same calls,
 * and gives up when it dies too often. Main thread.
 *
 * A worker is never terminated while it may be inside a model run: that would abort the process. It is asked to stop and
 * leaves when its step is done; terminated is only one that sleeps.
 */
import { BroadcastChannel } from "node:worker_threads";
import { reasonOf, SyrinxError, toSyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import type { PlanWorker } from "../config/plan.js";
import { Bell, BellRope } from "../ring/index.js";
import type { WorkerStatus } from "./api.js";
import type { OpenRecord, WorkerReport } from "./control.js";
import { doorbellName } from "./mesh.js";
import { WorkerThread, type WorkerThreadSpec } from "./worker-thread.js";

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

export interface WorkerHandleSpec extends WorkerThreadSpec {
  readonly host: SupervisorHost;
}

export class WorkerHandle {
  readonly worker: PlanWorker;
  readonly #spec: WorkerHandleSpec;
  readonly #rope: BellRope;
  readonly #bell: Bell;
  readonly #doorbell: BroadcastChannel | undefined;
  readonly #hasStandby: boolean;
  #state: WorkerStatus["state"] = "starting";
  #reason: string | undefined;
  #report: WorkerReport | undefined;
  /** Times of the restarts within the period, newest last. */
  #restarts: number[] = [];
  #restartCount = 0;
  #lastBeat = -1;
  #lastBeatMs = 0;
  /** The thread that serves, or is about to. */
  #thread: WorkerThread | undefined;
  /** One that has loaded, or loads, and waits to take over. */
  #standby: WorkerThread | undefined;

  constructor(spec: WorkerHandleSpec) {
    this.#spec = spec;
    this.worker = spec.worker;
    this.#hasStandby = spec.plan.models.find(({ name }) => name === spec.worker.model)?.standby === true;
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

  /** Asks the worker to leave and waits for it, and for its standby. Resolves to false if one had to be left behind. */
  async stop(deadlineMs: number): Promise<boolean> {
    const serving = this.#state === "failed" ? undefined : this.#thread;
    this.#state = this.#state === "failed" ? "failed" : "stopped";
    if (serving !== undefined) this.#rope.requestStop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), deadlineMs);
    });
    const haveLeft = Promise.all([serving?.exited, this.#standby?.dismiss()]);
    const outcome = await Promise.race([haveLeft, late]);
    clearTimeout(timer);
    this.#doorbell?.close();
    if (outcome !== undefined) return true;
    // Asleep means outside of any model run: only then is terminate safe.
    if (serving !== undefined && !serving.hasExited && this.#bell.isParked) await serving.terminate();
    return serving?.hasExited !== false && this.#standby === undefined;
  }

  /** Once everything runs: has a standby load, if the worker's model is to have one. */
  settled(): void {
    if (this.#hasStandby && this.#state === "running") this.#prepare();
  }

  /** Has a thread load and wait, if there is none yet. */
  #prepare(): void {
    this.#standby ??= this.#createThread();
  }

  #createThread(): WorkerThread {
    const thread: WorkerThread = new WorkerThread(this.#spec, {
      rung: () => this.#spec.host.rung(),
      // Its successor loads while it ends.
      dying: () => thread === this.#thread && this.#state === "running" && this.#prepare(),
      announce: () => this.#rope.announceControl(),
    });
    void thread.exited.then((reason) => this.#ended(thread, reason));
    return thread;
  }

  async #launch(): Promise<void> {
    const { host, worker } = this.#spec;
    const thread = this.#standby ?? this.#createThread();
    this.#standby = undefined;
    this.#thread = thread;
    this.#report = await thread.start(host.openCalls(worker.index));
    if (this.#state === "stopped") return;
    this.#state = "running";
    this.#reason = undefined;
    host.started(worker, this.#report, this.#restartCount);
  }

  #ended(thread: WorkerThread, reason: string): void {
    if (thread === this.#standby) this.#standby = undefined;
    if (thread === this.#thread && this.#state === "running") this.#restart(reason);
  }

  #restart(reason: string): void {
    const { host } = this.#spec;
    const nowMs = host.nowMs();
    this.#restarts = this.#restarts.filter((atMs) => nowMs - atMs < LIMITS.restartPeriodMs);
    if (this.#restarts.length >= LIMITS.restartsMax) {
      this.#state = "failed";
      this.#reason = `${reason} (${LIMITS.restartsMax} restarts in ${LIMITS.restartPeriodMs / 1000} s)`;
      void this.#standby?.dismiss();
      host.failed(this.worker, this.#reason);
      return;
    }
    this.#restarts.push(nowMs);
    this.#restartCount++;
    this.#state = "restarting";
    this.#reason = reason;
    host.restarting(this.worker, reason);
    this.#launch().then(
      () => this.settled(),
      (error: unknown) => {
        // Dying at start is dying: it counts, and ends in `failed` when it goes on.
        if (this.#state === "restarting") this.#restart(reasonOf(error));
      },
    );
  }
}

/** A start that failed, said so that an operator knows which worker and why. */
export function startFailure(worker: string, error: unknown): SyrinxError {
  const known = toSyrinxError(error);
  return known.code === "INTERNAL"
    ? new SyrinxError("WORKER_START_FAILED", { worker, reason: known.message }, error)
    : known;
}
