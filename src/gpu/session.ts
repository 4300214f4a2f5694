/** ONNX Runtime's sessions: their settings, and what a failure to make one means. */
import { SyrinxError } from "../base/errors.js";
import { CPU, type Device, deviceName, executionProviders, shortReason } from "./devices.js";
import { InferenceSession } from "./ort.js";

export const OPTIMISE_LEVELS = ["all", "extended", "basic", "none"] as const;

/** `session` of a model in the configuration. */
export interface SessionSettings {
  /**
   * Threads that one step may use on the CPU, for what an accelerator leaves to it too. More than one helps large models
   * only: small ones lose more by waking threads than they win, and scale by batch and by workers.
   */
  readonly threads: number;
  /** Keep freed memory for the next step. Without it steps are slower, and an idle model holds less. */
  readonly arena: boolean;
  /** How far ONNX Runtime may rewrite the graph when loading. */
  readonly optimise: (typeof OPTIMISE_LEVELS)[number];
}

export const DEFAULT_SESSION: SessionSettings = { threads: 1, arena: true, optimise: "all" };

/** Blocks this thread while ONNX Runtime optimises the graph. Throws MODEL_FILE_INVALID and DEVICE_UNAVAILABLE. */
export async function createSession(
  path: string,
  device: Device,
  settings: SessionSettings,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(path, sessionOptions(device, settings));
  } catch (error) {
    // A failure is the device's if the CPU can load the same file.
    if (device.kind !== "cpu" && (await loadsOnCpu(path))) {
      const reason = `${shortReason(error)}; \`syrinx devices\` says more`;
      throw new SyrinxError("DEVICE_UNAVAILABLE", { device: deviceName(device), reason }, error);
    }
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: shortReason(error) }, error);
  }
}

export function sessionOptions(device: Device, settings: SessionSettings): InferenceSession.SessionOptions {
  return {
    executionProviders: executionProviders(device),
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    enableCpuMemArena: settings.arena,
    graphOptimizationLevel: settings.optimise === "none" ? "disabled" : settings.optimise,
    logSeverityLevel: 3,
  };
}

async function loadsOnCpu(path: string): Promise<boolean> {
  try {
    const session = await InferenceSession.create(path, sessionOptions(CPU, DEFAULT_SESSION));
    await session.release();
    return true;
  } catch {
    return false;
  }
}
