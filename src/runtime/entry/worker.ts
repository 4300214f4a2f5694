/**
 * What runs on a worker thread: opens the model, waits for `start` on the control port, builds the loop, drives it until
 * the stop flag is up, releases the model and ends by itself. Anything an actor throws ends the thread with that error:
 * the supervisor on main starts a successor with the same memory.
 */
import { BroadcastChannel, type MessagePort, parentPort, workerData } from "node:worker_threads";
import { findActor } from "../../actors/registry.js";
import { createClock } from "../../base/clock.js";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import type { Plan, PlanWorker } from "../../config/plan.js";
import type { Model } from "../../models/family.js";
import { loadFamily } from "../../models/registry.js";
import { Bell, type Doorbell } from "../../ring/index.js";
import { createWorkerLogger } from "../../telemetry/log.js";
import { exposeControl, type OpenRecord, type WorkerReport } from "../control.js";
import type { ActorLoop } from "../loop.js";
import { createLoopStats } from "../loop-stats.js";
import { doorbellName, MAIN_THREAD, type Mesh } from "../mesh.js";
import { importModules } from "../modules.js";
import { buildLoop } from "./build-loop.js";
import { driveCompute, driveEventLoop, wakeLoop } from "./drive.js";

/** What the supervisor hands to a worker. */
export interface WorkerBoot {
  readonly plan: Plan;
  readonly mesh: Mesh;
  readonly workerIndex: number;
  readonly stats: SharedArrayBuffer;
  readonly control: MessagePort;
}

const boot = workerData as WorkerBoot;
const { plan, mesh, workerIndex } = boot;
const worker: PlanWorker = plan.workers.find((candidate) => candidate.index === workerIndex)!;
const clock = createClock(mesh.baseNs);
const bell = new Bell(mesh.bells[workerIndex]!);
const pending = { count: 0 };
const log = createWorkerLogger({
  level: plan.server.logLevel,
  content: plan.server.logContent,
  worker: worker.name,
});
const observer = createLoopStats(plan, worker, boot.stats);

/** How often the model's step times are written to disk, at most. */
const STEP_TIMES_KEPT_MS = 60_000;
let stepTimesKeptUs = 0;

let loop: ActorLoop | undefined;
let model: Model | undefined;
const doorbells = new Map<number, Doorbell & { close?(): void }>();

function doorbellTo(thread: number): Doorbell | undefined {
  if (thread === MAIN_THREAD) return parentPort!;
  if (plan.workers.find((candidate) => candidate.index === thread)!.thread === "compute") return undefined;
  const known = doorbells.get(thread) ?? new BroadcastChannel(doorbellName(mesh, thread));
  doorbells.set(thread, known);
  return known;
}

async function openModel(): Promise<Model | undefined> {
  await importModules(plan.modules);
  const planned = plan.models.find((candidate) => candidate.name === worker.model);
  if (planned === undefined) return undefined;
  const family = await loadFamily(planned.family);
  if (family === undefined) throw new SyrinxError("INTERNAL", { reason: `no family ${planned.family} on this worker` });
  return family.open(planned.options, {
    clock,
    baseFolder: plan.baseFolder,
    device: planned.device,
    batchMax: planned.batchMax,
    session: planned.session,
    log: (level, message, fields) => log[level]({ model: planned.name, ...fields }, message),
  });
}

const openedUs = clock.nowUs();
let loadMs = 0;
/** Begins with the thread: who asks for the start need not wait for it, if he asks late. */
const opening = openModel().finally(() => {
  loadMs = (clock.nowUs() - openedUs) / 1000;
});
// Told to who asks for the start.
opening.catch(() => undefined);

async function start(opens: readonly OpenRecord[]): Promise<WorkerReport> {
  model = await opening;
  if (model?.steps !== undefined) observer.learned(model.steps);
  const built = await buildLoop({
    plan,
    mesh,
    workerIndex,
    clock,
    model,
    findActor,
    observer,
    doorbellTo,
    wake: () => loop !== undefined && wakeLoop(loop),
    log: (level, message, fields) => log[level](fields ?? {}, message),
  });
  loop = built.loop;
  await loop.resume(opens);
  void drive(built.loop, built.nodes);
  return { device: model?.device ?? "cpu", description: model?.description ?? "", loadMs };
}

type Nodes = Awaited<ReturnType<typeof buildLoop>>["nodes"];

async function drive(driven: ActorLoop, nodes: Nodes): Promise<void> {
  const spec = { loop: driven, bell, observer, pending, idle: keepStepTimes };
  try {
    if (worker.thread === "compute") await driveCompute(spec);
    else await driveEventLoop(spec, doorbellName(mesh, workerIndex));
    for (const node of nodes) await node.instance.dispose?.();
    model?.steps?.save();
    await model?.release();
    leave();
  } catch (error) {
    log.error({ reason: reasonOf(error), stack: error instanceof Error ? error.stack : undefined }, "worker died");
    // Outside of any promise, so that the thread ends with this error and the supervisor sees it.
    setImmediate(() => {
      throw error;
    });
  }
}

/** Now and then, while nobody waits for this thread. */
function keepStepTimes(): void {
  if (clock.nowUs() - stepTimesKeptUs < STEP_TIMES_KEPT_MS * 1000) return;
  stepTimesKeptUs = clock.nowUs();
  model?.steps?.save();
}

/** Nobody needs this thread any more, and it was never started. */
async function dismiss(): Promise<void> {
  await (await opening.catch(() => undefined))?.release();
  leave();
}

/** Closes what keeps the thread's event loop alive: it then ends by itself, with code 0. */
function leave(): void {
  for (const doorbell of doorbells.values()) doorbell.close?.();
  boot.control.close();
  parentPort!.close();
}

// Keeps the event loop alive until `start`, and from then on while an I/O worker waits.
parentPort!.on("message", () => undefined);
exposeControl(
  { start, dismiss, ping: async () => ({ openCallCount: loop?.openCallCount ?? 0 }) },
  boot.control,
  pending,
);
