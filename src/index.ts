/**
 * Syrinx as a library: a voice runtime inside your own Node process.
 *
 * ```ts
 * import { createRuntime } from "syrinx";
 *
 * const runtime = await createRuntime("configs/assistant.yaml");
 * const call = await runtime.open("assistant");
 * call.write(pcm);                                   // Int16Array, 16 kHz mono, as it arrives
 * for await (const event of call) console.log(event.type);
 * ```
 *
 * @module
 */
export {
  type ActorCall,
  type ActorDefinition,
  type ActorInstance,
  type ActorResources,
  defineActor,
  type EmitOptions,
  type Item,
  type Out,
  perFrame,
  type StateRow,
} from "./actors/define.js";
export { ERRORS, type ErrorCode, isSyrinxError, SyrinxError } from "./base/errors.js";
export type { Plan } from "./config/plan.js";
export type * from "./frames/events.js";
export { FRAME_KINDS, type FrameKind, type MetaOf } from "./frames/kinds.js";
export {
  type DenoiseModel,
  defineFamily,
  type FamilyContext,
  type FamilyDefinition,
  type Hypothesis,
  type SttModel,
  type SttStream,
  type TtsModel,
  type TurnModel,
  type VadModel,
} from "./models/family.js";
export type { Call, Capacity, OpenOptions, Runtime, WorkerStatus } from "./runtime/api.js";
export { createRuntime, type RuntimeOptions } from "./runtime/runtime.js";
export { startServer } from "./transport/server.js";
