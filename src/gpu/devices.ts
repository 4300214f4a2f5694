/** What the configuration's `device` may name, and what ONNX Runtime is told for it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { reasonOf, SyrinxError } from "../base/errors.js";
import { type InferenceSession, listSupportedBackends, runtimeFolder } from "./ort.js";

export const DEVICE_KINDS = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type DeviceKind = (typeof DEVICE_KINDS)[number];

export interface Device {
  readonly kind: DeviceKind;
  /** Among several of its kind: `cuda:1` has 1. */
  readonly index: number;
}

export const CPU: Device = { kind: "cpu", index: 0 };

export const PROVIDERS: Readonly<Record<DeviceKind, string>> = {
  cpu: "CPUExecutionProvider",
  cuda: "CUDAExecutionProvider",
  webgpu: "WebGpuExecutionProvider",
  coreml: "CoreMLExecutionProvider",
  dml: "DmlExecutionProvider",
};

const CUDA_LIBRARY = "libonnxruntime_providers_cuda.so";

/**
 * Reads a configuration's device other than `auto`.
 * Throws DEVICE_UNAVAILABLE for an unknown name and for a provider that this build of ONNX Runtime does not have.
 */
export function parseDevice(device: string): Device {
  const parts = /^(\w+?)(?::(\d+))?$/.exec(device);
  const kind = DEVICE_KINDS.find((known) => known === parts?.[1]);
  if (kind === undefined || (parts?.[2] !== undefined && kind !== "cuda")) {
    const reason = `no such device; known are auto, ${DEVICE_KINDS.join(", ")} and cuda:<number>`;
    throw new SyrinxError("DEVICE_UNAVAILABLE", { device, reason });
  }
  const reason = whyAbsent(kind);
  if (reason !== undefined) throw new SyrinxError("DEVICE_UNAVAILABLE", { device, reason });
  return { kind, index: Number(parts?.[2] ?? 0) };
}

/** Why a kind cannot be tried at all; undefined if it can. */
export function whyAbsent(kind: DeviceKind): string | undefined {
  if (!listSupportedBackends().some(({ name }) => name === kind)) {
    return `onnxruntime-node for ${process.platform} ${process.arch} has no ${PROVIDERS[kind]}`;
  }
  if (kind !== "cuda" || existsSync(join(runtimeFolder(), CUDA_LIBRARY))) return undefined;
  return `${CUDA_LIBRARY} is not in ${runtimeFolder()}; docs/DEVICES.md says where it comes from`;
}

export function deviceName({ kind, index }: Device): string {
  return kind === "cuda" ? `${kind}:${index}` : kind;
}

/**
 * What ONNX Runtime wants to hear for a device. Its WebGPU provider rearranges convolutions to NHWC by default; in 1.30
 * Silero and GTCRN then give wrong numbers without an error (off by half of their range), and right ones in NCHW.
 */
export function executionProviders({ kind, index }: Device): InferenceSession.ExecutionProviderConfig[] {
  if (kind === "cuda") return [{ name: "cuda", deviceId: index }];
  if (kind === "webgpu") return [{ name: "webgpu", preferredLayout: "NCHW" }];
  return [kind];
}

/**
 * ONNX Runtime's messages carry source positions, the condition that did not hold, and stack traces; the first line's end
 * says what is wrong.
 */
export function shortReason(error: unknown): string {
  const line = reasonOf(error)
    .split("\n")[0]!
    .replace(/^.* was false\. /, "")
    .trim();
  return line.length > 300 ? `…${line.slice(-299)}` : line;
}
