export * from "./codec.js";
export type * from "./events.js";
export * from "./kinds.js";
export { FrameView, padding, type RecordSource } from "./view.js";
