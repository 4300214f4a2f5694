/** On which device a model runs: the named one, if it can and computes right; with `auto`, the faster that does. */
import { isSyrinxError, SyrinxError } from "../base/errors.js";
import { CPU, type Device, deviceName, parseDevice, shortReason, whyAbsent } from "./devices.js";
import { readOnnxFile } from "./onnx-file.js";
import type { InferenceSession } from "./ort.js";
import { refuseInt8 } from "./precision.js";
import { createSession } from "./session.js";
import type { SessionSettings } from "./session-settings.js";
import { runTrial, TRIAL_DIFFERENCE_MAX, type Trial, type TrialShapeOf, trialFeeds } from "./trial.js";

export interface PlacementRequest {
  readonly path: string;
  /** As configured: `auto`, `cpu`, `cuda:0`, … */
  readonly device: string;
  readonly settings: SessionSettings;
  /** Without it, `auto` is the CPU, and a named device's answers are not checked. */
  readonly trial?: TrialShapeOf;
}

export interface Placement {
  readonly device: Device;
  readonly session: InferenceSession;
  /** Why this device, for the log. */
  readonly reason: string;
}

/**
 * What `auto` tries beside the CPU. The others are used by name only: trying WebGPU costs seconds where its driver is
 * software, and nobody has yet measured CoreML and DirectML with these models.
 */
const AUTO_KIND = "cuda";

/**
 * Opens a session where it belongs. Blocks this thread while ONNX Runtime optimises the graph and, on an accelerator,
 * while the model is tried there and on the CPU.
 * Throws DEVICE_UNAVAILABLE, DEVICE_PRECISION, DEVICE_WRONG_ANSWERS, MODEL_FILE_INVALID.
 */
export function place(request: PlacementRequest): Promise<Placement> {
  if (request.device === "auto") return placeFastest(request);
  return placeOn(parseDevice(request.device), request);
}

async function placeOn(device: Device, request: PlacementRequest): Promise<Placement> {
  const { path, settings } = request;
  if (device.kind === "cpu") {
    return { device, session: await createSession(path, CPU, settings), reason: "as configured" };
  }
  const { session, trial } = await openTried(device, request);
  const checked = trial === undefined ? "answers not checked" : `answers checked: ${told(trial)}`;
  return { device, session, reason: `as configured; ${checked}` };
}

async function placeFastest(request: PlacementRequest): Promise<Placement> {
  const onCpu = async (why: string): Promise<Placement> => ({
    device: CPU,
    session: await createSession(request.path, CPU, request.settings),
    reason: `auto: cpu, since ${why}`,
  });
  const absent = whyAbsent(AUTO_KIND);
  if (absent !== undefined) return onCpu(absent);
  if (request.trial === undefined) return onCpu("its family cannot be tried on another device");
  const device: Device = { kind: AUTO_KIND, index: 0 };
  let tried: Tried;
  try {
    tried = await openTried(device, request);
  } catch (error) {
    if (!isSyrinxError(error) || !error.code.startsWith("DEVICE_")) throw error;
    return onCpu(error.message);
  }
  const { session, trial } = tried;
  if (trial !== undefined && trial.deviceMs < trial.cpuMs) {
    return { device, session, reason: `auto: the faster; ${told(trial)}` };
  }
  await session.release();
  return onCpu(trial === undefined ? "the model's inputs are not known" : `${AUTO_KIND} is no faster; ${told(trial)}`);
}

interface Tried {
  readonly session: InferenceSession;
  /** Undefined if the model could not be fed. */
  readonly trial: Trial | undefined;
}

async function openTried(device: Device, request: PlacementRequest): Promise<Tried> {
  refuseInt8(readOnnxFile(request.path), device);
  const session = await createSession(request.path, device, request.settings);
  try {
    return { session, trial: await tryAgainstCpu(session, device, request) };
  } catch (error) {
    await session.release();
    throw error;
  }
}

async function tryAgainstCpu(
  session: InferenceSession,
  device: Device,
  { path, settings, trial: shape }: PlacementRequest,
): Promise<Trial | undefined> {
  const feeds = shape && trialFeeds(session.inputMetadata, shape);
  if (feeds === undefined) return undefined;
  const cpu = await createSession(path, CPU, settings);
  let trial: Trial;
  try {
    trial = await runTrial(cpu, session, feeds);
  } catch (error) {
    const reason = `a trial of ${path} failed: ${shortReason(error)}`;
    throw new SyrinxError("DEVICE_UNAVAILABLE", { device: deviceName(device), reason }, error);
  } finally {
    await cpu.release();
  }
  refuseWrongAnswers(trial, path, device);
  return trial;
}

/** Throws DEVICE_WRONG_ANSWERS if the device was further off than rounding explains. */
export function refuseWrongAnswers(trial: Pick<Trial, "difference" | "output">, path: string, device: Device): void {
  if (trial.difference <= TRIAL_DIFFERENCE_MAX) return;
  const difference = `${trial.output} is off by ${percent(trial.difference)} of its largest number`;
  throw new SyrinxError("DEVICE_WRONG_ANSWERS", { path, device: deviceName(device), difference });
}

function told({ difference, deviceMs, cpuMs }: Trial): string {
  return `off by ${percent(difference)} from the CPU, ${deviceMs.toFixed(2)} ms a step against ${cpuMs.toFixed(2)} there`;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toPrecision(2)} %` : "more than can be said";
}
