/** ONNX Runtime's sessions: how they are made, and what a failure to make one means. */
import { SyrinxError } from "../base/errors.js";
import { CPU, type Device, deviceName, executionProviders, shortReason } from "./devices.js";
import { InferenceSession } from "./ort.js";
import { DEFAULT_SESSION, type SessionSettings } from "./session-settings.js";

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
